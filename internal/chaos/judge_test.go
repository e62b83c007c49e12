package chaos

import (
	"cmp"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var judge = flag.String("judge", "", "mutations to find, as in testdata/judge.txt, separated by semicolons; all: those there")

// judged is how long each mutation has to show itself.
const judged = 20 * time.Second

// mutants builds the probe with all mutations of the list, and returns how to make a program
// of it that has one of them, or none.
func mutants(t *testing.T, names []string) func(t *testing.T, name string) (program string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./internal/tools/mutate",
		"-overlay", dir, "-run", "^("+strings.Join(names, "|")+")$")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(cmd.Environ(), "GOWORK=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the mutations: %v\n%s", err, out)
	}
	together := build(t, filepath.Join(dir, "overlay.json"))
	return func(t *testing.T, name string) string {
		t.Helper()
		own := filepath.Join(dir, name, "overlay.json")
		if _, err := os.Stat(own); err == nil {
			return build(t, own)
		}
		program := filepath.Join(t.TempDir(), "probe")
		script := "#!/bin/sh\nSATCHEL_MUTATION=" + name + " exec " + together + " \"$@\"\n"
		if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		return program
	}
}

// TestJudge runs the referee on probes that each break a promise. It must find each, and in
// "none" nothing, on every store. A line of the list is the mutation, the store, the only
// faults, separated by commas ("-": none, "all"), and the rules that may find it, separated
// by slashes; without them, any may.
func TestJudge(t *testing.T) {
	if *judge == "" {
		t.Skip("make chaos-judge runs it")
	}
	lines := strings.Split(*judge, ";")
	if *judge == "all" {
		text, err := os.ReadFile(filepath.Join("testdata", "judge.txt"))
		if err != nil {
			t.Fatal(err)
		}
		lines = strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	idle = 5 * time.Second // no fault of the judge's lasts nearly as long
	names := make([]string, len(lines))
	for i, line := range lines {
		names[i], _, _ = strings.Cut(line, " ")
	}
	mutated := mutants(t, names)
	for _, line := range lines {
		fields := append(strings.SplitN(line, " ", 4), "", "", "")
		name, store, faults, rules := fields[0], cmp.Or(fields[1], "redis-aof"), fields[2], fields[3]
		t.Run(name+" on "+store, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, store, mutated(t, name))
			w.first = name != "none"
			if rules != "" {
				w.fits = strings.Split(rules, "/")
			}
			if faults != "" && faults != "all" {
				only := strings.Split(faults, ",")
				w.faults = slices.DeleteFunc(w.faults, func(f Fault) bool { return !slices.Contains(only, f.Name) })
				if len(w.faults) != len(only) && faults != "-" {
					t.Fatalf("unknown faults in %q", faults)
				}
			}
			r, err := w.Run(t.Context(), *browsers, judged)
			if err == nil && len(r.Violations) == 0 {
				var alive []Violation
				alive, err = w.RevokeAll()
				r.Violations = append(r.Violations, alive...)
			}
			switch found := slices.ContainsFunc(r.Violations, func(v Violation) bool {
				return w.fits == nil || slices.Contains(w.fits, v.Rule)
			}); {
			case found != (name != "none") || err != nil && !found:
				t.Fatalf("found %v, error %v\n%s", r.Violations, err, r)
			case found:
				t.Logf("caught by %v, such as %.300s", byRule(r.Violations), r.Violations[0])
			}
		})
	}
}
