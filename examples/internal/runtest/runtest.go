// Package runtest builds the programs of examples and runs them for their
// tests.
package runtest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Build builds the program in the test's own folder, with the race detector if
// the test runs with it, and returns the binary's path.
func Build(t *testing.T) string {
	t.Helper()
	return BuildIn(t, ".")
}

// BuildIn builds the program in another folder, such as "../echo".
func BuildIn(t *testing.T, folder string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and starts a program")
	}
	bin := filepath.Join(t.TempDir(), "program")
	if err := BuildTo(t.Context(), bin, folder); err != nil {
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
	URL string // where it listens, as it said itself

	t      *testing.T
	cmd    *exec.Cmd
	stderr *output
	ended  chan struct{} // closed when it has ended
	err    error         // how
}

// address matches the line that the programs print when they listen.
var address = regexp.MustCompile(`^(?:listening on|Open) (http://\S+)$`)

// Start starts a program and waits for the line with its address. If it still
// runs when the test ends, it is killed.
func Start(t *testing.T, bin string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, stderr: new(output), ended: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), bin, args...) //nolint:gosec // tests name what they have built
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1)
	go func() {
		defer close(p.ended)
		scanner := bufio.NewScanner(stdout)
		if scanner.Scan() {
			lines <- scanner.Text()
		}
		for scanner.Scan() { // so that the program never waits for a reader
		}
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
	})
	select {
	case line := <-lines:
		found := address.FindStringSubmatch(line)
		if found == nil {
			t.Fatalf("the program's first line is %q, want its address", line)
		}
		p.URL = found[1]
	case <-p.ended:
		t.Fatalf("the program has ended: %v\n%s", p.err, p.Stderr())
	case <-time.After(30 * time.Second):
		t.Fatal("the program does not say where it listens")
	}
	return p
}

// Terminate sends SIGTERM.
func (p *Process) Terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// Kill sends SIGKILL.
func (p *Process) Kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
}

// Wait returns how the program ended; nil is exit status 0.
func (p *Process) Wait() error {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.err
	case <-time.After(30 * time.Second):
		p.t.Fatal("the program does not end")
		return nil
	}
}

// Stderr returns what the program has written to it so far.
func (p *Process) Stderr() string { return p.stderr.String() }

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

// output is a buffer that can be read while a process writes to it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
