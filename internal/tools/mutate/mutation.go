package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// suffix is the file name extension of mutations.
const suffix = ".patch"

// mutation is one way to break a promise. Its file has a header, and then a
// unified diff. Hunks need no line numbers, because the lines that they remove or
// keep must be in the file exactly once:
//
//	promise: C2 SEC23
//	breaks: an unchanged session is written anyway
//	test: ./core/httpadapter TestConformance/nethttp/memory/C2_setting_the_same_value_is_no_change
//
//	--- core/plan.go
//	@@
//	-	if !p.changed {
//	+	if false {
//	 		return p, nil
//
// There may be several tests, each on its own line. Each must catch the mutation.
type mutation struct {
	name     string
	promises []string // of the table, or commit points of adapters: "echo/flush"
	breaks   string
	tests    []target
	edits    []edit
}

// target is a test: its package, relative to the root, and its full name.
type target struct{ pkg, name string }

// pattern makes -test.run choose only this test.
func (t target) pattern() string {
	parts := strings.Split(t.name, "/")
	for i := range parts {
		parts[i] = "^" + parts[i] + "$"
	}
	return strings.Join(parts, "/")
}

// edit is what changes in one file.
type edit struct {
	file  string
	hunks []hunk
}

type hunk struct{ old, new string }

// readMutations reads all mutations of a folder, by name.
func readMutations(dir string) ([]mutation, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no mutations in %s", dir)
	}
	slices.Sort(files)
	all := make([]mutation, 0, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		m, err := parseMutation(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		m.name = strings.TrimSuffix(filepath.Base(file), suffix)
		all = append(all, m)
	}
	return all, nil
}

func parseMutation(text string) (m mutation, err error) {
	header, diff, ok := strings.Cut(text, "\n\n")
	if !ok {
		return m, errors.New("want a header, an empty line and a diff")
	}
	for line := range strings.SplitSeq(header, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "promise":
			m.promises = strings.Fields(value)
		case "breaks":
			m.breaks = value
		case "test":
			pkg, name, _ := strings.Cut(value, " ")
			if !strings.HasPrefix(pkg, "./") || !strings.HasPrefix(name, "Test") {
				return m, fmt.Errorf("test: want \"./package TestName\", not %q", value)
			}
			m.tests = append(m.tests, target{pkg, name})
		default:
			return m, fmt.Errorf("unknown header line %q", line)
		}
	}
	if len(m.promises) == 0 || m.breaks == "" || len(m.tests) == 0 {
		return m, errors.New("want promise, breaks and test in the header")
	}
	m.edits, err = parseDiff(diff)
	return m, err
}

func parseDiff(diff string) (edits []edit, err error) {
	var at *edit
	for line := range strings.Lines(diff) {
		if file, ok := strings.CutPrefix(line, "--- "); ok {
			edits = append(edits, edit{file: strings.TrimSpace(file)})
			at = &edits[len(edits)-1]
			continue
		}
		if at == nil {
			return nil, fmt.Errorf("want \"--- file\" before %q", line)
		}
		if strings.HasPrefix(line, "@@") {
			at.hunks = append(at.hunks, hunk{})
			continue
		}
		if len(at.hunks) == 0 {
			return nil, fmt.Errorf("want \"@@\" before %q", line)
		}
		h := &at.hunks[len(at.hunks)-1]
		switch rest := line[1:]; line[0] {
		case '-':
			h.old += rest
		case '+':
			h.new += rest
		case ' ':
			h.old += rest
			h.new += rest
		case '\n': // an empty line of context without its blank
			h.old += line
			h.new += line
		default:
			return nil, fmt.Errorf("want a blank, + or - in front of %q", line)
		}
	}
	for _, e := range edits {
		for _, h := range e.hunks {
			if h.old == "" || h.old == h.new {
				return nil, fmt.Errorf("a hunk of %s changes nothing or has no context", e.file)
			}
		}
		if len(e.hunks) == 0 {
			return nil, fmt.Errorf("no hunks for %s", e.file)
		}
	}
	if len(edits) == 0 {
		return nil, errors.New("the diff is empty")
	}
	return edits, nil
}

// apply returns source with the edit made.
func (e edit) apply(source string) (string, error) {
	for _, h := range e.hunks {
		text, old := "\n"+source, "\n"+h.old
		at := strings.Index(text, old)
		switch {
		case at < 0:
			return "", fmt.Errorf("does not apply: %s has no such lines:\n%s", e.file, h.old)
		case strings.Contains(text[at+1:], old):
			return "", fmt.Errorf("does not apply: %s has these lines more than once:\n%s", e.file, h.old)
		}
		source = source[:at] + h.new + source[at+len(h.old):]
	}
	return source, nil
}
