package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// results counts the tests of each promise by how they ended.
type results struct {
	core   map[string]*count
	cells  map[cell]map[string]*count
	limits map[cell]map[string]string // reasons
	cases  map[cell]map[string]bool   // of the adapter suite that passed
	seen   map[string]bool            // named by a test of the adapter suite or, for SEC, any test

	tests   map[string]map[test]int    // passed, by promise or row
	stores  map[string]map[string]bool // SEC rows that passed in each of storeSuites
	limited map[string]map[string]bool // backends that limit a promise, even those without a column
}

type count struct {
	passed int
	bad    []string // tests that failed, were skipped or never ended
}

func newResults() *results {
	return &results{
		core:    map[string]*count{},
		cells:   map[cell]map[string]*count{},
		limits:  map[cell]map[string]string{},
		cases:   map[cell]map[string]bool{},
		seen:    map[string]bool{},
		tests:   map[string]map[test]int{},
		stores:  map[string]map[string]bool{},
		limited: map[string]map[string]bool{},
	}
}

// limitLine is the suite's line for a backend that does not keep a promise.
var limitLine = regexp.MustCompile(`promise-limit: (\S+) (\S+) (.*\S)`)

func (r *results) event(e event) {
	if e.Test == "" {
		return
	}
	switch e.Action {
	case "output":
		r.limit(e)
	case "pass":
		parts := strings.Split(e.Test, "/")
		ids := idsOf(parts[len(parts)-1])
		if c, ok := cellOf(e.Test); ok && len(ids) > 0 {
			r.passed(c, strings.Join(parts[3:], "/"))
		}
		for _, id := range ids {
			r.count(e.Test, id).passed++
			r.shown(e, id)
		}
	case "fail", "skip":
		// A skipped part leaves a hole in every test above it.
		for part := range strings.SplitSeq(e.Test, "/") {
			for _, id := range idsOf(part) {
				c := r.count(e.Test, id)
				c.bad = append(c.bad, e.Test+": "+map[string]string{"fail": "failed", "skip": "skipped"}[e.Action])
			}
		}
	}
}

func (r *results) limit(e event) {
	m := limitLine.FindStringSubmatch(e.Output)
	if m == nil {
		return
	}
	parts, ids := strings.Split(e.Test, "/"), idsOf(m[2])
	if len(parts) < 4 || !strings.HasPrefix(parts[0], "TestConformance") || parts[2] != m[1] || len(ids) != 1 {
		return
	}
	// A promise's limit also limits the checklist's rows in the same case.
	for _, id := range idsOf(parts[3]) {
		if strings.HasPrefix(id, "SEC") && id != ids[0] {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if r.limited[id] == nil {
			r.limited[id] = map[string]bool{}
		}
		r.limited[id][m[1]] = true
		if c, ok := cellOf(e.Test); ok {
			if r.limits[c] == nil {
				r.limits[c] = map[string]string{}
			}
			r.limits[c][id] = m[3]
		}
	}
}

func (r *results) count(test, id string) *count {
	counts := r.core
	if c, ok := cellOf(test); ok {
		if r.cells[c] == nil {
			r.cells[c] = map[string]*count{}
		}
		counts = r.cells[c]
		r.seen[id] = true
	} else if strings.HasPrefix(id, "SEC") {
		r.seen[id] = true
	}
	if counts[id] == nil {
		counts[id] = &count{}
	}
	return counts[id]
}

func (r *results) passed(c cell, name string) {
	if r.cases[c] == nil {
		r.cases[c] = map[string]bool{}
	}
	r.cases[c][name] = true
}

// uneven lists the cases that passed in one adapter but not in another. Otherwise
// the other cases of a promise would hide that one of them did not run.
func (r *results) uneven() (problems []string) {
	for _, backend := range backends {
		all := map[string]bool{}
		for _, adapter := range adapters {
			maps.Copy(all, r.cases[cell{adapter, backend}])
		}
		for _, adapter := range adapters {
			c := cell{adapter, backend}
			for _, name := range slices.Sorted(maps.Keys(all)) {
				if !r.cases[c][name] {
					problems = append(problems, fmt.Sprintf("%s: has not passed for %s, but for another adapter", name, c))
				}
			}
		}
	}
	return problems
}

// table returns the table and what is wrong with it.
func (r *results) table() (string, []string) {
	t := &table{results: r}
	t.b.WriteString("| Promise | core | " + strings.Join(backends, " | ") + " |\n")
	t.b.WriteString("|---|" + strings.Repeat("--:|", len(backends)+1) + "\n")
	for _, id := range rowsFor(slices.Collect(maps.Keys(r.seen))) {
		t.row(id)
	}
	for i, note := range t.notes {
		if i == 0 {
			t.b.WriteString("\nLimits:\n\n")
		}
		fmt.Fprintf(&t.b, "%d. %s\n", i+1, note)
	}
	t.b.WriteString("\nThe tests by name; those of the SEC rows are in [security.md](security.md#the-checklist-and-its-tests):\n\n" +
		"| Promise | Shown by |\n|---|---|\n")
	for _, id := range rowsFor(slices.Collect(maps.Keys(r.seen))) {
		if !strings.HasPrefix(id, "SEC") {
			fmt.Fprintf(&t.b, "| %s | %s |\n", id, r.testsOf(id))
		}
	}
	return t.b.String(), append(t.problems, r.uneven()...)
}

type table struct {
	*results
	b        strings.Builder
	notes    []string
	problems []string
}

func (t *table) row(id string) {
	passed := 0
	core := t.show(id, "core", t.core[id], "", false, &passed)
	fmt.Fprintf(&t.b, "| %s | %s |", id, core)
	for _, backend := range backends {
		fmt.Fprintf(&t.b, " %s |", t.backend(id, backend, &passed))
	}
	t.b.WriteString("\n")
	if passed == 0 && slices.Contains(requiredSEC, id) {
		t.problem("%s: no passing test", id)
	}
}

// backend returns the text of one promise on one backend, over all adapters: how
// many tests passed, or else the first problem or limit.
func (t *table) backend(id, backend string, passed *int) string {
	row, listed := requirementOf(id)
	all := !strings.HasPrefix(id, "SEC") || listed && row.reach == everywhere
	if backend == inHeader && aboutCookies[id] {
		all = false
	}
	sum, remark := 0, ""
	for _, adapter := range adapters {
		c := cell{adapter, backend}
		text := t.show(id, c.String(), t.cells[c][id], t.limits[c][id], all, passed)
		if n, err := strconv.Atoi(text); err == nil {
			sum += n
		} else if text != "–" && (remark == "" || strings.HasPrefix(text, "**")) {
			remark = text
		}
	}
	switch {
	case remark != "":
		return remark
	case sum == 0:
		return "–"
	}
	return strconv.Itoa(sum)
}

// show returns the text of one cell, adds its passed tests to passed, and
// notes what is wrong with it.
func (t *table) show(id, where string, c *count, limit string, required bool, passed *int) string {
	if c == nil {
		c = &count{}
	}
	*passed += c.passed
	slices.Sort(c.bad)
	for _, bad := range c.bad {
		t.problem("%s: %s", id, bad)
	}
	switch {
	case len(c.bad) > 0:
		return "**broken**"
	case c.passed == 0 && required:
		t.problem("%s: no passing test for %s", id, where)
		return "**missing**"
	case c.passed == 0:
		return "–"
	case limit != "":
		return "limited: " + t.note(limit)
	}
	return strconv.Itoa(c.passed)
}

// note returns the number of a footnote; equal ones share it.
func (t *table) note(text string) string {
	i := slices.Index(t.notes, text)
	if i < 0 {
		i = len(t.notes)
		t.notes = append(t.notes, text)
	}
	return strconv.Itoa(i + 1)
}

func (t *table) problem(format string, args ...any) {
	t.problems = append(t.problems, fmt.Sprintf(format, args...))
}

const (
	beginMarker = "<!-- begin: generated by make promises -->"
	endMarker   = "<!-- end: generated by make promises -->"
	newPage     = `# Promises and their tests

**For auditors.** [semantics.md](semantics.md) says what Satchel promises; this page counts the tests that show it.

Each number is how many tests of that promise passed. The adapter suite runs on
every backend in every framework, and each framework needs a test of each promise; "core" counts the unit and store tests.

` + beginMarker + "\n" + endMarker + "\n"
)

// replaceBetweenMarkers puts the table into the page.
func replaceBetweenMarkers(page, table string) (string, error) {
	before, rest, ok := strings.Cut(page, beginMarker)
	if !ok {
		return "", errors.New("has no line " + beginMarker)
	}
	_, after, ok := strings.Cut(rest, endMarker)
	if !ok {
		return "", errors.New("has no line " + endMarker)
	}
	return before + beginMarker + "\n\n" + table + "\n" + endMarker + after, nil
}
