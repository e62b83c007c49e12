package core_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

// app is a client of its own: no browser, one that keeps the headers of answers.
type app struct {
	t      *testing.T
	m      *core.Manager
	answer string // the header of answers
	scheme string // before the token, in request
	in     string // the header of requests
	kept   map[string]string
	origin string
}

func newApp(t *testing.T, m *core.Manager) *app {
	return &app{t: t, m: m, answer: "Session-Token", in: "Authorization", scheme: "Bearer ", kept: map[string]string{}}
}

func (a *app) begin(lines ...string) (*exchange, *core.Session) {
	a.t.Helper()
	x := &exchange{ctx: a.t.Context(), method: "GET", response: map[string]string{}, lines: map[string][]string{}, header: map[string]string{"Origin": a.origin}}
	if token := a.kept[a.answer]; token != "" {
		x.lines[a.in] = []string{a.scheme + token}
	}
	if touch := a.kept[a.answer+"-Touch"]; touch != "" {
		x.lines[a.answer+"-Touch"] = []string{touch}
	}
	if len(lines) > 0 {
		x.lines[a.in] = lines
	}
	s, err := a.m.Load(x)
	if err != nil {
		a.t.Fatal(err)
	}
	return x, s
}

func (a *app) end(x *exchange, s *core.Session, status int) {
	a.t.Helper()
	if err := a.m.Commit(x, s, status); err != nil {
		a.t.Errorf("commit: %v", err)
	}
	a.m.Finish(s)
	for _, name := range []string{a.answer, a.answer + "-Touch"} {
		if value, ok := x.response[name]; ok {
			a.kept[name] = value
		}
	}
	if len(x.setCookie) > 0 {
		a.t.Errorf("a header's Manager sets a cookie: %q", x.setCookie)
	}
}

func (a *app) do(f func(*core.Session)) *exchange {
	a.t.Helper()
	x, s := a.begin()
	f(s)
	a.end(x, s, 200)
	return x
}

func (a *app) has(want string) {
	a.t.Helper()
	a.do(func(s *core.Session) {
		if got, _ := core.Get[string](s, "k"); got != want {
			a.t.Errorf("the session has %q, want %q", got, want)
		}
	})
}

func bearerManager(t *testing.T, b core.Backend, edit ...func(*core.Config)) *core.Manager {
	t.Helper()
	c := core.Config{Carrier: core.Bearer, Observer: func(context.Context, core.Event) {}}
	for _, f := range edit {
		f(&c)
	}
	m, err := core.New(b, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func inMemory() core.Backend {
	return core.ServerSide(memstore.New(memstore.Config{SweepInterval: -1}))
}

func keyring(t *testing.T) *sealed.Keyring {
	t.Helper()
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestC7AnswerHeaderOnce: an answer has the token once, at the commit, with what keeps
// it out of caches and shows it to scripts of another origin.
func TestC7AnswerHeaderOnce(t *testing.T) {
	a := newApp(t, bearerManager(t, inMemory()))
	a.origin = "https://spa.example"
	x, s := a.begin()
	s.Set("k", "v")
	if err := s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := x.response["Session-Token"]; got != "" {
		t.Errorf("the header has the token before the response begins: %q", got)
	}
	first := s.IssuedToken()
	s.Login("ann")
	a.end(x, s, 200)
	token := x.response["Session-Token"]
	if len(token) != 64 || token == first || s.IssuedToken() != token {
		t.Errorf("token %q in the header; issued %q, then %q", token, first, s.IssuedToken())
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Vary": "Authorization", "Access-Control-Expose-Headers": "Session-Token"} {
		if got := x.response[name]; got != want {
			t.Errorf("C7: %s is %q, want %q", name, got, want)
		}
	}
	a.has("v")
	x = a.do(func(s *core.Session) {
		s.Logout()
	})
	if got, ok := x.response["Session-Token"]; !ok || got != "" || x.response["Cache-Control"] != "no-store" {
		t.Errorf("after a logout, the header is %q, %v", got, ok)
	}
	a.kept["Session-Token"] = token
	a.has("")
	x = a.do(func(*core.Session) {})
	if len(x.response) != 0 {
		t.Errorf("C2: a request that used nothing answers %v", x.response)
	}
}

// TestC7ExposedHeadersOfOthersStay: what CORS middleware has exposed stays, and an
// asterisk is enough unless credentials make it a name.
func TestC7ExposedHeadersOfOthersStay(t *testing.T) {
	m := bearerManager(t, inMemory())
	for _, c := range []struct{ origin, before, credentials, want string }{
		{"", "X-Total", "", "X-Total"},
		{"https://a.example", "", "", "Session-Token"},
		{"https://a.example", "X-Total", "", "X-Total, Session-Token"},
		{"https://a.example", "session-token, X-Total", "", "session-token, X-Total"},
		{"https://a.example", "*", "", "*"},
		{"https://a.example", "*", "true", "*, Session-Token"},
	} {
		a := newApp(t, m)
		a.origin = c.origin
		x, s := a.begin()
		if c.before != "" {
			x.response["Access-Control-Expose-Headers"] = c.before
		}
		x.response["Access-Control-Allow-Credentials"] = c.credentials
		s.Set("k", "v")
		a.end(x, s, 200)
		if got := x.response["Access-Control-Expose-Headers"]; got != c.want {
			t.Errorf("C7: %+v: exposed %q", c, got)
		}
	}
}

// TestSEC8SEC41CarriersDoNotMix: on one store, and with one key, a token is worthless in
// every carrier but its own.
func TestSEC8SEC41CarriersDoNotMix(t *testing.T) {
	for name, b := range map[string]core.Backend{"memory": inMemory(), "sealed": core.ClientSide(sealed.Cookie(keyring(t)))} {
		carriers := map[string]core.Carrier{"bearer": core.Bearer, "header": core.Header("X-Session"), "other": core.Header("x-token")}
		tokens := map[string]string{}
		ms := map[string]*core.Manager{}
		apps := func(which string) *app {
			a := newApp(t, ms[which])
			if which != "bearer" {
				a.in, a.scheme = carriers[which].String(), ""
				a.answer = a.in
			}
			return a
		}
		for which, carrier := range carriers {
			ms[which] = bearerManager(t, b, func(c *core.Config) { c.Carrier = carrier })
			a := apps(which)
			a.do(func(s *core.Session) {
				s.Set("k", which)
				if s.Carrier() != carrier {
					t.Errorf("%s: carrier %v", which, s.Carrier())
				}
			})
			a.has(which)
			tokens[which] = a.kept[a.answer]
		}
		web := newClient(t, bearerManager(t, b, func(c *core.Config) { c.Carrier = core.Carrier{} }))
		r := web.begin()
		r.s.Set("k", "cookie")
		if err := r.s.Commit(t.Context()); err != nil || r.s.IssuedToken() != "" {
			t.Errorf("E1: a cookie's token is issued to scripts: %v", err)
		}
		if err := r.end(200); err != nil {
			t.Fatal(err)
		}
		tokens["cookie"] = web.jar["__Host-session"]
		for from, token := range tokens {
			for to := range carriers {
				if from == to {
					continue
				}
				a := apps(to)
				a.kept[a.answer] = token
				a.has("")
			}
			if from != "cookie" {
				web.jar["__Host-session"] = token
				r := web.begin()
				if !r.s.IsNew() {
					t.Errorf("%s: a token for %s opens as a cookie", name, from)
				}
				r.s.Logout()
				_ = r.end(200)
			}
		}
	}
}

// TestSEC10Challenge: a 401 says that a token was no good, never why.
func TestSEC10Challenge(t *testing.T) {
	now := newClock()
	var bad error
	m := bearerManager(t, core.ServerSide(memstore.New(memstore.Config{SweepInterval: -1, Now: now.now})), func(c *core.Config) {
		c.Now, c.Check = now.now, func(context.Context, *core.Session) error { return bad }
	})
	a := newApp(t, m)
	challenge := func(lines ...string) (said string) {
		x, s := a.begin(lines...)
		said = s.Challenge()
		a.end(x, s, 401)
		return said
	}
	invalid := `Bearer error="invalid_token"`
	if got := challenge(); got != "Bearer" {
		t.Errorf("without a token: %q", got)
	}
	if got := challenge("Basic abc"); got != "Bearer" {
		t.Errorf("with another scheme: %q", got)
	}
	a.do(func(s *core.Session) { s.Set("k", "v") })
	live := "Bearer " + a.kept["Session-Token"]
	if got := challenge(); got != "Bearer" {
		t.Errorf("anonymous, but with a session: %q", got)
	}
	for what, lines := range map[string][]string{
		"malformed": {"Bearer ?"}, "two": {live, live}, "unknown": {"Bearer " + strings.Repeat("A", 64)}, "altered": {live[:30] + strings.Repeat("x", len(live)-30)},
	} {
		if got := challenge(lines...); got != invalid {
			t.Errorf("SEC10: %s: %q", what, got)
		}
	}
	bad = errors.New("no longer")
	if got := challenge(live); got != invalid {
		t.Errorf("SEC10: refused by Check: %q", got)
	}
	bad = nil
	a.kept = map[string]string{}
	a.do(func(s *core.Session) { s.Set("k", "v") })
	now.advance(31 * time.Minute)
	if got := challenge(); got != invalid {
		t.Errorf("SEC10: expired: %q", got)
	}
	for _, other := range []core.Carrier{{}, core.Header("X-Session")} {
		s := bearerManager(t, inMemory(), func(c *core.Config) { c.Carrier = other }).NewSession(t.Context())
		if got := s.Challenge(); got != "" {
			t.Errorf("%s: challenge %q", other, got)
		}
	}
}

// TestI3RememberChangesTimeoutsAlone: there is no cookie that could outlive a browser.
func TestI3RememberChangesTimeoutsAlone(t *testing.T) {
	a := newApp(t, bearerManager(t, inMemory()))
	a.do(func(s *core.Session) { s.Login("ann") })
	before := a.kept["Session-Token"]
	x, s := a.begin()
	s.Remember(true)
	a.end(x, s, 200)
	if _, ok := x.response["Session-Token"]; ok || !s.IsRemembered() || time.Until(s.IdleExpiresAt()) < 24*time.Hour {
		t.Errorf("remembered: %v until %v; header %q", s.IsRemembered(), s.IdleExpiresAt(), x.response)
	}
	if a.kept["Session-Token"] != before {
		t.Error("Remember has replaced the token")
	}
	a.do(func(s *core.Session) { s.SetTimeouts(48*time.Hour, 0) })
	if a.kept["Session-Token"] != before {
		t.Error("SetTimeouts has handed out the token")
	}
}

// TestL4NothingToForgetInAHeader: a client that has presented no token is not told to forget one.
func TestL4NothingToForgetInAHeader(t *testing.T) {
	a := newApp(t, bearerManager(t, inMemory()))
	x, s := a.begin()
	s.Set("k", "v")
	if err := s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Logout()
	a.end(x, s, 200)
	if token, ok := x.response["Session-Token"]; ok {
		t.Errorf("Session-Token: %q", token)
	}
}

// TestT2ReadingUndoesNothingInAHeader: a client-side session that is only read stays
// alive, and what a late answer to a read says takes nothing back that was written.
func TestT2ReadingUndoesNothingInAHeader(t *testing.T) {
	now := newClock()
	m := bearerManager(t, core.ClientSide(sealed.Cookie(keyring(t))), func(c *core.Config) { c.Now = now.now })
	a := newApp(t, m)
	a.do(func(s *core.Session) { s.Set("k", "old") })
	token := a.kept["Session-Token"]
	for range 6 {
		now.advance(20 * time.Minute)
		a.has("old")
	}
	if a.kept["Session-Token"] != token || a.kept["Session-Token-Touch"] == "" {
		t.Fatalf("T2: touches have replaced the token, or there are none: %v", a.kept)
	}
	now.advance(20 * time.Minute)
	reading, readers := a.begin()
	_, _ = core.Get[string](readers, "k")
	a.do(func(s *core.Session) { s.Set("k", "new") })
	a.end(reading, readers, 200) // arrives last
	if reading.response["Session-Token-Touch"] == "" {
		t.Fatal("the read did not touch, so nothing is shown")
	}
	a.has("new")
	now.advance(20 * time.Minute)
	a.has("new")
	reading, readers = a.begin()
	_, _ = core.Get[string](readers, "k")
	a.do(func(s *core.Session) { s.Logout() })
	a.end(reading, readers, 200)
	a.has("")
	delete(a.kept, "Session-Token-Touch")
	a.kept["Session-Token"] = token
	x, s := a.begin()
	if !s.IsNew() {
		t.Error("T1: without its touch, the token outlives its idle timeout")
	}
	a.end(x, s, 200)
}

// TestSEC27ImpossibleCarriers: what could not work is refused at the start.
func TestSEC27ImpossibleCarriers(t *testing.T) {
	for what, c := range map[string]core.Config{
		"no name":              {Carrier: core.Header("")},
		"a blank":              {Carrier: core.Header("X Session")},
		"an underscore":        {Carrier: core.Header("X_Session")},
		"Authorization itself": {Carrier: core.Header("authorization")},
		"Cookie":               {Carrier: core.Header("cookie")},
		"Sec-":                 {Carrier: core.Header("Sec-Session")},
		"answer in Set-Cookie": {Carrier: core.Bearer.AnswerIn("set-cookie")},
		"answer in itself":     {Carrier: core.Bearer.AnswerIn("Authorization")},
		"no answer":            {Carrier: core.Header("X-Session").AnswerIn("")},
		"a cookie's name":      {Carrier: core.Bearer, Cookie: core.Cookie{Name: "sid"}},
		"a cookie's parts":     {Carrier: core.Bearer, Cookie: core.Cookie{MaxParts: 2}},
		"short tokens":         {Carrier: core.Bearer, MaxHeaderToken: 63},
		"long tokens":          {Carrier: core.Bearer, MaxHeaderToken: 64001},
	} {
		if _, err := core.New(inMemory(), c); err == nil {
			t.Errorf("%s: New accepts it", what)
		}
	}
	if _, err := core.New(inMemory(), core.Config{Carrier: core.Bearer, Cookie: core.Cookie{Domain: "example.com"}}); err == nil || !strings.Contains(err.Error(), "Config.Cookie") {
		t.Errorf("both: %v", err)
	}
	for _, c := range []core.Carrier{core.Bearer, core.Header("x-session"), core.Bearer.AnswerIn("X-New-Token"), core.Header("X-Session").AnswerIn("X-New")} {
		if _, err := core.New(inMemory(), core.Config{Carrier: c}); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
	if core.Header("x-session") != core.Header("X-SESSION") {
		t.Error("the case of a header's name matters")
	}
}

// TestTwoManagersWithOneHeader panics as two with one cookie do, also if the header is
// that of answers or of touches alone.
func TestTwoManagersWithOneHeader(t *testing.T) {
	load := func(a, b core.Carrier) (panicked string) {
		manager := func(carrier core.Carrier) *core.Manager {
			return bearerManager(t, inMemory(), func(c *core.Config) { c.Carrier = carrier })
		}
		s, err := manager(a).Load(&exchange{ctx: t.Context()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { panicked, _ = recover().(string) }()
		_, _ = manager(b).Load(&exchange{ctx: s.Context()})
		return ""
	}
	for _, c := range []struct {
		a, b core.Carrier
		want string // "" if they can serve one request
	}{
		{core.Bearer, core.Bearer, "Authorization"},
		{core.Bearer, core.Bearer.AnswerIn("X-Other"), "Authorization"},
		{core.Bearer, core.Header("Session-Token"), "Session-Token"},
		{core.Header("X-Session").AnswerIn("session-token"), core.Bearer, "Session-Token"},
		{core.Header("Session-Token-Touch"), core.Bearer, "Session-Token"},
		{core.Bearer, core.Header("Session-Token-Touch"), "Session-Token-Touch"},
		{core.Bearer, core.Header("X-Session"), ""},
		{core.Header("X-One"), core.Header("X-Two"), ""},
		{core.Carrier{}, core.Bearer, ""},
		{core.Bearer, core.Carrier{}, ""},
	} {
		got := load(c.a, c.b)
		if got != "" && (!strings.Contains(got, "the same header, "+c.want+":") || !strings.Contains(got, "Config.Carrier")) || (got == "") != (c.want == "") {
			t.Errorf("%v and %v: panicked with %q, want %q", c.a, c.b, got, c.want)
		}
	}
}
