package adaptertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/internal/testing/recorder"
)

// Record runs the case called name and returns whether it failed, and its output.
func Record(t *testing.T, name string, newApp NewApp, b Backend) (failed bool, said string) {
	t.Helper()
	cases := casesFor(b)
	i := slices.IndexFunc(cases, func(c testCase) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no case %q", name)
	}
	r := recorder.Run(t, func(r *recorder.Recorder) { runCase(t, r, cases[i], newApp, b) })
	return r.Failed(), r.Said()
}

// Why returns the explanation of a case.
func Why(name string) string {
	for _, c := range allCases() {
		if c.name == strings.TrimSuffix(name, atOnce) {
			return c.why
		}
	}
	return ""
}
