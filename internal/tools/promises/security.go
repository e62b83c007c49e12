package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// test is a test that shows a row: a case of a suite, or a test function.
type test struct{ kind, name, pkg string }

// The kinds of tests.
const (
	adapterSuite = "adapters"
	storeSuite   = "stores"
	function     = ""
)

// shown records that a test of a promise or a row has passed.
func (r *results) shown(e event, id string) {
	if s := storeSuiteOf(e); s != "" {
		if r.stores[id] == nil {
			r.stores[id] = map[string]bool{}
		}
		r.stores[id][s] = true
	}
	if r.tests[id] == nil {
		r.tests[id] = map[test]int{}
	}
	r.tests[id][testOf(e)]++
}

func testOf(e event) test {
	parts := strings.Split(e.Test, "/")
	// Equal subtests of one test are numbered: "name#01".
	name, _, _ := strings.Cut(parts[len(parts)-1], "#")
	switch {
	case len(parts) > 3 && strings.HasPrefix(parts[0], "TestConformance"):
		// The way to answer is not part of the row's subject.
		for _, many := range []string{"_commits_on_", "_save_fails_on_"} {
			if before, _, ok := strings.Cut(name, many); ok {
				name = before + many + "…"
			}
		}
		return test{kind: adapterSuite, name: strings.TrimSuffix(name, "_for_writers")} // of a backend with a window
	case len(parts) > 2 && strings.Contains(parts[0], "Store"):
		return test{kind: storeSuite, name: name}
	}
	return test{kind: function, name: name, pkg: strings.TrimPrefix(e.Package, modulePath)}
}

// checklistTable returns the rows of the security checklist, each with the tests
// that show it, and what is wrong with it. table reports rows that have no test,
// or one that failed.
func (r *results) checklistTable() (string, []string) {
	var b strings.Builder
	var problems []string
	b.WriteString("| Row | What it asks for | Shown by |\n|---|---|---|\n")
	for _, row := range checklist {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", row.id(), row.title, r.shownBy(row))
		if row.stores {
			for _, s := range storeSuites {
				if !r.stores[row.id()][s] && (!row.index || s != withoutIndex) {
					problems = append(problems, fmt.Sprintf("%s: no passing test in %s", row.id(), s))
				}
			}
		}
		if !row.required() && len(r.tests[row.id()]) > 0 {
			problems = append(problems, row.id()+": has tests, but is listed as one that does not apply")
		}
	}
	for id := range r.tests {
		if _, ok := requirementOf(id); !ok && strings.HasPrefix(id, "SEC") {
			problems = append(problems, id+": has tests, but is not in the checklist")
		}
	}
	slices.Sort(problems)
	return b.String(), problems
}

func (r *results) shownBy(row requirement) string {
	if !row.required() {
		return "does not apply: it is about " + row.why
	}
	text := r.testsOf(row.id())
	if limits := r.limitsOf(row.id()); len(limits) > 0 {
		text += "<br>limited: " + strings.Join(limits, ", ")
	}
	return text
}

// testsOf lists the tests of a promise or a row, those of the suites first. Each
// comes with how often it passed.
func (r *results) testsOf(id string) string {
	tests := r.tests[id]
	if len(tests) == 0 {
		return "**missing**"
	}
	var lines []string
	for _, kind := range []string{adapterSuite, storeSuite} {
		if cases := casesOf(tests, kind); len(cases) > 0 {
			lines = append(lines, kind+": "+strings.Join(cases, ", "))
		}
	}
	if functions := casesOf(tests, function); len(functions) > 0 {
		lines = append(lines, strings.Join(functions, ", "))
	}
	return strings.Join(lines, "<br>")
}

func casesOf(tests map[test]int, kind string) (texts []string) {
	sums, packages := map[string]int{}, map[string][]string{}
	for t, n := range tests {
		if t.kind == kind {
			sums[t.name] += n
			packages[t.name] = append(packages[t.name], t.pkg)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		text := "`" + name + "`"
		switch kind {
		case function:
			slices.Sort(packages[name])
			text += " (" + strings.Join(packages[name], ", ") + ")"
		default:
			text += " " + strconv.Itoa(sums[name])
		}
		texts = append(texts, text)
	}
	return texts
}

// limitsOf returns the backends that keep a row only within limits: first those
// with a column, in order, then the others.
func (r *results) limitsOf(id string) []string {
	names := slices.Sorted(maps.Keys(r.limited[id]))
	slices.SortStableFunc(names, func(a, b string) int { return place(a) - place(b) })
	return names
}

func place(backend string) int {
	if i := slices.Index(backends, backend); i >= 0 {
		return i
	}
	return len(backends)
}
