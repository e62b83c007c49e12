package chaos

import (
	"cmp"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var judge = flag.String("judge", "", "mutations to find, as in testdata/judge.txt, separated by semicolons; all: those there")

// judged is how long each mutation has to show itself.
const judged = 20 * time.Second

// overlay writes the files of a mutation and returns the path of what go build -overlay takes.
// The format is that of internal/tools/mutate.
func overlay(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "mutations", name+".patch"))
	if err != nil {
		t.Fatal(err)
	}
	_, diff, _ := strings.Cut(string(text), "\n\n")
	replace := map[string]string{}
	for _, part := range strings.Split("\n"+diff, "\n--- ")[1:] {
		file, hunks, _ := strings.Cut(part, "\n")
		path, err := filepath.Abs(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := string(source)
		for _, hunk := range strings.Split("\n"+hunks, "\n@@")[1:] {
			_, lines, _ := strings.Cut(hunk, "\n")
			var before, after strings.Builder
			for _, line := range strings.Split(strings.TrimSuffix(lines, "\n"), "\n") {
				rest := "\n"
				if line != "" {
					rest = line[1:] + "\n"
				}
				if !strings.HasPrefix(line, "+") {
					before.WriteString(rest)
				}
				if !strings.HasPrefix(line, "-") {
					after.WriteString(rest)
				}
			}
			if strings.Count(at, before.String()) != 1 {
				t.Fatalf("%s does not apply to %s", name, file)
			}
			at = strings.Replace(at, before.String(), after.String(), 1)
		}
		for _, line := range strings.Split(at, "\n") { // what the patch no longer uses
			name := strings.Trim(line, "\t\"")
			version := regexp.MustCompile(`/v[0-9]+$`).MatchString(name) // its package has another name
			if !version && line == "\t\""+name+"\"" && !strings.Contains(at, name[strings.LastIndex(name, "/")+1:]+".") {
				at = strings.Replace(at, line, "\t_ "+line[1:], 1)
			}
		}
		mutated := filepath.Join(t.TempDir(), filepath.Base(file))
		if err := os.WriteFile(mutated, []byte(at), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[path] = mutated
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestJudge runs the referee on probes that each break a promise. It must find each, or find
// that it cannot judge; in "none" it must find nothing. A line of the list is the mutation,
// the store, and the only faults, separated by commas.
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
	for _, line := range lines {
		fields := append(strings.SplitN(line, " ", 3), "", "")
		name, store, faults := fields[0], fields[1], fields[2]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := ""
			if name != "none" {
				files = overlay(t, name)
			}
			w := newWorld(t, cmp.Or(store, "redis-aof"), build(t, files))
			w.first = name != "none"
			if faults != "" {
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
			switch found := len(r.Violations) > 0; {
			case found != (name != "none") || err != nil && !found:
				t.Fatalf("found %v, error %v\n%s", r.Violations, err, r)
			case found:
				t.Logf("caught by %v, such as %.300s", byRule(r.Violations), r.Violations[0])
			}
		})
	}
}
