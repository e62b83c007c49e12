package recipes

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the code into the pages of docs/recipes")

const docs = "../../docs/recipes"

var (
	opening = regexp.MustCompile(`^\t*//recipe:([a-z]+)$`)
	// block is a marker and the code below it.
	block = regexp.MustCompile("(?s)<!-- (\\S+\\.go) ([a-z]+) -->\n```go\n(.*?)```\n")
)

// TestPages checks that the pages show the code that is tested here: every
// block of Go is a region, and every region is shown.
func TestPages(t *testing.T) {
	regions := readRegions(t)
	shown := map[string]bool{}
	pages, err := filepath.Glob(filepath.Join(docs, "*.md"))
	if err != nil || len(pages) < 2 {
		t.Fatalf("there are %d pages: %v", len(pages), err)
	}
	index, err := os.ReadFile(filepath.Join(docs, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		name := filepath.Base(page)
		want := block.ReplaceAllStringFunc(text, func(found string) string {
			m := block.FindStringSubmatch(found)
			region := m[1] + " " + m[2]
			code, ok := regions[region]
			if !ok {
				t.Errorf("%s shows %s, which does not exist", name, region)
				return found
			}
			shown[region] = true
			return fmt.Sprintf("<!-- %s -->\n```go\n%s```\n", region, code)
		})
		if strings.Count(text, "```go\n") != len(block.FindAllString(text, -1)) {
			t.Errorf("%s has Go code without a marker such as <!-- login.go echo -->", name)
		}
		if !strings.Contains(string(index), "("+name+")") && name != "README.md" {
			t.Errorf("%s is not in the index", name)
		}
		if want == text {
			continue
		}
		if !*update {
			t.Errorf("%s shows code other than what is tested; run go test -run TestPages -update . in examples/recipes", name)
		} else if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Error(err)
		}
	}
	for region := range regions {
		if !shown[region] {
			t.Errorf("no page shows %s", region)
		}
	}
}

// readRegions returns the code between the markers of all files, by file and
// name.
func readRegions(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	regions := map[string]string{}
	for _, file := range append(files, more...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var name, code string
		for line := range strings.Lines(string(data)) {
			switch bare := strings.TrimRight(line, "\n"); {
			case name == "" && opening.MatchString(bare):
				name, code = opening.FindStringSubmatch(bare)[1], ""
			case name != "" && strings.TrimLeft(bare, "\t") == "//recipe:end":
				regions[file+" "+name] = dedent(strings.Trim(code, "\n") + "\n")
				name = ""
			case name != "":
				code += line
			}
		}
		if name != "" {
			t.Errorf("%s: the region %s has no end", file, name)
		}
	}
	return regions
}

// dedent removes the first line's indentation from all lines.
func dedent(code string) string {
	indent := code[:len(code)-len(strings.TrimLeft(code, "\t"))]
	var out strings.Builder
	for line := range strings.Lines(code) {
		out.WriteString(strings.TrimPrefix(line, indent))
	}
	return out.String()
}
