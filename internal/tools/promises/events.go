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

	// A package's output is held back until the package ends, because packages
	// run in parallel.
	packages map[string]*packageOutput
}

type packageOutput struct {
	own   []string            // not written by a test
	order []string            // tests that have started but not passed
	tests map[string][]string // their output
}

func newPrinter(w io.Writer) *printer {
	return &printer{w: w, packages: map[string]*packageOutput{}}
}

func (p *printer) event(e event) {
	if e.Action == "build-output" || e.Package == "" {
		p.print(e.Output)
		return
	}
	po := p.packages[e.Package]
	if po == nil {
		po = &packageOutput{tests: map[string][]string{}}
		p.packages[e.Package] = po
	}
	if e.Test != "" {
		p.testEvent(po, e)
		return
	}
	switch e.Action {
	case "output":
		if e.Output != "PASS\n" {
			po.own = append(po.own, e.Output)
		}
	case "pass", "fail", "skip":
		p.flush(po, e.Action == "fail")
		delete(p.packages, e.Package)
	}
}

func (p *printer) testEvent(po *packageOutput, e event) {
	switch e.Action {
	case "run":
		po.order = append(po.order, e.Test)
		po.tests[e.Test] = nil
	case "output":
		if !progress(e.Output) {
			po.tests[e.Test] = append(po.tests[e.Test], e.Output)
		}
	case "fail":
		p.failed++
	case "pass", "skip":
		if e.Action == "pass" {
			p.passed++
		} else {
			p.skipped++
		}
		delete(po.tests, e.Test)
		po.order = slices.DeleteFunc(po.order, func(t string) bool { return t == e.Test })
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

// flush prints a package's remaining output. In a failed package, that of tests
// that never ended counts too: it reports a panic or a timeout.
func (p *printer) flush(po *packageOutput, failed bool) {
	if failed {
		for _, t := range po.order {
			for _, line := range po.tests[t] {
				p.print(line)
			}
		}
	}
	for _, line := range po.own {
		p.print(line)
	}
}

// close prints the output of packages that never ended, and the totals.
func (p *printer) close() {
	for _, name := range slices.Sorted(maps.Keys(p.packages)) {
		p.flush(p.packages[name], true)
	}
	p.print(fmt.Sprintf("%d passed, %d failed, %d skipped\n", p.passed, p.failed, p.skipped))
}

func (p *printer) print(s string) {
	// If standard output cannot be written, there is nowhere to report it.
	_, _ = io.WriteString(p.w, s)
}
