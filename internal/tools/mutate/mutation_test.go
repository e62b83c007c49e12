package main

import (
	"slices"
	"strings"
	"testing"
)

const example = `promise: K1 SEC39
breaks: two and two is five
test: ./core TestA/b

--- a.go
@@
 func f() int {
-	return 4
+	return 5

--- b.go
@@
-	gone()
@@
+	more()
 	last()
`

func TestParse(t *testing.T) {
	m, err := parseMutation(example)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.promises, []string{"K1", "SEC39"}) || m.tests[0].pattern() != "^TestA$/^b$" || len(m.edits) != 2 {
		t.Errorf("%+v", m)
	}
	got, err := m.edits[0].apply("package a\n\nfunc f() int {\n\treturn 4\n\n}\n")
	if want := "package a\n\nfunc f() int {\n\treturn 5\n\n}\n"; got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	got, err = m.edits[1].apply("\tgone()\n\tlast()\n")
	if want := "\tmore()\n\tlast()\n"; got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, source := range []string{"", "\tgone()\n\tgone()\n\tlast()\n", "x\tgone()\n\tlast()\n"} {
		if _, err := m.edits[1].apply(source); err == nil || !strings.Contains(err.Error(), "does not apply") {
			t.Errorf("applied to %q: %v", source, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for what, change := range map[string][2]string{
		"no promise":       {"promise: K1 SEC39\n", ""},
		"no reason":        {"breaks: two and two is five", "breaks: "},
		"no test":          {"test: ./core TestA/b\n", ""},
		"test not a test":  {"TestA/b", "A"},
		"package elsewere": {"./core", "core"},
		"unknown header":   {"breaks:", "brakes:"},
		"no file":          {"--- a.go\n", ""},
		"no hunk":          {"--- a.go\n@@", "--- a.go"},
		"no marker":        {" func f", "func f"},
		"no change":        {"-\treturn 4\n+\treturn 5\n", " \treturn 4\n"},
		"nothing to find":  {" \tlast()\n", ""},
		"no diff":          {example[strings.Index(example, "--- a"):], ""},
	} {
		if m, err := parseMutation(strings.Replace(example, change[0], change[1], 1)); err == nil {
			t.Errorf("%s: accepted: %+v", what, m)
		}
	}
}

func TestUncovered(t *testing.T) {
	page := "| Promise | core |\n|---|--:|\n| K1 | 1 |\n| K2 | 1 |\n| AD1 | 1 |\n| SEC1 | 1 |\n"
	all := []mutation{{name: "m", promises: append([]string{"K1", "SEC99"}, commitPoints[1:]...)}}
	got := uncovered(all, promisesIn(page))
	want := []string{"m: there is no promise SEC99", "K2 has no mutation", commitPoints[0] + " has no mutation"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := uncovered(all, nil); !slices.Contains(got, "the table of promises has none") {
		t.Errorf("an empty table is accepted: %q", got)
	}
}
