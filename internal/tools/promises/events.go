package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is one line of "go test -json"; see "go doc test2json".
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output
	Test       string
	Output     string
}

// readEvents calls f for each event. Lines that are not JSON are passed on as
// output: a test binary that writes to a closed pipe may produce some.
func readEvents(r io.Reader, f func(event)) error {
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				e = event{Action: "output", Output: string(line) + "\n"}
			}
			f(e)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// printer prints events as plain "go test" prints them: one line for each
// package, and everything that a failing test wrote.
type printer struct {
	w                       io.Writer
	passed, failed, skipped int

	// Output is held back, by package and test: packages run in parallel, and what
	// passing tests write is not printed.
	held map[string]map[string]string
}

func newPrinter(w io.Writer) *printer {
	return &printer{w: w, held: map[string]map[string]string{}}
}

func (p *printer) event(e event) {
	if e.Action == "build-output" || e.Package == "" {
		p.print(e.Output)
		return
	}
	tests := p.held[e.Package]
	if tests == nil {
		tests = map[string]string{}
		p.held[e.Package] = tests
	}
	switch {
	case e.Action == "output" && e.Output != "PASS\n" && !progress(e.Output):
		tests[e.Test] += e.Output
	case e.Action == "fail" && e.Test != "":
		p.failed++
	case e.Action == "pass" && e.Test != "":
		p.passed++
		delete(tests, e.Test)
	case e.Action == "skip" && e.Test != "":
		p.skipped++
		delete(tests, e.Test)
	case e.Action == "fail":
		p.flush(e.Package)
	case e.Action == "pass", e.Action == "skip":
		p.print(tests[""])
		delete(p.held, e.Package)
	}
}

// progress reports whether only "go test -v" prints a line.
func progress(line string) bool {
	for _, prefix := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

// flush prints what is left of a package that failed, its own output last. Tests that
// never ended are among it: they report a panic or a timeout.
func (p *printer) flush(name string) {
	tests := p.held[name]
	for _, test := range slices.Sorted(maps.Keys(tests)) {
		if test != "" {
			p.print(tests[test])
		}
	}
	p.print(tests[""])
	delete(p.held, name)
}

// close prints the output of packages that never ended, and the totals.
func (p *printer) close() {
	for _, name := range slices.Sorted(maps.Keys(p.held)) {
		p.flush(name)
	}
	p.print(fmt.Sprintf("%d passed, %d failed, %d skipped\n", p.passed, p.failed, p.skipped))
}

func (p *printer) print(s string) {
	// If standard output cannot be written, there is nowhere to report it.
	_, _ = io.WriteString(p.w, s)
}
