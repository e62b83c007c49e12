// Package runtest builds the programs of examples and runs them for their
// tests.
package runtest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/process"
)

// Build builds the program in the test's own folder, with the race detector if
// the test runs with it, and returns the binary's path.
func Build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and starts a program")
	}
	bin := filepath.Join(t.TempDir(), "program")
	if err := BuildTo(t.Context(), bin, "."); err != nil {
		t.Fatal(err)
	}
	return bin
}

// BuildTo builds the program in a folder to the named file, or those in several
// folders to a folder, whose name ends in a slash. Without debug data, linking takes half as long.
func BuildTo(ctx context.Context, name string, folders ...string) error {
	args := []string{"build", "-ldflags=-s -w", "-o", name}
	if raceEnabled {
		args = append(args, "-race")
	}
	if out, err := exec.CommandContext(ctx, "go", append(args, folders...)...).CombinedOutput(); err != nil { //nolint:gosec // the arguments are above
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// Process is a running program.
type Process struct {
	*process.Process
	URL string // where it listens, as it said itself

	cmd *exec.Cmd
}

// address matches the line that the programs print when they listen.
var address = regexp.MustCompile(`(?m)^(?:listening on|Open) (http://\S+)\n`)

// Start starts a program and waits for the line with its address. If it still
// runs when the test ends, it is killed.
func Start(t *testing.T, bin string, args ...string) *Process {
	t.Helper()
	p := &Process{cmd: exec.CommandContext(context.WithoutCancel(t.Context()), bin, args...)} //nolint:gosec // tests name what they have built
	var err error
	if p.Process, err = process.Start(p.cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if err := p.Await(func() bool {
		found := address.FindStringSubmatch(p.Log())
		if found != nil {
			p.URL = found[1]
		}
		return found != nil
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

// Terminate sends SIGTERM and returns how the program ends; nil is exit status 0.
func (p *Process) Terminate() error {
	p.Stop(syscall.SIGTERM)
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%v\n%s", p.cmd.ProcessState, p.Log())
	}
	return nil
}

// Fail runs a program that must refuse its arguments, and returns its output.
func Fail(t *testing.T, bin string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, bin, args...).CombinedOutput() //nolint:gosec // tests name what they have built
	if err == nil || ctx.Err() != nil {
		t.Fatalf("%v: %v, want a refusal\n%s", args, err, out)
	}
	return string(out)
}
