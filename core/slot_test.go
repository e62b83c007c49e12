package core_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

func memoryManager(t *testing.T, observer core.Observer) *core.Manager {
	t.Helper()
	m, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{Observer: observer})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A session that is first asked for once the response has begun, or once the request is
// over, knows that, and loses nothing in silence.
func TestC6SessionAskedForAfterwards(t *testing.T) {
	for _, over := range []bool{false, true} {
		var seen events
		m := memoryManager(t, seen.observe)
		c := new(core.Slot)
		x := &exchange{ctx: t.Context(), method: "GET", response: map[string]string{}}
		if err := errors.Join(c.Load(m, x), c.Commit(200)); err != nil {
			t.Fatal(err)
		}
		if over {
			c.Finish()
		}
		s, ok := core.FromContext(c)
		if !ok || !s.HeaderSent() || !s.IsNew() {
			t.Fatalf("C6: over %t: found %t, and the header is to come", over, ok)
		}
		s.Set("k", "v")
		c.Finish()
		if err := s.Err(); !errors.Is(err, core.ErrTooLate) || seen.count(core.EventTooLate) != 1 {
			t.Errorf("C6: over %t: the error is %v, and %d events tell of it", over, err, seen.count(core.EventTooLate))
		}
		if again, _ := m.FromContext(c); again != s {
			t.Errorf("C6: over %t: asked twice, there are two sessions", over)
		}
		if len(x.setCookie) > 0 || x.response["Vary"] != "" {
			t.Errorf("over %t: the response was changed: %v %v", over, x.setCookie, x.response)
		}
		if n := seen.count(core.EventFinished); n != 1 {
			t.Errorf("over %t: %d ends of one request", over, n)
		}
	}
}

// Goroutines of the handler may ask for the session while the response begins and ends.
// They get the same one, and what they write is either stored or reported.
func TestC6SessionAskedForByManyAtOnce(t *testing.T) {
	var seen events
	m := memoryManager(t, seen.observe)
	for range 300 {
		c := new(core.Slot)
		x := &exchange{ctx: t.Context(), method: "GET", response: map[string]string{}}
		if err := c.Load(m, x); err != nil {
			t.Fatal(err)
		}
		var sessions [4]*core.Session
		var all sync.WaitGroup
		for i := range sessions {
			all.Go(func() {
				sessions[i], _ = core.FromContext(c)
				sessions[i].Set("k", "v")
			})
		}
		err := c.Commit(200)
		c.Finish()
		all.Wait()
		s := sessions[0]
		for _, other := range sessions {
			if other != s {
				t.Fatal("two sessions for one request")
			}
		}
		if handedOut := len(x.setCookie) == 1; err != nil || s.IsNew() == handedOut || !handedOut && s.Err() == nil {
			t.Fatalf("C6: error %v, stored %t, cookies %d, late %v", err, !s.IsNew(), len(x.setCookie), s.Err())
		}
	}
}

// The answer to two cookies deletes the former one, whether or not the handler asks for
// the session.
func TestL2FormerCookiesEndALockoutUnasked(t *testing.T) {
	sides(t, func(t *testing.T, was, is, without *core.Manager, _ *world) {
		b := newCookieJar(t, was)
		b.visit(was, signIn)
		b.visit(without, signIn)
		var pairs []string
		for key, value := range b.cookies {
			pairs = append(pairs, key[0]+"="+value)
		}
		c := new(core.Slot)
		x := &exchange{ctx: t.Context(), method: "GET", response: map[string]string{}, cookies: pairs}
		if err := errors.Join(c.Load(is, x), c.Commit(200)); err != nil || len(x.setCookie) != 1 {
			t.Errorf("L2: error %v, %q", err, x.setCookie)
		}
		c.Finish()
	})
}

// A request that nobody asks for its session has its events, of one request.
func TestEventsOfARequestThatAsksForNoSession(t *testing.T) {
	type told struct {
		kind   core.EventKind
		reason core.Reason
		number uint64
		status int
	}
	for _, c := range []struct {
		cookies []string
		reason  core.Reason
	}{{nil, core.ReasonNoCookie}, {[]string{"__Host-session=\""}, core.ReasonMalformed}, {[]string{"__Host-session=a"}, core.ReasonUnknown}} {
		var got []told
		m := memoryManager(t, func(_ context.Context, e core.Event) {
			if e.Request.Method != "GET" || e.Request.Path != "/" || e.Time.IsZero() {
				t.Errorf("%s of request %+v at %v", e.Kind, e.Request, e.Time)
			}
			got = append(got, told{e.Kind, e.Reason, e.Request.Number, e.Status})
		})
		slot := new(core.Slot)
		x := &exchange{ctx: t.Context(), method: "GET", response: map[string]string{}, cookies: c.cookies}
		if err := errors.Join(slot.Load(m, x), slot.Commit(404)); err != nil {
			t.Fatal(err)
		}
		slot.Finish()
		slot.Abort()
		kind := core.EventRejected
		if c.cookies == nil {
			kind = core.EventAbsent
		}
		if len(got) != 2 || got[0].kind != kind || got[0].reason != c.reason || got[1].kind != core.EventFinished || got[1].status != 404 || got[0].number != got[1].number {
			t.Errorf("%q: told %+v", c.cookies, got)
		}
	}
}

// A token that is none of ours costs no session.
func TestSEC53UnknownTokensCostNoSession(t *testing.T) {
	m, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	x := &exchange{ctx: t.Context(), method: "GET", response: map[string]string{}}
	for _, cookies := range [][]string{nil, {"__Host-session=a"}, {"__Host-session=\""}, {"__Host-session=a; __Host-session=b"}} {
		x.cookies = slices.Clone(cookies)
		alloctest.Bound(t, 100*200, func() {
			for range 100 {
				c := new(core.Slot)
				if err := errors.Join(c.Load(m, x), c.Commit(200)); err != nil {
					t.Fatal(err)
				}
				c.Finish()
			}
		})
	}
}
