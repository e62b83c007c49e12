// Package house checks the map of the repository in CONTRIBUTING.md: it must name
// nothing that is gone, and every folder with Go code.
package house

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// The sections of the map. In each, a line of the table names one path.
const (
	folderSection  = "## Where things are"
	concernSection = "## Where is … decided?"
)

// Problems compares the map in page with repo, the root of the repository, and
// returns what is wrong.
func Problems(page string, repo fs.FS) ([]string, error) {
	var problems []string
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	exists := func(name string, folder bool) bool {
		info, err := fs.Stat(repo, name)
		return err == nil && info.IsDir() == folder
	}

	folders := paths(page, folderSection)
	if len(folders) == 0 {
		problem("the section %q names no folder", folderSection)
	}
	for _, name := range folders {
		if !exists(name, true) {
			problem("%s is on the map and is no folder: correct or remove its line", name)
		}
	}
	files := paths(page, concernSection)
	if len(files) == 0 {
		problem("the section %q names no file", concernSection)
	}
	for _, name := range files {
		if !exists(name, false) {
			problem("%s is on the map and is no file: name the one that decides this now", name)
		}
	}
	wanted, err := wantedFolders(repo)
	for _, name := range wanted {
		if !slices.Contains(folders, name) {
			problem("the folder %s is not on the map: add a line under %q", name, folderSection)
		}
	}
	return problems, err
}

// cell matches a cell of a table that has a path and nothing else.
var cell = regexp.MustCompile("\\| `([^`]+)` \\|")

// paths returns the first path of each table line in a section.
func paths(page, section string) (names []string) {
	inside := false
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "## ") {
			inside = strings.TrimSpace(line) == section
		}
		if m := cell.FindStringSubmatch(line); inside && m != nil {
			names = append(names, path.Clean(m[1]))
		}
	}
	return names
}

// wantedFolders returns the folders that must be on the map: those at the top and
// those with Go code.
func wantedFolders(repo fs.FS) (folders []string, err error) {
	err = fs.WalkDir(repo, ".", func(name string, entry fs.DirEntry, err error) error {
		folder := path.Dir(name)
		switch {
		case err != nil || name == ".":
			return err
		case !entry.IsDir() && path.Ext(name) == ".go" && folder != ".":
			folders = append(folders, folder)
		case !entry.IsDir():
		case strings.HasPrefix(entry.Name(), "."), entry.Name() == "testdata", name == "bin", name == "tmp":
			return fs.SkipDir
		case folder == ".":
			folders = append(folders, name)
		}
		return nil
	})
	slices.Sort(folders)
	return slices.Compact(folders), err
}
