package core

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
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

// notForApplications are methods of Session and Manager that adapters call, or packages
// beside them.
var notForApplications = []string{
	"Abort", "CarryIn", "Carrier", "Challenge", "CheckHeadLimit", "Commit", "Context", "Finish", "Format", "FromContext", "HoldBody",
	"IssuedToken", "Load", "LoadInto", "MarshalJSON", "Misconfigured", "NewSession", "Observe", "SlotFromContext", "StoredUsers", "Traits", "WriteCookie",
}

// TestAPIPageIsComplete: docs/api.md names what exists, and all that applications call.
func TestAPIPageIsComplete(t *testing.T) {
	data, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for prefix, typ := range map[string]reflect.Type{"s": reflect.TypeFor[*Session](), "sessions": reflect.TypeFor[*Manager](), "cart": reflect.TypeFor[Key[int]]()} {
		for _, m := range regexp.MustCompile("\\b"+prefix+"\\.([A-Z]\\w*)").FindAllStringSubmatch(page, -1) {
			if _, ok := typ.MethodByName(m[1]); !ok {
				t.Errorf("the page names %s, which %v does not have", m[0], typ)
			}
		}
		for i := range typ.NumMethod() {
			name := typ.Method(i).Name
			if !slices.Contains(notForApplications, name) && name != "Name" && !strings.Contains(page, prefix+"."+name) {
				t.Errorf("the page lacks %s.%s", prefix, name)
			}
		}
	}
}
