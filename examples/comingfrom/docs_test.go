package comingfrom_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The code in docs/coming-from is code of this package, except for its
// indentation. So it compiles, and what the pages say of it is tested.
func TestDocsHaveThisCode(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, file := range files {
		code.WriteString(flat(t, file))
	}
	pages, err := filepath.Glob("../../docs/coming-from/*.md")
	if err != nil || len(pages) != 6 {
		t.Fatalf("%d pages, want an index and 5: %v", len(pages), err)
	}
	for _, page := range pages {
		blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(flat(t, page), -1)
		if len(blocks) < 3 {
			t.Errorf("%s: %d blocks of code, want handlers before and after", page, len(blocks))
		}
		for _, block := range blocks {
			if !strings.Contains(code.String(), "\n"+block[1]) {
				t.Errorf("%s: this is nowhere in examples/comingfrom:\n%s", page, block[1])
			}
		}
	}
}

// flat returns a file's lines without their indentation.
func flat(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^\t+`).ReplaceAllString(string(text), "")
}
