package core

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocNamesEveryType keeps the package doc's two lists complete: what
// applications use, and what only stores, sealers and adapters do.
func TestDocNamesEveryType(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var doc string
	var types []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if name == "doc.go" {
			doc = f.Doc.Text()
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if ok && spec.Name.IsExported() {
				types = append(types, spec.Name.Name)
			}
			return !ok
		})
	}
	for _, name := range types {
		if !strings.Contains(doc, "["+name+"]") {
			t.Errorf("the package doc does not mention %s", name)
		}
	}
	if len(types) == 0 {
		t.Error("found no types")
	}
}
