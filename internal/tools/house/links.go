package house

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	link    = regexp.MustCompile(`(?:\]\(|src="|href=")([^)"\s]+)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	named   = regexp.MustCompile(`(?:id|name)="([^"]+)"`)
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	code    = regexp.MustCompile("(?ms)^ *```.*?^ *```|`[^`\n]*`")
	dropped = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// DeadLinks returns the links of all pages in repo that lead to no file or heading there.
func DeadLinks(repo fs.FS) (dead []string, err error) {
	err = fs.WalkDir(repo, ".", func(page string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && (page == "tmp" || page == "bin" || page == ".git") {
			return skip(err)
		}
		if path.Ext(page) != ".md" {
			return nil
		}
		text, err := fs.ReadFile(repo, page)
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			if strings.Contains(m[1], ":") {
				continue
			}
			to, anchor, _ := strings.Cut(m[1], "#")
			if to = path.Join(path.Dir(page), to); m[1][0] == '#' {
				to = page
			}
			there, err := fs.Stat(repo, to)
			switch {
			case err != nil:
				dead = append(dead, fmt.Sprintf("%s: %s: no such file", page, m[1]))
			case anchor != "" && path.Ext(to) == ".md" && !there.IsDir() && !slices.Contains(anchors(repo, to), anchor):
				dead = append(dead, fmt.Sprintf("%s: %s: no such heading", page, m[1]))
			}
		}
		return err
	})
	return dead, err
}

func skip(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}

// anchors returns what a link can lead to in a page: its headings, as GitHub names them.
func anchors(repo fs.FS, page string) (names []string) {
	text, _ := fs.ReadFile(repo, page)
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
		name := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), ""), " ", "-")
		base := name
		for n := 1; slices.Contains(names, name); n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		names = append(names, name)
	}
	for _, m := range named.FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	return names
}
