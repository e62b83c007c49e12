package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running probe.
type process struct {
	url, debug string
	cmd        *exec.Cmd
	output     *bytes.Buffer // read it only after the process has ended
	over       chan struct{}
	err        error // how it ended
	client     *http.Client
	count      func(ctx context.Context) (int, error)
}

// startProbe starts a probe and waits until it listens.
func startProbe(ctx context.Context, program string, args ...string) (*process, error) {
	p := &process{over: make(chan struct{}), output: new(bytes.Buffer), client: &http.Client{Timeout: 30 * time.Second}}
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, args...)
	p.cmd.Stderr = limited{p.output}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	lines := make(chan string, 2)
	go func() {
		defer close(p.over)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			select {
			case lines <- scanner.Text():
			default: // nothing reads more than two
			}
		}
		p.err = p.cmd.Wait()
	}()
	for _, want := range []struct {
		prefix string
		into   *string
	}{{"listening on ", &p.url}, {"debug on ", &p.debug}} {
		select {
		case line := <-lines:
			rest, ok := strings.CutPrefix(line, want.prefix)
			if !ok {
				p.stop()
				return nil, fmt.Errorf("the probe says %q, want %q", line, want.prefix)
			}
			*want.into = rest
		case <-p.over:
			return nil, fmt.Errorf("the probe has ended: %w\n%s", p.err, p.output)
		case <-time.After(30 * time.Second):
			p.stop()
			return nil, errors.New("the probe does not say where it listens")
		}
	}
	return p, nil
}

// limited keeps the start of the probe's complaints.
type limited struct{ buf *bytes.Buffer }

func (l limited) Write(b []byte) (int, error) {
	l.buf.Write(b[:min(len(b), max(0, 64<<10-l.buf.Len()))])
	return len(b), nil
}

// stop ends the process, by force if it takes long.
func (p *process) stop() {
	p.client.CloseIdleConnections()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.over:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.over
	}
}

// ended says how the process ended, nil if it still runs.
func (p *process) ended() error {
	select {
	case <-p.over:
		return fmt.Errorf("the probe has ended: %w\n%s", p.err, p.output)
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}

// sample is the state of a process at one moment. A figure unknown here is -1.
type sample struct {
	heap       int // bytes, after a collection
	rss        int // bytes
	goroutines int
	files      int
	sessions   int
	allowed    int // of sessions, by what the load has begun
}

func (s sample) String() string {
	return fmt.Sprintf("heap %s, RSS %s, %d goroutines, %d files, %d sessions", mega(s.heap), mega(s.rss), s.goroutines, s.files, s.sessions)
}

func mega(n int) string {
	if n < 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// sample asks the process and, about it, the system.
func (p *process) sample(ctx context.Context) (s sample, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.debug, nil)
	if err != nil {
		return s, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return s, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	var v struct{ Goroutines, Heap, Sessions int }
	if err := json.NewDecoder(response.Body).Decode(&v); err != nil {
		return s, err
	}
	s = sample{heap: v.Heap, goroutines: v.Goroutines, sessions: v.Sessions, rss: -1, files: -1}
	if p.count != nil {
		if s.sessions, err = p.count(ctx); err != nil {
			return s, err
		}
	}
	if runtime.GOOS != "linux" {
		return s, nil // no /proc
	}
	folder := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	files, err := os.ReadDir(folder + "fd")
	if err != nil {
		return s, err
	}
	status, err := os.ReadFile(folder + "status")
	if err != nil {
		return s, err
	}
	s.files = len(files)
	s.rss, err = rssIn(string(status))
	return s, err
}

// rssIn reads the resident memory in /proc/PID/status.
func rssIn(status string) (int, error) {
	for line := range strings.Lines(status) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kB, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")))
			return kB << 10, err
		}
	}
	return 0, errors.New("no VmRSS in the process's status")
}

// settle waits, for a limited time, until everything is as before the load.
func (p *process) settle(ctx context.Context, before sample, l *load) (s sample, err error) {
	for deadline := time.Now().Add(grace); ; {
		if s, err = p.sample(ctx); err != nil || len(unsettled(before, s, l.workers)) == 0 || time.Now().After(deadline) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}
