package adaptertest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// securityCases cover rows of the security checklist about what is in a session,
// as far as the promises do not cover them.
var securityCases = []testCase{
	{
		name: "E3_SEC9_mixed_up_answers_are_an_outage",
		why:  "If a mixed-up cache or connection returns another client's record, the request must neither see it nor write to it.",
		run:  mixUpIsAnOutage,
	},
	{
		name: "SEC10_sessions_that_have_ended_look_like_none",
		why:  "The answer must not tell whether a token was ever valid, or what became of it.",
		run:  endingsLookAlike,
	},
	{
		name: "SEC45_length_tells_nothing",
		why:  "Compression would let a client that chooses part of the session guess the rest from its length.",
		run: func(h *harness) {
			s := h.open(setup{routes: sizeRoutes()})
			repeated, random := s.client(), s.client()
			repeated.set("a", strings.Repeat("x", 1200))
			random.post("/fill?key=a&size=1200").wants(200, "filled")
			if a, b := len(repeated.token()), len(random.token()); a != b {
				h.Errorf("%d characters for one letter repeated, %d for as many random letters", a, b)
			}
			random.get("/filled?key=a&size=1200").wants(200, "whole")
		},
	},
	{
		name: "SEC61_sparse_input_shows_nothing_of_others",
		why:  "What a request leaves out must be empty, not what the last request had in the same buffer.",
		run:  sparseInput,
	},
	{
		name: "F1_SEC63_errors_and_redirects_lose_no_flash",
		why:  "A message is shown once. Until then it stays, whatever goes wrong.",
		run:  flashSurvives,
	},
	{
		name: "I1_SEC65_values_touch_neither_identity_nor_times",
		why:  "Keys that an application takes from user input must not keep a session alive or make its login fresh.",
		run:  timesAreApart,
	},
	{
		name: "SEC67_no_token_in_logs_JSON_and_answers",
		why:  "Tokens reach logs through anything that prints them: JSON, structured logs, error pages.",
		run:  printedEverywhere,
	},
	{
		name: "SEC69_repeating_random_source_shares_no_session",
		why:  "If a drawn ID is in use, another must be drawn: one client's new session must never overwrite another's.",
		run: func(h *harness) {
			source := &repeating{drawn: map[int][]byte{}}
			s := h.open(setup{core: func(c *core.Config) { c.Rand = source }})
			var clients []*client
			for i := range 6 {
				c := s.client()
				c.set("k", fmt.Sprint(i))
				clients = append(clients, c)
			}
			for i, c := range clients {
				c.has("k", fmt.Sprint(i))
			}
			if source.repeats == 0 && !h.clientSide() {
				h.Errorf("nothing was drawn twice, so the case has shown nothing")
			}
		},
	},
}

func mixUpIsAnOutage(h *harness) {
	s := h.open(setup{})
	ann, ben := s.client(), s.client()
	ann.login("ann")
	ben.login("ben")
	ann.set("k", "ann's")
	ben.set("k", "ben's")
	if h.store != nil {
		h.mixUp(ann)
		saves := h.faults.count(opSave)
		ben.get("/get").setsNothing().refusal(503, unavailableBody)
		ben.post("/set?value=x").setsNothing().refusal(503, unavailableBody)
		ben.post("/login?user=ben").setsNothing().refusal(503, unavailableBody)
		ben.post("/logout").setsNothing().refusal(503, unavailableBody)
		if n, d := h.faults.count(opSave)-saves, h.faults.count(opDelete); n != 0 || d != 0 {
			h.Errorf("a mix-up caused %d saves and %d deletions", n, d)
		}
		h.faults.up()
	}
	ann.has("k", "ann's")
	ben.has("k", "ben's")
	ann.is(asAnn)
	ben.is("user=ben new=false ended=false")
}

func endingsLookAlike(h *harness) {
	s := h.open(setup{})
	named := func(k string) *client {
		c := s.client()
		c.login("ann")
		c.set("k", k)
		return c
	}
	tokens := map[string]string{}
	tokens["past its lifetime"] = named("a").token()
	for range 25 { // never idle for long
		h.clock.advance(29 * time.Minute)
		s.with(tokens["past its lifetime"]).get("/get")
	}
	tokens["idle"] = named("b").token()
	h.clock.advance(31 * time.Minute)
	live, out, renewed := named("c"), named("d"), named("e")
	if !h.clientSide() {
		tokens["logged out"], tokens["replaced long ago"] = out.token(), renewed.token()
	}
	out.post("/logout").wants(200, "out")
	renewed.post("/renew").wants(200, "renewed")
	h.clock.advance(6 * time.Minute)
	strict := h.open(setup{core: func(c *core.Config) { c.NotBefore = h.clock.Now() }})
	fresh, without := s.client(), map[string]*reply{}
	for _, method := range []string{"GET", "HEAD"} {
		without[method] = fresh.do(method, "/get").wantsStatus(200)
		want := without[method]
		s.looksLike(want, method, "two of them", h.twoOf(live.token(), renewed.token())...)
		strict.looksLike(want, method, "from before the not-before time", h.line(live.token()))
		for what, token := range tokens {
			s.looksLike(want, method, what, h.line(token))
		}
	}
	live.has("k", "c")
	renewed.has("k", "e")
	if err := s.m.RevokeAll(h.Context()); err != nil {
		h.Errorf("RevokeAll: %v", err)
	}
	for method, want := range without {
		s.looksLike(want, method, "revoked", h.line(live.token()))
	}
}

// looksLike checks that the answer to a request with these header lines is exactly
// the answer without them.
func (s *site) looksLike(want *reply, method, what string, lines ...string) {
	s.Helper()
	got := s.raw(fmt.Sprintf("%s /get HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n\r\n", method, s.addr, strings.Join(lines, "\r\n")))
	if got.status != want.status || got.body != want.body || !sameHeader(got.header, want.header) {
		s.Errorf("%s, %s: %d %q %v, want as without a token: %d %q %v", method, what,
			got.status, got.body, got.header, want.status, want.body, want.header)
	}
}

func sparseInput(h *harness) {
	s := h.open(setup{routes: []Route{
		post("/keep", func(r Request) error {
			formFlash.Add(r.Session(), form{Name: r.Param("name"), Errors: map[string]string{r.Param("field"): r.Param("text")}})
			r.Session().Flash(r.Param("kind"), r.Param("text"))
			r.Session().Set("form", form{Name: r.Param("name")})
			return r.Text(200, "kept")
		}),
		get("/kept", func(r Request) error {
			f, _ := formFlash.Take(r.Session())
			v, _ := core.Get[form](r.Session(), "form")
			return r.Text(200, fmt.Sprintf("%v %v %v %v", f.Name, f.Errors, texts(r.Session().Flashes()), v))
		}),
	}})
	var wg sync.WaitGroup
	for range 4 { // so that other requests get the buffers
		rich, poor := s.client(), s.client()
		wg.Go(func() {
			for range 25 {
				rich.try("POST", "/keep?name=ann&field=iban&text=DE02120300000000202051&kind=error")
				r := rich.try("GET", "/kept")
				if want := "ann map[iban:DE02120300000000202051] error:DE02120300000000202051 {ann map[]}"; r.body != want {
					h.Errorf("all of it: %d %q %v, want %q", r.status, r.body, r.err, want)
				}
				poor.try("POST", "/keep")
				if r := poor.try("GET", "/kept"); r.body != " map[:] : { map[]}" {
					h.Errorf("nothing of it: %d %q %v", r.status, r.body, r.err)
				}
			}
		})
	}
	wg.Wait()
}

func flashSurvives(h *harness) {
	s := h.open(setup{routes: []Route{
		get("/show-panic", func(r Request) error { r.Session().Flashes(); panic("adaptertest: on purpose") }),
		get("/show-fail", func(r Request) error { r.Session().Flashes(); return r.Fail(500) }),
		post("/add-fail", func(r Request) error { r.Session().Flash("lost", "rolled back"); return r.Fail(500) }),
	}})
	c := s.client()
	c.post("/flash?kind=info&text=one&to=/flashes").wantsStatus(303)
	for range 3 { // layouts read flashes in every handler
		c.get("/flashes?to=/elsewhere").wantsStatus(303).setsNothing()
	}
	c.get("/flashes?status=500").wantsStatus(500)
	c.get("/flashes?status=304").wantsStatus(304)
	c.do("HEAD", "/flashes").wantsStatus(200)
	c.try("GET", "/show-panic")
	c.get("/show-fail").wantsStatus(500)
	told := h.events.count(core.EventRolledBack, "")
	c.post("/add-fail").wantsStatus(500)
	h.wantEvents(told+1, core.EventRolledBack, "")
	h.faults.down(opSave)
	c.get("/flashes").refusal(503, unavailableBody)
	c.post("/flash?kind=lost&text=unsaved").refusal(503, unavailableBody)
	h.faults.down(opLoad)
	c.get("/flashes").refusal(503, unavailableBody)
	h.faults.up()
	c.post("/flash?kind=info&text=two").wants(200, "flashed")
	c.get("/flashes").wants(200, "info:one|info:two")
	c.get("/flashes").wants(200, absent).setsNothing()
}

func timesAreApart(h *harness) {
	s := h.open(setup{routes: []Route{get("/times", func(r Request) error {
		s := r.Session()
		return r.Text(200, fmt.Sprint(s.CreatedAt().UnixMilli(), s.AuthenticatedAt().UnixMilli()))
	})}})
	c := s.client()
	c.login("ann")
	times := c.get("/times").body
	h.clock.advance(tick)
	future := h.clock.Now().Add(1000 * time.Hour).Format(time.RFC3339)
	for _, key := range []string{
		"deadline", "Deadline", "expires", "ExpiresAt", "created", "authenticated", "remembered", "idle", "lifetime",
		"_satchel", "_flash", "\x00", "user\x00", strings.Repeat("k", 300), "=;, \"", "user", "User", "_user", "flash", "id", "__proto__",
	} {
		c.post(query("/set", "key", key, "value", future)).wants(200, "set")
		c.has(key, future)
	}
	c.is(asAnn)
	c.post("/clear")
	c.is(asAnn)
	c.get("/times").wants(200, times)
	c.get("/flashes").wants(200, absent)
	for range 24 { // 11 hours and 36 minutes of activity
		h.clock.advance(29 * time.Minute)
		c.is(asAnn)
	}
	h.clock.advance(24*time.Minute - tick)
	c.is(anonymous)
}

func printedEverywhere(h *harness) {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	routes := append(userRoutes(), get("/json", func(r Request) error {
		infos, _ := r.Session().List(r.Context()) // not every backend can list
		logger.Info("handled", "session", r.Session(), "infos", infos, "context", fmt.Sprintf("%v %+v", r.Context(), r.Session().Context()))
		return r.JSON(200, map[string]any{"session": r.Session(), "infos": infos})
	}))
	s := h.open(setup{routes: append(routes, sizeRoutes()...)})
	c := s.client()
	c.set("k", "v4lue-c4n4ry")
	c.login("ann")
	token, id := c.token(), c.id().String()
	said := func(r *reply) {
		if r.err != nil {
			return
		}
		header := r.header.Clone()
		header.Del("Set-Cookie")
		header.Del(answerHeader)
		fmt.Fprintf(&log, "%d %v %s\n", r.status, header, r.body)
	}
	said(c.try("GET", "/json"))
	said(c.try("GET", "/sessions"))
	for _, o := range []op{opLoad, opSave, opDelete} {
		h.faults.hook(o, nil)
		h.faults.down(o)
		for _, target := range []string{"/set?value=x", "/renew", "/logout", "/login?user=ann", "/revoke-others", "/incr"} {
			said(c.twin().try("POST", target))
		}
		h.faults.up()
	}
	said(c.try("POST", "/fill?key=huge&size=1000000"))
	said(s.rawGet("/get", h.twoOf(token, flip(token, 5))...))
	said(s.with(flip(token, 30)).try("GET", "/json"))
	fmt.Fprintf(&log, "%v %+v %v", s.m, s.m, h.events.list())
	for what, secret := range map[string]string{"token": token, "secret": token[len(token)-24:], "value": "v4lue-c4n4ry"} {
		if strings.Contains(log.String(), secret) {
			h.Errorf("the %s is in what was logged and answered", what)
		}
	}
	if strings.Count(log.String(), id) < 2 {
		h.Errorf("the public ID is not in log and answer, so the case has shown nothing")
	}
}

// repeating is a random source that answers every other read with bytes that it
// returned before.
type repeating struct {
	mu      sync.Mutex
	drawn   map[int][]byte
	again   map[int]bool
	repeats int
}

func (r *repeating) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.again == nil {
		r.again = map[int]bool{}
	}
	n := len(p)
	if r.again[n] {
		r.again[n] = false
		r.repeats++
		return copy(p, r.drawn[n]), nil
	}
	_, _ = rand.Read(p) // never fails
	r.drawn[n], r.again[n] = bytes.Clone(p), true
	return n, nil
}
