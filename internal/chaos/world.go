package chaos

import (
	"context"
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
)

// idle is the probes' idle timeout. No fault lasts nearly as long.
var idle = 15 * time.Second

// probe is one instance of the application.
type probe struct {
	program string
	args    []string
	url     string
	debug   string // where it tells how many sessions it has in memory
	*process.Process
}

// start starts it, again on the same port.
func (p *probe) start() (err error) {
	if p.Process, err = process.Start(exec.CommandContext(context.Background(), p.program, p.args...)); err != nil {
		return err
	}
	return p.Await(func() bool { return strings.Contains(p.Log(), "listening on") })
}

// Fault is something that the nemesis does. run does it, keeps it up and ends it; it
// reports whether it took effect.
type Fault struct {
	Name   string
	Losing bool // the store's documentation says that acknowledged writes may be lost
	run    func() (effect bool, err error)
}

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
	load  *Load
	// noUsers: see [Load].
	noUsers bool
}

// launch starts a probe for each framework, with the store's URL as it sees it.
func (w *World) launch(tb testing.TB, program string, frameworks []string, urls ...string) {
	tb.Helper()
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
		p := &probe{program: program, url: "http://" + addr, debug: "http://" + vitals, args: []string{
			"-framework", framework, "-store", urls[i%len(urls)], "-addr", addr, "-insecure", "-idle", idle.String(), "-absolute", lifetime().String(), "-debug", vitals,
		}}
		if err := p.start(); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { p.Kill() })
		w.probes = append(w.probes, p)
	}
}

// felt does something, and reports whether a client noticed: an answer was lost or refused,
// or took at least as long as slow. url is that of the probe that it befalls, "" for all.
func (w *World) felt(url string, slow time.Duration, do func() error) (bool, error) {
	seen := &watch{begin: w.load.now(), url: url, slow: slow}
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

// gone is how long a process or server is suspended, and the least that a client waits who
// asks in the first half of that.
const (
	gone   = 1500 * time.Millisecond
	waited = gone / 2
)

// instances are the faults of the application's own processes.
func (w *World) instances() []Fault {
	replace := func(end func(*probe)) func() (bool, error) {
		return func() (bool, error) {
			p := w.probes[rand.IntN(len(w.probes))]
			was := p.PID()
			return w.felt(p.url, 0, func() error {
				end(p)
				time.Sleep(200 * time.Millisecond)
				if err := p.start(); err != nil {
					return err
				}
				if p.PID() == was {
					return errors.New("the instance is still the same")
				}
				return nil
			})
		}
	}
	return []Fault{
		{Name: "instance killed", run: replace(func(p *probe) { p.Kill() })},
		{Name: "instance rolled", run: replace(func(p *probe) { p.Stop(syscall.SIGTERM) })},
		{Name: "instance suspended", run: func() (bool, error) {
			p := w.probes[rand.IntN(len(w.probes))]
			return w.felt(p.url, waited, func() error {
				err := p.Suspend()
				time.Sleep(gone)
				return errors.Join(err, p.Resume())
			})
		}},
	}
}

// Report is what came of a run.
type Report struct {
	Store                       string
	Scanned                     bool // whether the store's bytes were read
	Ops, Unknowns, Sessions     int
	Effective, Void             map[string]int // faults, by name
	Visits, Voids               map[string]int // visits with and without a verdict, by name
	Violations, Lost            []Violation    // Lost: what the store's own durability explains
	Shown, Counted, Ended, Kept int            // flashes shown, increments, ends acknowledged, living sessions at the end
}

// Run lets browsers act and faults happen for d, and judges what came of it. An error
// means that there is no verdict.
func (w *World) Run(ctx context.Context, browsers int, d time.Duration) (r Report, err error) {
	r = Report{Store: w.Store, Scanned: w.bytes != nil, Effective: map[string]int{}, Void: map[string]int{}}
	var urls []string
	for _, p := range w.probes {
		urls = append(urls, p.url)
	}
	l := newLoad(urls)
	l.noUsers = w.noUsers
	w.load = l
	loading, stop := context.WithTimeout(ctx, d)
	defer stop()
	var all sync.WaitGroup
	for n := range browsers {
		all.Go(func() { l.newBrowser(n).live(loading) })
	}
	var visiting sync.WaitGroup
	visiting.Go(func() { l.visit(loading) })
	losses, err := w.befall(loading, &r)
	stop()
	all.Wait()
	if err != nil {
		return r, err
	}
	for _, s := range l.sessions {
		s.Loss = slices.ContainsFunc(losses, func(t int64) bool { return t > s.Begin && t < s.EndAcked })
	}
	l.rest(idle + 2*time.Second)
	found, err := l.lists()
	visiting.Wait()
	if err != nil {
		return r, err
	}
	l.again()
	for _, s := range l.sessions {
		more, e := s.Judge()
		found, err = append(found, more...), errors.Join(err, e)
	}
	more, e := w.atRest()
	found, err = append(found, more...), errors.Join(err, e)
	for _, v := range found {
		if v.Lossy {
			r.Lost = append(r.Lost, v)
		} else {
			r.Violations = append(r.Violations, v)
		}
	}
	r.count(l)
	return r, errors.Join(err, r.enough())
}

// befall makes one fault after the other happen, each kind in turn and in a new order.
func (w *World) befall(ctx context.Context, r *Report) (losses []int64, err error) {
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
	for pause(time.Second) {
		for _, i := range rand.Perm(len(w.faults)) {
			f := w.faults[i]
			if !pause(time.Second) {
				return losses, nil
			}
			begin := w.load.now()
			effect, err := f.run()
			if err != nil {
				return losses, fmt.Errorf("fault %q: %w", f.Name, err)
			}
			if f.Losing {
				losses = append(losses, begin, w.load.now())
			}
			if effect {
				r.Effective[f.Name]++
			} else {
				r.Void[f.Name]++
			}
		}
	}
	return losses, nil
}

func (r *Report) count(l *Load) {
	r.Ops, r.Unknowns, r.Sessions, r.Kept = int(l.Ops.Load()), int(l.Unknowns.Load()), len(l.sessions), len(l.living)
	r.Visits, r.Voids = l.visits, l.voids
	for _, s := range l.sessions {
		if s.EndAcked != never {
			r.Ended++
		}
		for _, o := range s.ops {
			r.Shown += len(o.Flashes)
			if o.Kind == "incr" && o.Outcome == acknowledged {
				r.Counted++
			}
		}
	}
}

// enough is an error if the run has too little of anything to prove something.
func (r *Report) enough() error {
	for what, n := range map[string]int{"sessions": r.Sessions, "flashes shown": r.Shown, "increments": r.Counted, "acknowledged ends": r.Ended, "sessions left": r.Kept} {
		if n == 0 {
			return fmt.Errorf("%s: no %s: the run proves nothing", r.Store, what)
		}
	}
	return nil
}

// String is the report in lines.
func (r Report) String() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s: %d operations, %d unknown, %d sessions, %d ended, %d increments, %d flashes shown; %d violations; %d losses that the store's durability explains\n",
		r.Store, r.Ops, r.Unknowns, r.Sessions, r.Ended, r.Counted, r.Shown, len(r.Violations), len(r.Lost))
	_, _ = fmt.Fprintf(&b, "  faults: %v; without effect, not counted: %v\n", r.Effective, r.Void)
	_, _ = fmt.Fprintf(&b, "  visits: %v; without a verdict: %v\n", r.Visits, r.Voids)
	if !r.Scanned {
		b.WriteString("  the store's bytes were not looked at\n")
	}
	for rule, n := range byRule(r.Lost) {
		_, _ = fmt.Fprintf(&b, "  lost by the store (docs/operations.md, Persistence): %s: %d\n", rule, n)
	}
	return b.String()
}

func byRule(list []Violation) map[string]int {
	n := map[string]int{}
	for _, v := range list {
		n[v.Rule]++
	}
	return n
}
