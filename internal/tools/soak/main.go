// Command soak runs the probe under load, in each framework, and fails if it
// does not stay as it was: heap, memory of the process, goroutines and open files
// must be flat, and sessions must not pile up.
//
//	go run ./internal/tools/soak -duration 10m
//
// It builds the probe, starts one for each store and stops what it has started.
// With redis-server in PATH, a second probe runs beside the one that keeps
// sessions in memory, on a Redis of its own. Run it in the top folder.
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
	"strings"
	"sync"
	"syscall"
	"time"
)

// plan is what the command line says.
type plan struct {
	duration   time.Duration // of the load, for each framework
	frameworks []string
	stores     []string
	rate       int // requests a second, for each probe
	workers    int
	verbose    bool

	folder string // for what is built and written
	probe  string // the program
}

func main() {
	var p plan
	flag.DurationVar(&p.duration, "duration", 10*time.Minute, "of the load, for each framework; 10s at least")
	frameworks := flag.String("frameworks", "nethttp,echo,gin,fiber", "which")
	stores := flag.String("stores", "memory,redis", "memory, redis or both; redis needs redis-server in PATH")
	flag.IntVar(&p.rate, "rate", 400, "requests a second, for each probe")
	flag.IntVar(&p.workers, "workers", 16, "clients, for each probe")
	flag.BoolVar(&p.verbose, "v", false, "print every sample")
	flag.Parse()
	p.frameworks, p.stores = strings.Split(*frameworks, ","), strings.Split(*stores, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := p.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		stop()
		os.Exit(1) //nolint:gocritic // nothing is left to be done
	}
}

func (p plan) run(ctx context.Context) (err error) {
	if p.duration < 10*time.Second {
		return errors.New("-duration: 10s at least, or there is nothing to compare")
	}
	if p.folder, err = os.MkdirTemp("", "satchel-soak-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.folder)) }()
	p.probe = filepath.Join(p.folder, "probe")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", p.probe, "./examples/probe").CombinedOutput(); err != nil {
		return fmt.Errorf("build the probe: %w\n%s", err, out)
	}
	addresses, stopRedis, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer stopRedis()
	var failures []error
	for _, framework := range p.frameworks {
		var wg sync.WaitGroup
		verdicts := make([]error, len(addresses))
		for i, a := range addresses {
			wg.Go(func() {
				if verdicts[i] = p.soak(ctx, framework, a); verdicts[i] != nil {
					verdicts[i] = fmt.Errorf("%s on %s: %w", framework, a.name, verdicts[i])
				}
			})
		}
		wg.Wait()
		failures = append(failures, verdicts...)
	}
	return errors.Join(failures...)
}

// address is a store for probes.
type address struct {
	name  string
	url   string
	count func(ctx context.Context) (int, error) // the keys in it; nil: ask the probe
	clear func(ctx context.Context) error
}

// open returns the stores, and what stops those that it has started.
func (p plan) open(ctx context.Context) (all []address, stop func(), err error) {
	stop = func() {}
	for _, name := range p.stores {
		switch name {
		case "memory":
			all = append(all, address{name: name, url: "memory:?sweep=" + sweep.String()})
		case "redis":
			if _, err := exec.LookPath("redis-server"); err != nil {
				fmt.Println("soak: without Redis: there is no redis-server in PATH")
				continue
			}
			r, err := startRedis(ctx, p.folder)
			if err != nil {
				return nil, stop, err
			}
			stop = r.stop
			all = append(all, address{name: name, url: "redis://" + r.addr + "/0", count: r.keys, clear: r.flush})
		default:
			return nil, stop, fmt.Errorf("-stores: %q is neither memory nor redis", name)
		}
	}
	return all, stop, nil
}

const (
	idle  = 2 * time.Second // after which abandoned sessions end
	sweep = time.Second     // how often the memory is cleared of them

	warmUp = 0.25 // of the load, before which nothing is compared
	grace  = 20 * time.Second
)

// soak runs one framework on one store.
func (p plan) soak(ctx context.Context, framework string, a address) error {
	if a.clear != nil {
		if err := a.clear(ctx); err != nil {
			return err
		}
	}
	process, err := startProbe(ctx, p.probe, "-framework", framework, "-store", a.url, "-addr", "127.0.0.1:0", "-debug", "127.0.0.1:0",
		"-insecure", "-idle", idle.String())
	if err != nil {
		return err
	}
	defer process.stop()
	process.count = a.count
	before, err := process.sample(ctx)
	if err != nil {
		return err
	}

	l := newLoad(process.url, p.workers, p.rate)
	loading, cancel := context.WithTimeout(ctx, p.duration)
	defer cancel()
	go l.run(loading)
	samples, err := p.watch(loading, process, l)
	if err != nil {
		return errors.Join(err, process.ended())
	}
	<-l.done
	if ctx.Err() != nil {
		return ctx.Err()
	}
	after, err := process.settle(ctx, before, l)
	if err != nil {
		return errors.Join(err, process.ended())
	}
	fmt.Printf("%-8s %-7s %s\n", framework, a.name, l.summary())
	report(os.Stdout, before, samples, after)
	return errors.Join(errors.Join(judge(before, samples, after, l)...), l.verdict())
}

// watch samples the process until the load is over.
func (p plan) watch(loading context.Context, process *process, l *load) (samples []sample, err error) {
	ticks := time.NewTicker(max(p.duration/40, 250*time.Millisecond))
	defer ticks.Stop()
	begin := time.Now()
	for {
		select {
		case <-loading.Done():
			return samples, nil
		case <-ticks.C:
		}
		s, err := process.sample(loading)
		if loading.Err() != nil {
			return samples, nil
		}
		if err != nil {
			return samples, err
		}
		s.allowed = l.recentlyBegun(time.Now()) + p.workers + users
		if p.verbose {
			fmt.Printf("%6.1fs %v\n", time.Since(begin).Seconds(), s)
		}
		if time.Since(begin) > time.Duration(warmUp*float64(p.duration)) {
			samples = append(samples, s)
		}
	}
}
