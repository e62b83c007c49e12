package adaptertest

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core"
)

// This file has what lateCases do after the first byte.

func lateWrite(h *harness) {
	var inside atomic.Bool
	s := h.open(setup{routes: []Route{get("/late", func(r Request) error {
		s := r.Session()
		var began, returned atomic.Bool
		err := r.Stream("text/plain", func(w io.Writer, flush func() error) error {
			_ = flush()
			began.Store(!returned.Load())
			s.Set("late", "kept")
			_, err := io.WriteString(w, "late")
			return err
		})
		inside.Store(began.Load()) // some frameworks stream after the handler
		returned.Store(true)
		return err
	})}})
	c := s.client()
	c.set("k", "v")
	c.get("/late").wants(200, "late").setsNothing()
	h.waitFor("the end of the request", func() bool {
		return h.events.count(core.EventSaved, "")+h.events.count(core.EventTooLate, "") == 1
	})
	want := absent
	if inside.Load() && !h.clientSide() {
		want = "kept"
	}
	c.has("late", want)
	c.has("k", "v")
}

func writeAfterBody(h *harness) {
	s := h.open(setup{routes: []Route{get("/body", func(r Request) error {
		s := r.Session()
		value(s, "k")
		if err := r.Raw("body"); err != nil {
			return err
		}
		s.Set("k", "after")
		return nil
	})}})
	c := s.client()
	c.set("k", "v")
	r := c.get("/body").wants(200, "body")
	want := "after"
	if told := h.events.count(core.EventTooLate, core.ReasonNoCookie) == 1; told && h.clientSide() {
		want = "v" // it needed a cookie, unless the framework had not sent the header yet
		r.setsNothing()
	}
	c.has("k", want)
}

// slowRoutes has a route whose handler does first and then takes too long. Some frameworks
// wait until it sees that its context is done; in others it runs on after the answer.
func slowRoutes(h *harness, first func(Request)) (routes []Route, get func(*client) *reply) {
	answered := make(chan struct{}, 2)
	slow := Route{Method: "GET", Path: "/slow", Timeout: 10 * time.Millisecond, Handler: func(r Request) error {
		ctx := r.Context()
		first(r)
		select {
		case <-ctx.Done():
		case <-answered: // some contexts have no deadline
		case <-time.After(patience):
			h.Errorf("the App ignores Route.Timeout")
		}
		return context.DeadlineExceeded
	}}
	return []Route{slow}, func(c *client) *reply {
		r := c.get("/slow")
		answered <- struct{}{}
		if r.status < 400 {
			h.Errorf("the answer to a timeout is %d %q", r.status, r.body)
		}
		return r
	}
}

func timeoutInside(h *harness) {
	routes, get := slowRoutes(h, func(r Request) { r.Session().Set("k", "slow") })
	s := h.open(setup{routes: routes})
	told := func() int { return h.events.count(core.EventRolledBack, "") + h.events.count(core.EventTooLate, "") }
	r := get(s.client())
	if created, n := h.events.count(core.EventCreated, ""), len(r.ours()); created != n || created+told() != 1 {
		h.Errorf("%d sessions were created, %d cookies set, %d events tell why not", created, n, told())
	}
	c := s.client()
	c.set("k", "before")
	before := h.events.count(core.EventTooLate, "")
	r = get(c)
	want := "slow"
	if r.status >= 500 || h.events.count(core.EventTooLate, "") > before {
		want = "before"
	}
	c.has("k", want)
}

func commitThenTimeout(h *harness) {
	routes, get := slowRoutes(h, func(r Request) {
		r.Session().Set("k", "v")
		if err := r.Session().Commit(r.Context()); err != nil {
			h.Errorf("Commit: %v", err)
		}
	})
	c := h.open(setup{routes: routes}).client()
	cookies, told := len(get(c).ours()), h.events.count(core.EventTooLate, core.ReasonNoCookie)
	if cookies+told != 1 {
		h.Errorf("the session is stored, %d cookies are set, and %d events tell that one is missing", cookies, told)
	}
	if cookies == 1 {
		c.has("k", "v")
	}
}

func lateCommit(h *harness) {
	s := h.open(setup{routes: lateRoutes()})
	fresh := s.client()
	fresh.get("/late-commit").wants(200, "too late").setsNothing()
	c := s.client()
	c.set("k", "v")
	r := c.get("/late-commit").wantsStatus(200).setsNothing()
	switch {
	case r.body == "saved" && !h.clientSide():
		c.has("late", "kept")
	case r.body == "too late":
		c.has("late", absent)
	default:
		h.Errorf("Commit after the header: %s", r.body)
	}
	c.has("k", "v")
}

func afterwards(h *harness) {
	sessions := make(chan *core.Session, 1)
	s := h.open(setup{routes: []Route{get("/keep", func(r Request) error {
		sessions <- r.Session()
		return r.Text(200, "kept")
	})}})
	c := s.client()
	c.set("k", "v")
	c.get("/keep").wants(200, "kept")
	kept := <-sessions
	h.waitFor("the end of the request", func() bool {
		kept.Set("k", "afterwards")
		return errors.Is(kept.Err(), core.ErrTooLate)
	})
	if err := kept.Commit(h.Context()); !errors.Is(err, core.ErrTooLate) {
		h.Errorf("Commit after the request: %v, want ErrTooLate", err)
	}
	if got := value(kept, "k"); got != "v" {
		h.Errorf("read after the request: %q, want v", got)
	}
	c.has("k", "v")
}

func strictLate(h *harness) {
	panicked := make(chan any, 1)
	s := h.open(setup{core: func(c *core.Config) { c.Strict = true }, routes: []Route{
		get("/strict", func(r Request) error {
			s, ctx := r.Session(), r.Context()
			return r.Stream("text/plain", func(_ io.Writer, flush func() error) error {
				_ = flush()
				defer func() { panicked <- recover() }()
				s.Set("k", "late")
				_ = s.Commit(ctx) // a new session needs a cookie
				return nil
			})
		}),
	}})
	s.client().get("/strict").wantsStatus(200)
	select {
	case v := <-panicked:
		if text, ok := v.(string); !ok || !strings.Contains(text, "strict mode") {
			h.Errorf("recovered %v, want the strict mode's panic", v)
		}
	case <-time.After(patience):
		h.Errorf("the stream did not end")
	}
}
