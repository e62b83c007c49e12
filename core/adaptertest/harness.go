package adaptertest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// patience is how long the suite waits for something that should happen at once.
const patience = 10 * time.Second

// harness is what a case works with: one backend, a clock that the case moves, and
// a record of events.
type harness struct {
	reporter

	t       *testing.T // for what backends need; failures go to the reporter
	newApp  NewApp
	backend core.Backend
	store   core.Store // nil if there is none
	carrier core.Carrier
	traits  core.Traits
	clock   *clock
	faults  *faults
	events  *events

	window  time.Duration      // see Backend
	copies  bool               // which clients have, so that not every GET reaches the faults
	settled func(t *testing.T) // Backend.Settle
	atOnce  bool               // see testCase

	onlookers onlookers
}

func newHarness(t *testing.T, r reporter, newApp NewApp, b Backend) *harness {
	h := &harness{
		reporter: r, t: t, newApp: newApp,
		clock:  &clock{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)},
		faults: newFaults(), carrier: b.Carrier,
		events: &events{}, window: b.Window, settled: b.Settle, copies: b.Store != nil && b.Sealer != nil,
	}
	if h.copies {
		h.faults.begin = func() { h.clock.advance(h.window) }
	}
	h.backend, h.store = b.layered(t, h.clock.Now, h.faults)
	h.traits = h.backend.Traits()
	return h
}

// clientSide reports whether the session travels in its cookie.
func (h *harness) clientSide() bool { return h.traits.ClientSide }

// config returns the Config of a case's Managers. Its deadlines are long, so that
// no case fails because a machine is slow.
func (h *harness) config() core.Config {
	c := core.Config{Now: h.clock.Now, Observer: h.events.observe, LoadTimeout: patience, CommitTimeout: patience, Carrier: h.carrier}
	if !h.inHeader() {
		c.Cookie.MaxParts = 5 // so that most cases meet split cookies
	} else {
		c.MaxHeaderToken = 20000 // as much as those hold
	}
	return c
}

// manager makes a Manager; edit may be nil.
func (h *harness) manager(edit func(*core.Config)) *core.Manager {
	h.Helper()
	c := h.config()
	if edit != nil {
		edit(&c)
	}
	m, err := core.New(h.backend, c)
	if err != nil {
		h.Fatalf("core.New: %v", err)
	}
	h.checkWindow(m)
	return m
}

// site is a running server.
type site struct {
	*harness
	addr string
	m    *core.Manager // the innermost one
}

// setup says how a case's server differs from the standard one.
type setup struct {
	core   func(*core.Config) // edits the Manager's Config
	app    func(*Config)      // edits the App's Config
	routes []Route            // added to the standard routes
}

// open starts a server with one Manager and the standard routes.
func (h *harness) open(s setup) *site {
	h.Helper()
	c := Config{Managers: []*core.Manager{h.manager(s.core)}}
	c.Routes = append(standardRoutes(), s.routes...)
	if s.app != nil {
		s.app(&c)
	}
	return h.serve(c)
}

// serve starts a server, which stops when the case ends.
func (h *harness) serve(c Config) *site {
	h.Helper()
	ln, err := (&net.ListenConfig{}).Listen(h.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		h.Fatalf("listen: %v", err)
	}
	c.Routes = h.alsoPosted(c.Routes)
	app := h.newApp(c)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = app.Serve(ln) // Shutdown ends it, in some frameworks with an error
	}()
	h.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		// fasthttp's Shutdown looks every 100 ms whether all has ended. After Serve, and
		// with the clients gone, it has.
		_ = ln.Close()
		select {
		case <-served:
			time.Sleep(time.Millisecond)
		case <-time.After(patience):
			h.Errorf("the App still serves %v after its listener was closed", patience)
		}
		_ = app.Shutdown(ctx)
	})
	return &site{harness: h, addr: ln.Addr().String(), m: c.Managers[len(c.Managers)-1]}
}

// waitFor waits until cond holds, for things that happen after the response.
func (h *harness) waitFor(what string, cond func() bool) {
	h.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// untilOver waits like a backend that hangs until the core gives up. Backends in
// this process get no deadline and only fail.
func (h *harness) untilOver(ctx context.Context) error {
	if !h.traits.Local {
		select {
		case <-ctx.Done():
		case <-time.After(patience):
			h.Errorf("the core has set no deadline")
		}
	}
	return core.ErrUnavailable
}

// clock moves only when the case moves it. It is safe for concurrent use.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is a Config.Now.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// events is a Config.Observer that keeps all events.
type events struct {
	mu  sync.Mutex
	all []core.Event
}

func (e *events) observe(_ context.Context, event core.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// list returns the events so far.
func (e *events) list() []core.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]core.Event(nil), e.all...)
}

// count returns how many events of this kind there were, with this reason unless
// it is "".
func (e *events) count(kind core.EventKind, reason core.Reason) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, event := range e.all {
		if event.Kind == kind && (reason == "" || event.Reason == reason) {
			n++
		}
	}
	return n
}

// wantEvents checks how many events of this kind there were.
func (h *harness) wantEvents(n int, kind core.EventKind, reason core.Reason) {
	h.Helper()
	if got := h.events.count(kind, reason); got != n {
		h.Errorf("%d events %q %q, want %d; all: %v", got, kind, reason, n, h.events.list())
	}
}

// toldTooLate reports whether one event says that a change came too late.
func (h *harness) toldTooLate() bool { return h.events.count(core.EventTooLate, "") == 1 }

// gate holds requests until the case lets them go, so that they overlap.
type gate struct {
	arrived chan struct{}
	opened  chan struct{}
	once    sync.Once
}

func (h *harness) newGate() *gate {
	g := &gate{arrived: make(chan struct{}, 1024), opened: make(chan struct{})}
	h.Cleanup(g.open)
	return g
}

// pass waits for open; the handler calls it.
func (g *gate) pass() {
	g.arrived <- struct{}{}
	select {
	case <-g.opened:
	case <-time.After(patience):
	}
}

// await waits until a request is at the gate.
func (h *harness) await(g *gate) {
	h.Helper()
	select {
	case <-g.arrived:
	case <-time.After(patience):
		h.Fatalf("no request has reached the gate in %v", patience)
	}
}

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }
