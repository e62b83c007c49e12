package main

import (
	"fmt"
	"io"
	"strings"
)

// newTable prints the head of a table, and returns a function that prints its rows.
func newTable(w io.Writer, all []mutation) func(result) {
	name, promise, test := len("mutation"), len("promise"), len("caught by")
	for _, m := range all {
		name = max(name, len(m.name))
		promise = max(promise, len(strings.Join(m.promises, " ")))
		for _, t := range m.tests {
			test = max(test, len(t.String()))
		}
	}
	row := func(cells ...any) { fmt.Fprintf(w, "%-*s  %-*s  %-*s  %s\n", cells...) }
	row(promise, "promise", name, "mutation", test, "caught by", "in")
	return func(r result) {
		took := fmt.Sprintf("%.1fs", r.took.Seconds())
		if r.err != nil {
			took = "NOT CAUGHT"
		}
		row(promise, strings.Join(r.mutation.promises, " "), name, r.mutation.name, test, r.test.String(), took)
	}
}

func (t target) String() string { return t.pkg + " " + t.name }

// faults says what was not caught, and why.
func faults(results []result) (problems []string) {
	for _, r := range results {
		if r.err != nil {
			problems = append(problems, fmt.Sprintf("%s (%s): %v", r.mutation.name, r.mutation.breaks, r.err))
		}
	}
	return problems
}
