package chaos

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/process"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// idle is the probes' idle timeout. No fault lasts nearly as long.
var idle = 15 * time.Second

// lifetime is the absolute timeout of the probes' sessions.
func lifetime() time.Duration { return 3 * idle }

// probe is one instance of the application.
type probe struct {
	program string
	args    []string
	keys    string // of copies on the client
	url     string
	debug   string // where it tells how many sessions it has in memory
	*process.Process
}

// start starts it, again on the same port, and tries again where the store is not there yet.
func (p *probe) start() (err error) {
	for until := time.Now().Add(20 * time.Second); ; {
		if err = p.try(); err == nil || time.Now().After(until) {
			return err
		}
	}
}

func (p *probe) try() (err error) {
	cmd := exec.CommandContext(context.Background(), p.program, p.args...)
	cmd.Env = append(cmd.Environ(), "SESSION_KEYS="+p.keys)
	if p.Process, err = process.Start(cmd); err != nil {
		return err
	}
	return p.Await(func() bool { return strings.Contains(p.Log(), "listening on") })
}

// Fault is something that the nemesis does. run does it, keeps it up and ends it; it
// reports whether it took effect.
type Fault struct {
	Name string
	run  func() (effect bool, err error)
	mild bool // the store answers all the same
}

// span is a time in which the store may lose what it has acknowledged, until its end or
// before its begin.
type span struct{ begin, end int64 }

// lag is how long before a failover the writes may be that it loses.
const lag = 2 * time.Second

// World is a store with what can befall it, and the probes on it.
type World struct {
	Store  string
	probes []*probe
	faults []Fault
	// bytes returns all that the store keeps, after the run.
	bytes func() (string, error)
	// kept checks that all that is left will go by itself.
	kept func() []Violation
	// left lists what is in the store that nobody may use any more; lasts after the last use
	// it must be empty.
	left  func() ([]string, error)
	lasts time.Duration
	// proxies are the network between the probes and the store.
	proxies []*tcpproxy.Proxy
	load    *Load
	traits
	first bool     // the first violation ends the run,
	fits  []string // of these rules, if not nil
}

// mayLose says that the store's documentation lets it forget acknowledged writes from a
// while from now on, until some time after the returned function is called. If that is
// before, it may forget nothing.
func (w *World) mayLose(in time.Duration) (end func(after time.Duration)) {
	l := w.load
	l.mu.Lock()
	defer l.mu.Unlock()
	n, begin := len(l.losses), l.now()+int64(in)
	l.losses = append(l.losses, span{begin, never})
	return func(after time.Duration) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.losses = slices.Clone(l.losses) // sessions have the former
		if l.losses[n].end = begin; l.now() > begin {
			l.losses[n].end = l.now() + int64(after)
		}
	}
}

// launch starts a probe for each framework, with the store's URL as it sees it.
func (w *World) launch(tb testing.TB, program string, frameworks []string, urls ...string) {
	tb.Helper()
	keys := make([]byte, 32)
	_, _ = cryptorand.Read(keys) // never fails
	for i, framework := range frameworks {
		port, err := process.FreePort()
		if err != nil {
			tb.Fatal(err)
		}
		debug, err := process.FreePort()
		if err != nil {
			tb.Fatal(err)
		}
		addr, vitals := "127.0.0.1:"+strconv.Itoa(port), "127.0.0.1:"+strconv.Itoa(debug)
		p := &probe{program: program, keys: base64.StdEncoding.EncodeToString(keys), url: "http://" + addr, debug: "http://" + vitals, args: []string{
			"-framework", framework, "-store", urls[i%len(urls)], "-addr", addr, "-debug", vitals, "-insecure",
			"-idle", idle.String(), "-absolute", lifetime().String(),
		}}
		if err := p.start(); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { p.Kill() })
		w.probes = append(w.probes, p)
	}
}

// felt does something, and reports whether a client noticed: an answer was lost or refused,
// or took as long as that. url is that of the probe that it befalls, "" for all.
func (w *World) felt(url string, slow time.Duration, do func() error) (bool, error) {
	seen := &watch{begin: w.load.now(), slow: slow, url: url}
	w.load.watch.Store(seen)
	defer w.load.watch.Store(nil)
	err := do()
	seen.ended.Store(w.load.now())
	for range 30 { // what was asked meanwhile is counted when its answer comes
		if seen.hits.Load() > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return seen.hits.Load() > 0, err
}

// pause is what a fault does that suspends something for a while: few of those who then ask
// wait for less than most of it.
func (w *World) pause(url string, d time.Duration, begin, end func() error) (bool, error) {
	return w.felt(url, d*3/4, func() error {
		err := begin()
		time.Sleep(d)
		return errors.Join(err, end())
	})
}

// instances are the faults of the application's own processes.
func (w *World) instances() []Fault {
	replace := func(end func(*probe)) func() (bool, error) {
		return func() (bool, error) {
			p := w.probes[rand.IntN(len(w.probes))]
			was := p.PID()
			end(p)
			time.Sleep(200 * time.Millisecond)
			err := p.start()
			return err == nil && p.PID() != was, err
		}
	}
	return []Fault{
		{Name: "instance killed", run: replace(func(p *probe) { p.Kill() })},
		{Name: "instance rolled", run: replace(func(p *probe) { p.Stop(syscall.SIGTERM) })},
		{Name: "instance suspended", run: func() (bool, error) {
			p := w.probes[rand.IntN(len(w.probes))]
			return w.pause(p.url, time.Second, p.Suspend, p.Resume)
		}},
	}
}

// Run lets browsers act and faults happen for d, and judges what came of it. An error
// means that there is no verdict.
func (w *World) Run(ctx context.Context, browsers int, d time.Duration) (r Report, err error) {
	r = Report{Store: w.Store, Took: d, Scanned: w.bytes != nil, Effective: map[string]int{}, Void: map[string]int{}}
	var urls []string
	for _, p := range w.probes {
		urls = append(urls, p.url)
	}
	l := newLoad(urls)
	l.traits, l.fits = w.traits, w.fits
	w.load = l
	loading, stop := context.WithTimeout(ctx, d)
	defer stop()
	var all sync.WaitGroup
	for n := range browsers {
		all.Go(func() { l.newBrowser(n).live(loading) })
	}
	var visiting sync.WaitGroup
	visiting.Go(func() { l.visit(loading) })
	if w.first {
		l.stop = stop
	}
	err = w.befall(loading, &r)
	stop()
	all.Wait()
	err = errors.Join(err, w.running())
	if err != nil {
		return r, err
	}
	quick := w.first && l.seen.Load()
	if !quick {
		time.Sleep(w.window)
		l.again()
		l.rest(idle + 2*time.Second)
		if err := l.lists(); err != nil {
			return r, err
		}
		visiting.Wait()
	}
	l.mu.Lock()
	sessions := slices.Clone(l.sessions) // visits may go on
	l.mu.Unlock()
	for _, s := range sessions {
		l.settle(s)
	}
	if !quick {
		more, e := w.atRest()
		l.found, err = append(l.found, more...), errors.Join(l.noVerdict, e)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range l.found {
		if v.Lossy {
			r.Lost = append(r.Lost, v)
		} else {
			r.Violations = append(r.Violations, v)
		}
	}
	r.count(l)
	return r, errors.Join(err, r.enough())
}

// running is an error if an instance has ended by itself.
func (w *World) running() error {
	for _, p := range w.probes {
		if p.Ended() {
			return fmt.Errorf("%s: an instance has ended by itself:\n%s", w.Store, p.Log())
		}
	}
	return nil
}

// befall makes one fault after the other happen, each kind in turn and in a new order. What
// had no effect is tried again soon.
func (w *World) befall(ctx context.Context, r *Report) error {
	pause := func(d time.Duration) bool {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(d):
			return true
		}
	}
	if len(w.faults) == 0 {
		<-ctx.Done()
	}
	// Before each round a while in which nothing explains what goes wrong.
	for rest := 2 * time.Second; pause(rest); rest = aftermath + 3*time.Second {
		turns := rand.Perm(len(w.faults))
		for n := 0; n < len(turns); n++ {
			f := w.faults[turns[n]]
			if !pause(time.Second) {
				return nil
			}
			if err := w.running(); err != nil {
				return err
			}
			if !f.mild {
				w.load.trouble.Store(never)
			}
			effect, err := f.run()
			if !f.mild {
				w.load.trouble.Store(0)
				w.load.troubled()
			}
			if err != nil {
				return fmt.Errorf("fault %q: %w", f.Name, err)
			}
			if effect {
				r.Effective[f.Name]++
			} else {
				r.Void[f.Name]++
				if len(turns) < 2*len(w.faults) {
					turns = append(turns, turns[n])
				}
			}
		}
	}
	return nil
}
