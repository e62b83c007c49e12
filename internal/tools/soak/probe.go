package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/satchel-go/satchel/internal/testing/process"
)

// probe is a running probe.
type probe struct {
	*process.Process
	url, debug string
	client     *http.Client
	look       func(*sample) error // adds what the store says
}

// startProbe starts a probe on a store and waits until it listens.
func startProbe(ctx context.Context, program string, t target, args ...string) (*probe, error) {
	args = append(args, "-store", t.url, "-addr", "127.0.0.1:0", "-debug", "127.0.0.1:0", "-insecure")
	started, err := process.Start(exec.CommandContext(context.WithoutCancel(ctx), program, args...))
	if err != nil {
		return nil, err
	}
	p := &probe{Process: started, client: &http.Client{Timeout: 30 * time.Second}, look: t.look}
	return p, p.Await(func() bool {
		p.url, p.debug = p.says("listening on "), p.says("debug on ")
		return p.url != "" && p.debug != ""
	})
}

// says returns the rest of the line that begins so, "" if there is none yet.
func (p *probe) says(begin string) string {
	for line := range strings.Lines(p.Log()) {
		if rest, ok := strings.CutPrefix(line, begin); ok && strings.HasSuffix(rest, "\n") {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// stop ends the process, by force if it takes long.
func (p *probe) stop() {
	p.client.CloseIdleConnections()
	p.Stop(syscall.SIGTERM)
}

// ended says how the process ended, nil if it still runs.
func (p *probe) ended() error {
	time.Sleep(100 * time.Millisecond) // a failed request may have come before
	if !p.Ended() {
		return nil
	}
	return fmt.Errorf("the probe has ended:\n%s", p.Log())
}

// sample is the state of a process at one moment. A figure unknown here is -1.
type sample struct {
	heap       int // bytes, after a collection
	rss        int // bytes
	goroutines int
	files      int
	sessions   int
	allowed    int // of sessions, by what the load has begun

	size        int // of the store, in bytes
	connections int // to its server

	at                time.Duration // since the load began
	created, requests int           // since then
	recent            int           // created so recently that they can be in the store
	p50, p99, slowest int           // microseconds that requests took since the last sample
}

func mega(n int) string {
	if n < 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// sample asks the process and, about it, the system.
func (p *probe) sample(ctx context.Context) (s sample, err error) {
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
	s = sample{heap: v.Heap, goroutines: v.Goroutines, sessions: v.Sessions, rss: -1, files: -1, size: -1, connections: -1}
	if err := p.look(&s); err != nil {
		return s, err
	}
	if runtime.GOOS != "linux" {
		return s, nil // no /proc
	}
	folder := fmt.Sprintf("/proc/%d/", p.PID())
	files, err := os.ReadDir(folder + "fd")
	if err != nil {
		return s, err
	}
	statm, err := os.ReadFile(folder + "statm")
	if err != nil {
		return s, err
	}
	s.files = len(files)
	_, err = fmt.Sscan(string(statm), new(int), &s.rss) // in pages
	s.rss *= os.Getpagesize()
	return s, err
}

// settle waits, for a limited time, until everything is as before the load.
func (p *probe) settle(ctx context.Context, before sample, l *load) (s sample, err error) {
	for deadline := time.Now().Add(grace); ; {
		if s, err = p.sample(ctx); err != nil || len(leftOver(before, s, l.workers)) == 0 || time.Now().After(deadline) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}
