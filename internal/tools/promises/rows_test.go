package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestPromisesAreThoseOfTheDocs keeps the rows in step with what the
// documentation promises.
func TestPromisesAreThoseOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../../docs/semantics.md")
	if err != nil {
		t.Fatal(err)
	}
	var promised []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "## Client-side sessions") {
			break // the promises that they do not keep
		}
		if rest, ok := strings.CutPrefix(line, "- **"); ok {
			id, _, _ := strings.Cut(rest, "**")
			if slices.Equal(idsOf(id), []string{id}) {
				promised = append(promised, id)
			}
		}
	}
	if !slices.Equal(promised, corePromises) {
		t.Errorf("docs/semantics.md promises %q, and tests are wanted for %q", promised, corePromises)
	}
}
