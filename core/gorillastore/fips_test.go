package gorillastore

import (
	"testing"

	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// TestK1CompatibleComparesWithoutSHA1 runs the scripts as they are run where
// FIPS 140 forbids SHA-1: with all of what was loaded in place of its sum.
func TestK1CompatibleComparesWithoutSHA1(t *testing.T) {
	server := redistest.Shared(t)
	backend, _, prefix := compatibleOn(t, server)
	b, ok := backend.(*compatible)
	if !ok {
		t.Fatalf("%T", backend)
	}
	const loaded, stranger = "= bytes\x00", "= other"
	server.MustDo("SET", prefix+"token", loaded, "EX", "100")
	for _, step := range []struct {
		name   string
		script *goredisstore.Script
		args   []any
		want   int64
		left   string
	}{
		{"replace what has changed", replaceScript, []any{"=" + stranger, "new", 60_000, "0"}, 0, loaded},
		{"replace", replaceScript, []any{"=" + loaded, "new", 60_000, "0"}, 1, "new"},
		{"remove what has changed", removeScript, []any{"=" + loaded}, 0, "new"},
		{"remove", removeScript, []any{"=new"}, 1, ""},
	} {
		got, err := b.run(t.Context(), step.script, "token", step.args...)
		left, _ := server.MustDo("GET", prefix+"token").(string)
		if err != nil || got != step.want || left != step.left {
			t.Errorf("%s: %v, %v, and %q is left", step.name, got, err, left)
		}
	}
}
