package cli_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

var update = flag.Bool("update", false, "rewrite testdata")

// golden runs the commands in a file of testdata, each on a line that begins with $, and
// compares what they print with what follows. Lines of talk begin with ">"; a list of all
// sessions is in the order of names.
func (w *world) golden(file string) {
	w.t.Helper()
	path := "testdata/" + file
	want, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	var got strings.Builder
	mask := strings.NewReplacer(w.masks...)
	for line := range strings.Lines(string(want)) {
		command, ok := strings.CutPrefix(line, "$ satchel ")
		if !ok {
			continue
		}
		out, talk, code := w.run(w.t.Context(), command)
		lines := strings.SplitAfter(mask.Replace(out), "\n")
		if strings.Contains(command, "--all") {
			slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(key(a), key(b)) })
		}
		fmt.Fprintf(&got, "$ satchel %s%s", command, strings.Join(lines, ""))
		for line := range strings.Lines(mask.Replace(talk)) {
			fmt.Fprint(&got, "> ", line)
		}
		if code != 0 {
			fmt.Fprintf(&got, "exit %d\n", code)
		}
		got.WriteString("\n")
	}
	if *update {
		err = os.WriteFile(path, []byte(got.String()), 0o644)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	if got.String() != string(want) && !*update {
		have, old := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
		for i := range min(len(have), len(old)) {
			if have[i] != old[i] {
				w.t.Fatalf("%s:%d: got\n%s\nwant\n%s", path, i+1, strings.Join(have[i:min(i+5, len(have))], "\n"), old[i])
			}
		}
		w.t.Errorf("%s: %d lines, want %d", path, len(have), len(old))
	}
}

// key begins with the name of a session, if the line has one.
func key(line string) string {
	if _, name, ok := strings.Cut(line, "@"); ok {
		return "@" + name
	}
	return ""
}
