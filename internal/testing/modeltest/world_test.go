package modeltest

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/nearcache"
)

// Timeouts of the Managers under test. The clock advances to moments between them,
// and to the timeouts themselves.
const (
	idle            = 30 * time.Minute
	lifetime        = 40 * time.Minute
	longIdle        = 60 * time.Minute // of remembered sessions
	longLifetime    = 90 * time.Minute
	touchAfter      = idle / 10
	flashLifetime   = 10 * time.Minute
	forever         = 400 * 24 * time.Hour // the idle timeout of sessions that have none, and the longest life of a cookie
	idleGrace       = time.Minute
	lateFor         = 30 * time.Second
	reservationTime = time.Minute // how long memstore waits for a Confirm
	commitTimeout   = 2 * time.Second
	maxBytes        = 256  // of a session, in some schedules
	maxSteps        = 5000 // of one schedule: more means that an actor goes round in circles
)

// violation is a broken promise.
type violation struct {
	promise string
	text    string
}

// abandoned unwinds actors that are no longer needed.
type abandoned struct{}

// world is everything that one schedule runs in.
type world struct {
	schedule *schedule
	clock    time.Time
	raw      raw
	manager  *core.Manager // under test; every operation on its store waits for its turn
	far      *core.Manager // that of another process, without copies; or the same
	direct   *core.Manager // on the raw store, to look at what is stored
	actors   []*actor
	running  *actor
	clients  [2]jar
	model    *model
	steps    int
	counts   counts
	tracing  bool
	trace    []string
}

// full is a store with every ability that the core can use.
type full interface {
	core.Store
	core.UserIndex
	core.Mender
	core.AllDeleter
}

// raw is a store that also reports how many entries it has.
type raw interface {
	full
	Len() int
}

// breakage makes a store break a promise.
type breakage func(*broken)

// run runs one schedule and returns the promise that it found broken, or nil.
func run(s *schedule, counts counts, breaking breakage) *violation {
	w := &world{schedule: s, counts: counts}
	return w.run(breaking)
}

// trace is run, but also returns everything that happened.
func trace(s *schedule, breaking breakage) (string, *violation) {
	w := &world{schedule: s, counts: counts{}, tracing: true}
	v := w.run(breaking)
	return strings.Join(w.trace, "\n"), v
}

func (w *world) run(breaking breakage) *violation {
	w.clock = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w.open(breaking)
	w.model = newModel(w)
	for i := range w.schedule.actors {
		w.actors = append(w.actors, newActor(w, i, &w.schedule.actors[i]))
	}
	found := violated(func() {
		w.takeTurns()
		w.model.finally()
	})
	for _, a := range w.actors {
		a.stop()
	}
	return found
}

// violated runs f, and returns the promise that it finds broken, or nil.
func violated(f func()) (found *violation) {
	defer func() {
		if r := recover(); r != nil {
			var ok bool
			if found, ok = r.(*violation); !ok {
				panic(r) // a mistake of the test
			}
		}
	}()
	f()
	return nil
}

// open makes the store and the Managers.
func (w *world) open(breaking breakage) {
	now := func() time.Time { return w.clock }
	memory := memstore.New(memstore.Config{SweepInterval: -1, Now: now}) // there is nothing to close
	if w.raw = memory; w.schedule.setup.austere {
		w.raw = &austere{memory, now, map[string][]member{}, map[string]*core.IncompleteError{}}
	}
	var store full = w.raw
	if breaking != nil {
		b := newBroken(store)
		breaking(b)
		store = b
	}
	setup := w.schedule.setup
	config := core.Config{
		IdleTimeout: idle, Lifetime: lifetime, TouchAfter: touchAfter, FlashLifetime: flashLifetime,
		Remembered:    core.Timeouts{Idle: longIdle, Lifetime: longLifetime},
		CommitTimeout: commitTimeout, MaxFlashes: setup.maxFlashes, SessionLimit: setup.limit,
		Carrier: setup.carrier, ServeWhenUnavailable: setup.serve, Now: now, Rand: seeded(1), Observer: w.observe,
	}
	if setup.unit > 0 {
		config.MaxBytes, config.Codec = maxBytes, padded{setup.unit}
	}
	if setup.refuse {
		config.LimitPolicy = core.RefuseLogin
	}
	bare := core.ServerSide(&gate{w, store})
	backend := bare
	switch {
	case setup.hybrid:
		backend = core.Hybrid(plain{}, &gate{w, store}, copyWindow)
	case setup.near:
		copies := must(nearcache.New(&gate{w, store}, nearcache.Config{Window: nearWindow, MaxEntries: 100, AllowBlind: true, Now: now}))
		backend = core.ServerSide(&near{copies, w})
	}
	w.manager = must(core.New(backend, config))
	if w.far = w.manager; setup.near {
		w.far = must(core.New(bare, config))
	}
	config.Observer, config.Rand = func(context.Context, core.Event) {}, seeded(2)
	w.direct = must(core.New(core.ServerSide(w.raw), config))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// takeTurns lets the actors take their turns until all are done.
func (w *world) takeTurns() {
	for _, i := range w.schedule.turns {
		if i < len(w.actors) {
			w.turn(w.actors[i])
		}
	}
	for _, a := range w.actors {
		for w.turn(a) {
		}
	}
}

// turn lets a go on to its next step, and reports whether there was one.
func (w *world) turn(a *actor) bool {
	if a.done {
		return false
	}
	if w.steps++; w.steps > maxSteps {
		violate("K1", "no end in sight after %d steps", w.steps)
	}
	w.running = a
	if _, more := a.next(); !more {
		a.done = true
	}
	return true
}

func (w *world) observe(_ context.Context, e core.Event) {
	if e.Kind != core.EventDuplicates { // once in a Manager's life, beside another event
		w.running.events = append(w.running.events, e)
	}
	if w.tracing {
		w.note("  event %s %s %s %s %v", e.Kind, e.Reason, w.model.name(e.ID), e.User, e.Err)
	}
}

func (w *world) note(format string, args ...any) {
	if w.tracing {
		w.trace = append(w.trace, fmt.Sprintf("%d: %s", w.running.index, fmt.Sprintf(format, args...)))
	}
}

// violate ends the schedule: a promise is broken.
func violate(promise, format string, args ...any) {
	panic(&violation{promise: promise, text: fmt.Sprintf(format, args...)})
}

// seeded is a source of IDs and secrets that gives the same ones each time.
func seeded(n byte) io.Reader { return rand.NewChaCha8([32]byte{n}) }

// actor is a running script, in its own goroutine that runs only in its turns.
type actor struct {
	*script
	w       *world
	index   int
	manager *core.Manager // of its process
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	done    bool
	calls   int
	events  []core.Event // since the last commit began

	s       *core.Session
	x       *exchange
	token   string // that the request presents
	view    *view
	act     act
	commits int       // how many have begun
	results []core.ID // what each of them stored
	sent    bool      // the header has been sent
	shows   bool      // the response shows flashes
	broken  bool      // the commit failed: the client has an error page
	over    bool
}

func newActor(w *world, index int, s *script) *actor {
	a := &actor{script: s, w: w, index: index, manager: w.manager}
	if s.far {
		a.manager = w.far
	}
	a.next, a.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			switch r := recover().(type) {
			case nil, abandoned:
			case *violation:
				panic(r)
			default:
				violate("panic", "%v\n%s", r, debug.Stack())
			}
		}()
		a.yield = yield
		a.play()
	})
	return a
}

// step waits for the actor's next turn.
func (a *actor) step() {
	if !a.yield(struct{}{}) {
		panic(abandoned{})
	}
}

func (v *violation) String() string { return v.promise + ": " + v.text }
