package core

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"
)

// TestExamplesRunInTheBrowser: the documentation's site runs examples that need nothing of
// other files.
func TestExamplesRunInTheBrowser(t *testing.T) {
	paths, err := filepath.Glob("example_*_test.go")
	if err != nil || len(paths) == 0 {
		t.Fatal("no examples", err)
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, example := range doc.Examples([]*ast.File{file}...) {
			if example.Play == nil || example.Output == "" {
				t.Errorf("%s: Example%s does not run there, or prints nothing", path, example.Name)
			}
		}
	}
}
