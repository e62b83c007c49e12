package adaptertest

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/satchel-go/satchel/core"
)

// lifetimeCases are about what may outlive a request and what must not, and about
// the middleware itself: AD26 to AD33 of the table at frameworkCases.
var lifetimeCases = []testCase{
	{
		name: "AD26_SEC60_nothing_kept_is_a_view_of_a_buffer",
		why:  "Fast frameworks reuse their buffers: a session must own what it keeps.",
		run:  keptValues,
	},
	{
		name: "AD27_streams_have_the_session_to_read",
		why:  "A body stream may run after the framework has released its context.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{get("/story", func(r Request) error {
				s := r.Session()
				s.Set("k", "v")
				return r.Stream("text/plain", func(w io.Writer, flush func() error) error {
					for range 3 {
						if _, err := io.WriteString(w, value(s, "k")+" "+value(s, "old")+";"); err != nil {
							return err
						}
						if err := flush(); err != nil {
							return err
						}
					}
					return nil
				})
			})}})
			c := s.client()
			c.set("old", "o")
			c.get("/story").wants(200, "v o;v o;v o;")
			c.has("k", "v")
		},
	},
	{
		name: "AD28_SEC61_no_leak_from_one_request_to_the_next",
		why:  "Pooled objects must not show one client's session to another.",
		run:  noLeak,
	},
	{
		name: "AD30_session_kept_after_the_commit_is_still_its_own",
		why:  "A handle used after the save must not read another client's data.",
		run: func(h *harness) {
			kept := make(chan *core.Session, 1)
			s := h.open(setup{routes: []Route{get("/keep", func(r Request) error {
				kept <- r.Session()
				return r.Text(200, "")
			})}})
			ann, ben := s.client(), s.client()
			ann.set("k", "ann's")
			ann.get("/keep")
			session := <-kept
			for i := range 50 {
				ben.set("k", fmt.Sprintf("ben's %d", i))
				if got := value(session, "k"); got != "ann's" {
					h.Fatalf("ann's session now reads %q", got)
				}
			}
		},
	},
	{
		name: "AD31_SEC68_middleware_mounted_twice",
		why:  "Groups and sub-apps mount the middleware again: there must still be one load, one commit and one cookie.",
		run: func(h *harness) {
			m := h.manager(nil)
			s := h.serve(Config{Managers: []*core.Manager{m, m}, Routes: standardRoutes()})
			c := s.client()
			c.set("k", "v")
			h.wantEvents(1, core.EventCreated, "")
			loads := h.faults.count(opLoad)
			c.post("/set?value=w").wants(200, "set")
			if n := h.faults.count(opLoad) - loads; n != 1 {
				h.Errorf("%d loads, want 1", n)
			}
			if n := h.faults.count(opSave); n != 2 {
				h.Errorf("%d saves for two requests, want 2", n)
			}
			c.has("k", "w")
		},
	},
	{
		name: "AD32_session_in_every_context",
		why:  "Code that has only a context.Context must find the same session.",
		run:  everyContext,
	},
}

// keptValues stores values from requests, sends 2,000 others, and checks the values.
func keptValues(h *harness) {
	var mu sync.Mutex
	var mistakes []error
	var asked []string
	s := h.open(setup{routes: []Route{post("/asked", func(r Request) error {
		s, k := r.Session(), key(r)
		s.Set(k, "v")
		s.Flash(k, "text")
		mu.Lock()
		asked = append(s.Keys(), s.Flashes()[0].Kind)
		mu.Unlock()
		return r.Text(200, "")
	}), post("/mistakes", func(r Request) error {
		s, k := r.Session(), key(r)
		s.Set(k, "v")
		_, decode := core.Lookup[int](s, k)
		s.Set(k, func() {})
		encode := s.Err()
		s.Delete(k)
		core.NewFlashKey[any](k).Add(s, func() {})
		mu.Lock()
		mistakes = append(mistakes, decode, encode, s.Err())
		mu.Unlock()
		return r.Text(200, "never sent")
	})}})
	name := strings.Repeat("ann", 10)
	c := s.client()
	c.login(name)
	c.post(query("/set", "key", "a-key-of-some-length", "value", strings.Repeat("v", 30)))
	c.post(query("/flash", "kind", "a-kind-of-some-length", "text", strings.Repeat("t", 30)))
	right := s.client()
	right.post(query("/asked", "key", "c-key-of-some-length"))
	right.post(query("/set", "key", "d-key-of-some-length", "value", "v")) // on the same connection
	wrong := s.client()
	wrong.post(query("/mistakes", "key", "c-key-of-some-length")).refusal(500, internalErrorBody)
	wrong.post(query("/set", "key", "d-key-of-some-length", "value", "v")) // on the same connection
	var wg sync.WaitGroup
	for worker := range 8 {
		other := s.client()
		wg.Go(func() {
			for i := range 250 {
				junk := strings.Repeat(string(rune('A'+worker)), 30)
				r := other.try("POST", query("/set", "key", "b-key-of-some-length", "value", junk, "user", junk))
				if r.err != nil || r.status != 200 || i == 0 && other.token() == "" {
					h.Errorf("request %d: %d, %v", i, r.status, r.err)
					return
				}
			}
		})
	}
	wg.Wait()
	c.is("user=" + name + " new=false ended=false")
	c.has("a-key-of-some-length", strings.Repeat("v", 30))
	c.has("b-key-of-some-length", absent)
	c.get("/flashes").wants(200, "a-kind-of-some-length:"+strings.Repeat("t", 30))
	if infos, err := s.m.List(h.Context(), name); err == nil && (len(infos) != 1 || infos[0].User != name) {
		h.Errorf("the user's sessions are %v", infos)
	}
	for _, e := range h.events.list() {
		if e.Kind == core.EventFailed {
			mistakes = append(mistakes, e.Err)
		}
	}
	for _, err := range mistakes { // as they are when they are logged later
		if !strings.Contains(fmt.Sprint(err), `"c-key-of-some-length"`) {
			h.Errorf("an error has become %v", err)
		}
	}
	for _, name := range asked {
		if name != "c-key-of-some-length" {
			h.Errorf("what a session returned has become %q", name)
		}
	}
}

func noLeak(h *harness) {
	s := h.open(setup{})
	rich := s.client()
	rich.login("ann")
	rich.set("secret", "ann's")
	rich.post("/flash?kind=info&text=ann's")
	poor := s.client()
	poor.set("k", "v")
	for range 100 {
		rich.has("secret", "ann's")
		s.client().has("secret", absent)
		poor.has("secret", absent)
		poor.get("/flashes").wants(200, absent)
		poor.is("user= new=false ended=false")
	}
	if r := rich.try("POST", "/panic"); r.err == nil { // there is no such route: the framework answers with a 404
		r.setsNothing()
	}
	s.client().is(anonymous)
}

func everyContext(h *harness) {
	m := h.manager(nil)
	s := h.serve(Config{Managers: []*core.Manager{m}, Routes: []Route{
		get("/contexts", func(r Request) error {
			s := r.Session()
			tried, ok := r.TrySession()
			inContext, found := core.FromContext(r.Context())
			of, foundOf := core.FromContext(s.Context())
			same := ok && found && foundOf && tried == s && inContext == s && of == s
			if r, ok := r.(interface{ OwnContext() context.Context }); ok {
				own, _ := core.FromContext(r.OwnContext())
				ownOf, _ := m.FromContext(r.OwnContext())
				same = same && own == s && ownOf == s
			}
			return r.Text(200, fmt.Sprint(same))
		}),
		get("/without", func(r Request) error {
			_, ok := r.TrySession()
			_, found := core.FromContext(r.Context())
			panicked := func() (v any) {
				defer func() { v = recover() }()
				r.Session()
				return nil
			}()
			text, isText := panicked.(string)
			return r.Text(200, fmt.Sprint(ok, found, isText && strings.Contains(text, "iddleware")))
		}).outside(),
		get("/of", func(r Request) error {
			return r.Text(200, fmt.Sprint(r.SessionOf(h.manager(nil)) != nil))
		}),
	}})
	c := s.client()
	c.get("/contexts").wants(200, "true")
	c.get("/without").wants(200, "false false true")
	if r := c.try("GET", "/of"); r.err == nil {
		r.wantsStatus(500) // a clear panic: that Manager is not mounted
	}
}
