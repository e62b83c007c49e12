// Command soak runs the probe under load, in each framework, and fails if
// anything grows: heap, the process's memory, goroutines and open files must stay
// flat, and sessions must not pile up.
//
//	go run ./internal/tools/soak -duration 10m
//
// It builds the probe, starts one for each store, and stops what it started. With
// redis-server in PATH, a second probe runs on its own Redis, beside the one that
// keeps sessions in memory. Run soak in the top folder.
//
// With -sessions, so many are begun on each store, most of which are never used again;
// as they expire, the store must stay as large as it is, and be empty at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// plan is the command line's settings.
type plan struct {
	duration   time.Duration // of the load, for each framework
	frameworks []string
	stores     []string
	workers    int
	sessions   int    // for each store, 0 for a mix of requests
	out        string // the file for the figures about sessions

	folder string // for built and written files
	probe  string // the program
}

func main() {
	var p plan
	flag.DurationVar(&p.duration, "duration", 10*time.Minute, "duration of the load in each framework; 10s at least")
	frameworks := flag.String("frameworks", "nethttp,echo5,echo,gin,fiber3,fiber", "which")
	stores := flag.String("stores", "memory,redis", "of memory, file, redis and postgres")
	flag.IntVar(&p.workers, "workers", 16, "clients of each probe")
	flag.IntVar(&p.sessions, "sessions", 0, "begin so many sessions on each store, each in one framework, instead of a mix of requests")
	flag.StringVar(&p.out, "o", os.DevNull, "`file` for what was measured with -sessions")
	flag.Parse()
	p.frameworks, p.stores = strings.Split(*frameworks, ","), strings.Split(*stores, ",")
	os.Exit(sqltest.Main(p))
}

// Run returns the exit code.
func (p plan) Run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := p.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		return 1
	}
	return 0
}

func (p plan) run(ctx context.Context) (err error) {
	if p.duration < 10*time.Second {
		return errors.New("-duration: 10s at least, or there is nothing to compare")
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		fmt.Println("soak: without Redis: no redis-server in PATH")
		p.stores = slices.DeleteFunc(p.stores, func(store string) bool { return store == "redis" })
	}
	if p.folder, err = os.MkdirTemp("", "satchel-soak-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.folder)) }()
	p.probe = filepath.Join(p.folder, "probe")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", p.probe, "./examples/probe").CombinedOutput(); err != nil {
		return fmt.Errorf("build the probe: %w\n%s", err, out)
	}
	if p.sessions > 0 {
		return p.endure(ctx)
	}
	var settled sync.WaitGroup
	var mu sync.Mutex
	var failures []error
	for _, framework := range p.frameworks {
		var loaded sync.WaitGroup
		for _, store := range p.stores {
			loaded.Add(1)
			done := sync.OnceFunc(loaded.Done)
			settled.Go(func() {
				defer done()
				if err := p.soak(ctx, framework, store, done); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failures = append(failures, fmt.Errorf("%s on %s: %w", framework, store, err))
				}
			})
		}
		loaded.Wait() // those before settle meanwhile: that takes no load, but longer than a short one
	}
	settled.Wait()
	return errors.Join(failures...)
}

const (
	idle  = 2 * time.Second // after which abandoned sessions end
	kept  = time.Minute     // how much longer stores keep them, see core.Record.KeepUntil
	sweep = time.Second     // how often they are removed from memory

	warmUp = 0.25 // of the load, before which nothing is compared
	grace  = kept + 20*time.Second
)

// soak runs one framework on one store. It calls loaded when the load is over.
func (p plan) soak(ctx context.Context, framework, store string, loaded func()) error {
	target, err := p.open(store, sweep)
	if err != nil {
		return err
	}
	defer target.stop()
	probe, err := startProbe(ctx, p.probe, target, "-framework", framework, "-idle", idle.String())
	if err != nil {
		return err
	}
	defer probe.stop()
	before, err := probe.sample(ctx)
	if err != nil {
		return err
	}

	l := newLoad(probe.url, p.workers)
	loading, cancel := context.WithTimeout(ctx, p.duration)
	defer cancel()
	go l.run(loading)
	samples, err := p.watch(ctx, loading, probe, l)
	if err != nil {
		return errors.Join(err, probe.ended())
	}
	<-l.done
	loaded()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	after, err := probe.settle(ctx, before, l)
	if err != nil {
		return errors.Join(err, probe.ended())
	}
	var text strings.Builder // printed at once: others settle at the same time
	_, _ = fmt.Fprintf(&text, "%-8s %-7s %s\n", framework, store, l.summary())
	report(&text, before, samples, after)
	fmt.Print(text.String())
	return errors.Join(errors.Join(judge(before, samples, after, l)...), l.verdict())
}

// watch samples the process until the load is over. The end of loading must not cut a
// sample short, which would look like a failure.
func (p plan) watch(ctx, loading context.Context, probe *probe, l *load) (samples []sample, err error) {
	ticks := time.NewTicker(max(p.duration/40, 250*time.Millisecond))
	defer ticks.Stop()
	begin := time.Now()
	for {
		select {
		case <-loading.Done():
			return samples, nil
		case <-ticks.C:
		}
		s, err := probe.sample(ctx)
		if err != nil {
			return samples, err
		}
		if loading.Err() != nil {
			return samples, nil
		}
		s.allowed = l.recentlyBegun(time.Now()) + p.workers + users
		if time.Since(begin) > time.Duration(warmUp*float64(p.duration)) {
			samples = append(samples, s)
		}
	}
}
