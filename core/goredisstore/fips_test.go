package goredisstore_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestFIPSStarts: under enforced FIPS 140, a program must not exit because it
// imports this package. "make test-fips" shows what else works there.
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
