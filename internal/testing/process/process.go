// Package process runs servers as processes for tests and tools: they end with the
// process that started them, however that ends, and are stopped by process ID.
package process

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Process is a running program. It is safe for concurrent use.
type Process struct {
	cmd  *exec.Cmd
	log  *tail
	done chan struct{} // closed once Wait has returned
	once sync.Once
	free func() // releases the guard that kills it when this process dies
}

// Start starts cmd and keeps the start and the end of its output. It takes cmd over.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, log: &tail{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	endWithParent(cmd)
	started := make(chan error)
	go func() {
		// The kernel's "parent" is the thread, so this one must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	var err error
	if p.free, err = guard(cmd.Process.Pid); err != nil {
		p.free = func() {}
		p.Kill()
		return nil, fmt.Errorf("guard %s: %w", cmd.Path, err)
	}
	return p, nil
}

// PID returns the process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log returns the first 4 KiB of the output, and the last 12.
func (p *Process) Log() string { return p.log.String() }

// Kill ends the process at once, even if it is suspended, and waits until it is
// gone. Killing it again does nothing.
func (p *Process) Kill() {
	p.once.Do(func() {
		p.free()
		_ = p.cmd.Process.Kill()
	})
	<-p.done
}

// Stop sends sig, waits until the process is gone, and kills it after 10 seconds.
func (p *Process) Stop(sig os.Signal) {
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
	}
	p.Kill()
}

// Suspend stops the process from running until [Process.Resume].
func (p *Process) Suspend() error { return suspend(p.cmd.Process) }

// Resume lets a suspended process go on.
func (p *Process) Resume() error { return resume(p.cmd.Process) }

// Ended reports whether the process is gone.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Await polls until ready holds. It is an error, with the output, if the process
// ends first or that takes longer than 20 seconds; then the process is killed.
func (p *Process) Await(ready func() bool) error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		switch {
		case p.Ended():
			p.Kill()
			return fmt.Errorf("%s ended at its start:\n%s", p.cmd.Path, p.log)
		case ready():
			return nil
		case time.Now().After(deadline):
			p.Kill()
			return fmt.Errorf("%s does not answer:\n%s", p.cmd.Path, p.log)
		}
	}
}

// tail keeps the start and the end of a server's output, for failures.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	const start, most = 4 << 10, 16 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - most; over > 0 {
		t.buf = slices.Delete(t.buf, start, start+over)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

// FreePort finds a free loopback port; the one ten thousand above, the bus port in
// a Redis cluster, is free too. Both are below the ports that systems give to
// outgoing connections, so that none of those takes the port while a server
// restarts.
func FreePort() (int, error) {
	for range 100 {
		port := 10_000 + rand.IntN(12_000)
		if portFree(port) && portFree(port+10_000) {
			return port, nil
		}
	}
	return 0, errors.New("found no free port")
}

func portFree(port int) bool {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
