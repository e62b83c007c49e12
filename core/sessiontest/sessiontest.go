// Package sessiontest helps to test an application's handlers. It makes clients
// with sessions, and checks what a handler did to those sessions.
//
//	st := sessiontest.New(t)
//	app := newApp(st.Manager)
//	alice := st.Login("alice", sessiontest.With(cart, Cart{Items: 3}))
//
//	alice.Do(app, alice.Request("POST", "/checkout", nil))
//
//	alice.WantFlash("success", "Thank you.")
//	sessiontest.WantAbsent(alice, cart)
//
// [Client.Do] is for any [http.Handler]: net/http, Echo and Gin. [DoFiber]
// is for Fiber. For anything else use [Client.Apply] and [Client.Receive], or
// [Client.Jar] with a real server.
//
// Test a handler without the middleware in the same way:
//
//	echov5adapter.WithSession(c, alice.Session())
//	err := checkout(c)
//	alice.WantFlash("success", "Thank you.")
//
// The Manager is strict (see [core.Config.Strict]): a change that comes too
// late, or is made in place to what Get returned, fails the test. This works
// behind middleware that recovers from panics, and in goroutines, too.
//
// [Sessions.Advance] moves the time. The checks on a client look at what is
// stored, through the client's cookies. Looking does not count as activity, and
// leaves flashes unread.
package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// Sessions holds the sessions of an application under test. It is safe for
// concurrent use.
type Sessions struct {
	// Manager is the Manager to give to the application.
	Manager *core.Manager

	tb      testing.TB
	carrier core.Carrier

	mu    sync.Mutex
	base  func() time.Time
	ahead time.Duration  // how far Now is ahead of base
	story []string       // recent events, shown with failures
	named map[string]int // how many clients have each name
}

// New returns sessions in memory. Each configure function changes the Manager's
// configuration, which begins as the zero Config with Strict set. If the Manager
// cannot be made, the test fails at once.
func New(tb testing.TB, configure ...func(*core.Config)) *Sessions {
	tb.Helper()
	st := &Sessions{tb: tb, base: time.Now}
	store := memstore.New(memstore.Config{Now: st.Now, SweepInterval: -1})
	tb.Cleanup(func() { _ = store.Close() }) // it never fails
	st.open(core.ServerSide(store), configure)
	return st
}

// NewOn is New with a backend other than memory, such as [core.ClientSide].
// Advance does not move that backend's own clock, if it has one.
func NewOn(tb testing.TB, b core.Backend, configure ...func(*core.Config)) *Sessions {
	tb.Helper()
	st := &Sessions{tb: tb, base: time.Now}
	st.open(b, configure)
	return st
}

// open makes the Manager.
func (st *Sessions) open(b core.Backend, configure []func(*core.Config)) {
	st.tb.Helper()
	c := core.Config{Strict: true}
	for _, f := range configure {
		f(&c)
	}
	if c.Now != nil {
		st.base = c.Now
	}
	c.Now = st.Now
	if c.OnMistake == nil {
		c.OnMistake = st.mistake
	}
	told := c.Observer
	c.Observer = func(ctx context.Context, e core.Event) {
		st.note(e)
		if told != nil {
			told(ctx, e)
		}
	}
	m, err := core.New(b, c)
	if err != nil {
		st.tb.Fatalf("sessiontest: %v", err)
	}
	st.Manager, st.carrier = m, c.Carrier
}

// Now returns the sessions' time: that of Config.Now or [time.Now], plus whatever
// Advance has added.
func (st *Sessions) Now() time.Time {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.base().Add(st.ahead)
}

// Advance moves the sessions' time ahead by d, without waiting.
func (st *Sessions) Advance(d time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.ahead += d
	st.story = append(st.story, "time moved by "+d.String())
}

// Login returns a client on which user is logged in, as if by an earlier request
// in which setup filled the session. Each call is another device of that user:
// failures call the second one "alice (2)".
func (st *Sessions) Login(user string, setup ...func(*core.Session)) *Client {
	st.tb.Helper()
	c := &Client{st: st, name: st.name(user)}
	return c.begin(append([]func(*core.Session){func(s *core.Session) { s.Login(user) }}, setup...))
}

// Visitor returns a client on which no user is logged in. Without setup it has
// no cookie yet.
func (st *Sessions) Visitor(setup ...func(*core.Session)) *Client {
	st.tb.Helper()
	c := &Client{st: st, name: st.name("the visitor")}
	return c.begin(setup)
}

// name returns what failures call the next client of who, so that they tell devices apart.
func (st *Sessions) name(who string) string {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.named == nil {
		st.named = map[string]int{}
	}
	st.named[who]++
	if n := st.named[who]; n > 1 {
		return fmt.Sprintf("%s (%d)", who, n)
	}
	return who
}

// With is a setup for Login and Visitor that stores v under key.
func With[T any](key core.Key[T], v T) func(*core.Session) {
	return func(s *core.Session) { key.Set(s, v) }
}

// mistake fails the test with an error that strict mode found.
func (st *Sessions) mistake(err error) {
	where := ""
	if errors.Is(err, core.ErrTooLate) || errors.Is(err, core.ErrReadOnly) {
		where = caller()
	}
	st.tb.Errorf("sessiontest: %s%v", where, err)
}

// caller returns the place in the application that called the session, with a
// colon. It returns "" if the mistake was found at a commit, too late to know.
func caller() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if strings.HasPrefix(f.Function, module+"core.(*Slot).") || strings.HasPrefix(f.Function, module+"core.(*Manager).") {
			return ""
		}
		own := strings.HasPrefix(f.Function, module+"core") && !strings.HasSuffix(f.File, "_test.go")
		if !own {
			return fmt.Sprintf("%s:%d: ", f.File, f.Line)
		}
	}
	return ""
}

const module = "github.com/satchel-go/satchel/"

// note keeps events that may explain a failure.
func (st *Sessions) note(e core.Event) {
	switch e.Kind {
	case core.EventAbsent, core.EventLoaded, core.EventInsecure, core.EventFinished:
		return // routine events explain nothing
	}
	parts := slices.DeleteFunc([]string{string(e.Kind), string(e.Reason), e.Detail}, func(part string) bool { return part == "" })
	line := strings.Join(parts, ", ")
	if e.Err != nil {
		line += ": " + e.Err.Error()
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if n := len(st.story); n == 0 || st.story[n-1] != line {
		st.story = append(st.story, line)
	}
}

// told returns what has happened since forget, to be added to a failure.
func (st *Sessions) told() string {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.story) == 0 {
		return ""
	}
	const most = 12
	last := st.story[max(0, len(st.story)-most):]
	return "\nSince the last request began: " + strings.Join(slices.Clone(last), "; ")
}

// forget begins the story of a new request.
func (st *Sessions) forget() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.story = nil
}
