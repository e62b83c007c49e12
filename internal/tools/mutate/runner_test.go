package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is a package with tests, to be mutated.
var module = map[string]string{
	"go.mod":   "module example.org/m\n\ngo 1.25\n",
	"table.md": "| K1 | 1 |\n",
	"p/p.go": `package p

import (
	_ "embed"
	"time"
)

//go:embed script.lua
var script string

var limit = 10

type list[T any] struct{ all []T }

func (l *list[T]) add(_ string, more ...T) { l.all = append(l.all, more...) }

func first[T any](all []T) T {
	return all[0]
}

func sum(a, b int) (total int) {
	total = a + b
	return total
}

func wait() {
	time.Sleep(0)
}

func over(n int) bool { return n > limit }
`,
	"p/script.lua": "-- adds one\nreturn 1\n",
	"p/p_test.go": `package p

import (
	"os"
	"testing"
)

func TestSum(t *testing.T) {
	t.Run("small", func(t *testing.T) {
		if sum(1, 2) != 3 {
			t.Error("small")
		}
	})
	t.Run("zero", func(t *testing.T) {
		if sum(0, 0) != 0 {
			t.Error("zero")
		}
	})
}

func TestGenerics(t *testing.T) {
	var l list[int]
	l.add("", 1, 2)
	if len(l.all) != 2 || first(l.all) != 1 {
		t.Error(l.all)
	}
}

func TestWait(t *testing.T)    { wait() }
func TestOver(t *testing.T)    { if over(10) { t.Error("10") } }
func TestScript(t *testing.T)  { if script != "-- adds one\nreturn 1\n" { t.Error(script) } }
func TestBroken(t *testing.T)  { t.Error("always") }
func TestSkipped(t *testing.T) { t.Skip() }
func TestExits(t *testing.T)   { if sum(2, 2) != 4 { os.Exit(3) } }
`,
}

// patches are mutations of module with their expected outcome; "" means caught.
var patches = []struct{ name, test, diff, want string }{
	{"sum", "TestSum/small", "@@\n-\ttotal = a + b\n+\ttotal = a - b\n", ""},
	{"variadic", "TestGenerics", "@@\n-func (l *list[T]) add(_ string, more ...T) { l.all = append(l.all, more...) }\n+func (l *list[T]) add(_ string, more ...T) { l.all = more[1:] }\n", ""},
	{"generic", "TestGenerics", "@@\n-\treturn all[0]\n+\treturn all[1]\n", ""},
	{"variable", "TestOver", "@@\n-var limit = 10\n+var limit = 9\n", ""},
	{"script", "TestScript", "--- p/script.lua\n@@\n-return 1\n+return 2\n", ""},
	{"script and code", "TestScript", "@@\n-\treturn total\n+\treturn a\n--- p/script.lua\n@@\n-return 1\n+return 2\n", ""},
	{"script unseen", "TestOver", "--- p/script.lua\n@@\n-return 1\n+return 2\n", "SURVIVED"},
	{"script gone", "TestScript", "--- p/script.lua\n@@\n-return 3\n+return 2\n", "does not apply"},
	{"panics", "TestSum/zero", "@@\n-\ttotal = a + b\n+\ttotal = a / b\n", ""},
	{"survives", "TestSum/zero", "@@\n-\ttotal = a + b\n+\ttotal = a - b\n", "SURVIVED"},
	{"hangs", "TestWait", "@@\n-\ttime.Sleep(0)\n+\ttime.Sleep(time.Hour)\n", "hangs"},
	{"gone", "TestSum", "@@\n-\ttotal = b + a\n+\ttotal = a\n", "does not apply"},
	{"nowhere", "TestNone", "@@\n-\ttotal = a + b\n+\ttotal = a\n", "there is no test"},
	{"subtest", "TestSum/none", "@@\n-\ttotal = a + b\n+\ttotal = a\n", "there is no test"},
	{"broken", "TestBroken", "@@\n-\ttotal = a + b\n+\ttotal = a\n", "fails without the mutation"},
	{"skipped", "TestSkipped", "@@\n-\ttotal = a + b\n+\ttotal = a\n", "was skipped"},
	{"exits", "TestExits", "@@\n-\ttotal = a + b\n+\ttotal = a\n", "has not failed by itself"},
}

// uncompilable breaks the build of all.
var uncompilable = struct{ name, test, diff, want string }{
	"unbuilt", "TestSum", "@@\n-\ttotal = a + b\n+\ttotal = c\n", "does not build",
}

// mutateModule runs the tool on module, and returns what it printed.
func mutateModule(t *testing.T, all []struct{ name, test, diff, want string }, more ...string) (string, error) {
	t.Setenv("GOWORK", "off")
	root := t.TempDir()
	write := func(name, text string) {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range module {
		write(name, text)
	}
	for _, p := range all {
		diff := p.diff
		if !strings.HasPrefix(diff, "--- ") {
			diff = "--- p/p.go\n" + diff
		}
		write("patches/"+p.name+suffix, "promise: K1 "+strings.Join(commitPoints, " ")+
			"\nbreaks: "+p.name+"\ntest: ./p "+p.test+"\n\n"+diff)
	}
	var out, errs strings.Builder
	args := append([]string{"-root", root, "-dir", "patches", "-promises", "table.md", "-timeout", "3s"}, more...)
	err := run(t.Context(), args, &out, &errs)
	return out.String() + errs.String(), err
}

func TestMutations(t *testing.T) {
	out, err := mutateModule(t, patches)
	failures := 0
	for _, p := range patches {
		if p.want == "" {
			if strings.Contains(out, "  "+p.name+" (") {
				t.Errorf("%s is not caught", p.name)
			}
			continue
		}
		failures++
		_, after, found := strings.Cut(out, "  "+p.name+" ("+p.name+"): ")
		if line, _, _ := strings.Cut(after, "\n"); !found || !strings.Contains(line, p.want) {
			t.Errorf("%s: says %q, want %q", p.name, line, p.want)
		}
	}
	if n := strings.Count(out, "NOT CAUGHT"); n != failures || err == nil {
		t.Errorf("%d rows say NOT CAUGHT, want %d; error %v", n, failures, err)
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestAllCaught(t *testing.T) {
	caught := slices.DeleteFunc(slices.Clone(patches), func(p struct{ name, test, diff, want string }) bool { return p.want != "" })
	if out, err := mutateModule(t, caught); err != nil || !strings.Contains(out, "all caught") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestUncompilable(t *testing.T) {
	_, err := mutateModule(t, append(slices.Clone(patches[:1]), uncompilable))
	if err == nil || !strings.Contains(err.Error(), "unbuilt.patch:") || strings.Count(err.Error(), "undefined: c") != 1 {
		t.Error(err)
	}
}

func TestNothingChosen(t *testing.T) {
	if out, err := mutateModule(t, patches[:1], "-run", "^Sum$"); err == nil || strings.Contains(out, "all caught") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestOverlays(t *testing.T) {
	dir := t.TempDir()
	if out, err := mutateModule(t, patches[:5], "-overlay", dir); err != nil || out != "" {
		t.Fatalf("%v\n%s", err, out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "overlay.json"))
	want := []string{filepath.Join(dir, "script", "overlay.json"), filepath.Join(dir, "variable", "overlay.json")}
	if err != nil || !slices.Equal(found, want) {
		t.Errorf("builds of their own: %v, %v, want %v", found, err, want)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "overlay.json")); err != nil || !strings.Contains(string(text), "zz_mutation.go") {
		t.Errorf("the build of the others: %v\n%s", err, text)
	}
}
