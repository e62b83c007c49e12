package goredisstore_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestFIPSStarts: where FIPS 140 is enforced, a program must not end because it
// imports this package. What else works there, "make test-fips" shows.
func TestFIPSStarts(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%.2000s", err, out)
	}
}
