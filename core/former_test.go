package core_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// cookieJar is a client that keeps cookies as browsers do: by name, domain, path and partition.
type cookieJar struct {
	*client
	cookies map[[2]string]string // name, and what else tells cookies apart
}

func newCookieJar(t *testing.T, m *core.Manager) *cookieJar {
	return &cookieJar{newClient(t, m), map[[2]string]string{}}
}

// visit sends a request to m with all cookies.
func (b *cookieJar) visit(m *core.Manager, handler func(*core.Session)) *exchange {
	b.t.Helper()
	var pairs []string
	for key, value := range b.cookies {
		pairs = append(pairs, key[0]+"="+value)
	}
	x := &exchange{ctx: b.t.Context(), method: "GET", response: map[string]string{}, cookies: pairs}
	s, err := m.Load(x)
	if err != nil {
		b.t.Fatal(err)
	}
	handler(s)
	if err := m.Commit(x, s, 200); err != nil {
		b.t.Fatal(err)
	}
	m.Finish(s)
	for _, line := range x.setCookie {
		pair, attributes, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		key := [2]string{name, ""}
		for attribute := range strings.SplitSeq(attributes, ";") {
			if attribute = strings.TrimSpace(attribute); strings.HasPrefix(attribute, "Domain=") || strings.HasPrefix(attribute, "Path=") || attribute == "Partitioned" {
				key[1] += attribute + ";"
			}
		}
		if b.cookies[key] = value; value == "" {
			delete(b.cookies, key)
		}
	}
	return x
}

func (b *cookieJar) user(m *core.Manager) (user string) {
	b.t.Helper()
	b.visit(m, func(s *core.Session) { user = s.UserID() })
	return user
}

func signIn(s *core.Session) { s.Login("ann") }

// changes are changes of a cookie's attributes under one name.
var changes = map[string]struct{ was, is core.Cookie }{
	"domain":      {core.Cookie{Name: "s"}, core.Cookie{Name: "s", Domain: "example.com"}},
	"host":        {core.Cookie{Name: "s", Domain: "example.com"}, core.Cookie{Name: "s"}},
	"path":        {core.Cookie{Name: "s", Path: "/app"}, core.Cookie{Name: "s"}},
	"partitioned": {core.Cookie{Name: "s", SameSite: core.SameSiteNone}, core.Cookie{Name: "s", SameSite: core.SameSiteNone, Partitioned: true}},
	"all":         {core.Cookie{Name: "s"}, core.Cookie{Name: "s", Domain: "example.com", Path: "/app", SameSite: core.SameSiteNone, Partitioned: true}},
}

// sides runs a test before and after a change of the cookie, on both kinds of backends.
func sides(t *testing.T, test func(t *testing.T, was, is, without *core.Manager, w *world)) {
	for what, change := range changes {
		t.Run(what, func(t *testing.T) {
			both(t, func(t *testing.T, w *world) {
				using := func(c core.Cookie) *core.Manager {
					c.MaxParts = 5
					return w.sharing(func(config *core.Config) { config.Cookie = c })
				}
				former := change.is
				former.Former = []core.Cookie{change.was}
				test(t, using(change.was), using(former), using(change.is), w)
			})
		})
	}
}

// Whoever has both cookies, from before Former was set, is locked out until the
// next answer, and no session ends.
func TestL2FormerCookiesEndALockout(t *testing.T) {
	sides(t, func(t *testing.T, was, is, without *core.Manager, _ *world) {
		b := newCookieJar(t, was)
		b.visit(was, signIn)
		b.visit(without, signIn)
		for range 3 {
			b.visit(without, signIn)
			if b.user(without) != "" || len(b.cookies) != 2 {
				t.Fatalf("the test locks nobody out: %v", b.cookies)
			}
		}
		x := b.visit(is, func(s *core.Session) {
			if s.UserID() != "" {
				t.Error("L2: one of two cookies was used")
			}
		})
		if x.response["Cache-Control"] != "no-store" || len(x.setCookie) != 1 || !strings.Contains(x.setCookie[0], "Max-Age=0") {
			t.Errorf("the answer to two cookies: %q, %v", x.setCookie, x.response)
		}
		if user := b.user(is); user != "ann" || len(b.cookies) != 1 {
			t.Errorf("the lockout goes on: user %q, cookies %v", user, b.cookies)
		}
		if x := b.visit(is, func(s *core.Session) { s.UserID() }); len(x.setCookie) != 0 {
			t.Errorf("C2: later, a request that only reads sets %q", x.setCookie)
		}
	})
}

// The end of the lockout must not undo a logout that came with both cookies.
func TestL2LogoutWithTwoCookiesDeletesBoth(t *testing.T) {
	sides(t, func(t *testing.T, was, is, without *core.Manager, _ *world) {
		for what, logout := range map[string]func(*core.Session){
			"logout":             (*core.Session).Logout,
			"login, then logout": func(s *core.Session) { signIn(s); s.Logout() },
			"logout, then flash": func(s *core.Session) { s.Logout(); s.Flash("info", "Bye.") },
			"logout, then error": func(s *core.Session) { s.Logout(); s.Rollback() },
		} {
			b := newCookieJar(t, was)
			b.visit(was, signIn)
			b.visit(without, signIn)
			b.visit(is, logout)
			if user := b.user(is); user != "" || len(b.cookies) > 1 {
				t.Errorf("%s: user %q, cookies %v", what, user, b.cookies)
			}
		}
	})
}

// With Former set from the beginning, no client ever has two cookies.
func TestL2FormerCookiesPreventALockout(t *testing.T) {
	sides(t, func(t *testing.T, was, is, _ *core.Manager, w *world) {
		b := newCookieJar(t, was)
		b.visit(was, func(s *core.Session) { s.Login("ann"); s.Set("k", strings.Repeat("long ", 1200)) })
		if x := b.visit(is, func(s *core.Session) { _ = s.UserID() }); len(x.setCookie) != 0 || b.user(is) != "ann" {
			t.Fatalf("C2: a request that only reads sets %q", x.setCookie)
		}
		w.clock.advance(20 * time.Minute)
		b.visit(is, func(s *core.Session) { _ = s.UserID() }) // touches
		w.clock.advance(20 * time.Minute)
		if b.user(is) != "ann" {
			t.Fatal("T1: a touch ended the session")
		}
		b.visit(is, func(s *core.Session) { s.Login("ann"); s.Delete("k") })
		if user := b.user(is); user != "ann" || len(b.cookies) != 1 {
			t.Fatalf("after the next login: user %q, cookies %v", user, b.cookies)
		}
		b.visit(is, func(s *core.Session) { s.Logout() })
		if len(b.cookies) != 0 {
			t.Errorf("left after the logout: %v", b.cookies)
		}
	})
}

// A logout with a former cookie leaves nothing of it: neither parts nor touches.
func TestL2FormerPartsAndTouchesGo(t *testing.T) {
	sides(t, func(t *testing.T, was, is, _ *core.Manager, w *world) {
		b := newCookieJar(t, was)
		b.visit(was, func(s *core.Session) { s.Login("ann"); s.Set("k", strings.Repeat("long ", 1200)) })
		w.clock.advance(20 * time.Minute)
		b.visit(was, func(s *core.Session) { _ = s.UserID() })
		b.visit(is, func(s *core.Session) { s.Logout() })
		if len(b.cookies) != 0 {
			t.Errorf("left after the logout: %v", b.cookies)
		}
	})
}

// A former cookie with another name goes when its successor is set. A touch sets no
// successor: the session is still in the former cookie.
func TestL2FormerNameGoesWithItsParts(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		was := w.sharing(func(c *core.Config) { c.Cookie = core.Cookie{Name: "old", MaxParts: 5} })
		is := w.sharing(func(c *core.Config) { c.Cookie = core.Cookie{Name: "new", Former: []core.Cookie{{Name: "old"}}} })
		b := newCookieJar(t, was)
		b.visit(was, func(s *core.Session) { s.Login("ann"); s.Set("k", strings.Repeat("long ", 1200)) })
		w.clock.advance(20 * time.Minute)
		b.visit(was, func(s *core.Session) { _ = s.UserID() })
		b.visit(is, signIn)
		if user := b.user(is); user != "ann" || len(b.cookies) != 1 {
			t.Errorf("user %q, cookies %v", user, b.cookies)
		}
	})
}

func TestL2FormerCookiesThatNewRefuses(t *testing.T) {
	for what, c := range map[string]core.Cookie{
		"today's":               {Name: "s", Former: []core.Cookie{{Name: "s"}}},
		"today's by default":    {Former: []core.Cookie{{}}},
		"today's domain":        {Name: "s", Domain: "example.com", Former: []core.Cookie{{Name: "s", Domain: ".Example.com", Path: "/"}}},
		"another SameSite":      {Name: "s", Former: []core.Cookie{{Name: "s", SameSite: core.SameSiteStrict}}},
		"one with a Former":     {Name: "s", Former: []core.Cookie{{Name: "t", Former: []core.Cookie{{Name: "u"}}}}},
		"one that cannot exist": {Name: "s", Former: []core.Cookie{{Name: "__Host-t", Domain: "example.com"}}},
	} {
		if _, err := core.New(core.ServerSide(newMemory(t)), core.Config{Cookie: c}); err == nil || !strings.HasPrefix(err.Error(), "core: Cookie.Former[0]") {
			t.Errorf("%s: %v", what, err)
		}
	}
	former := []core.Cookie{{Name: "t"}}
	m, err := core.New(core.ServerSide(newMemory(t)), core.Config{Cookie: core.Cookie{Name: "s", Former: former}})
	if err != nil {
		t.Fatal(err)
	}
	former[0].Name = "s" // New has copied it
	if x := newCookieJar(t, m).visit(m, signIn); len(x.setCookie) != 2 || !strings.HasPrefix(x.setCookie[0], "t=;") {
		t.Errorf("%q", x.setCookie)
	}
}

// One event, at the second request with two cookies, says what to do.
func TestL2RepeatedDuplicatesAreTold(t *testing.T) {
	w := server(t)
	twice := func(m *core.Manager) {
		x := newClient(t, m).exchange()
		x.cookies = []string{"__Host-session=a; __Host-session=b"}
		if _, err := m.Load(x); err != nil {
			t.Fatal(err)
		}
	}
	twice(w.m)
	if w.events.count(core.EventDuplicates) != 0 {
		t.Error("one request with two cookies is told as many")
	}
	for range 3 {
		twice(w.m)
	}
	if n := w.events.count(core.EventDuplicates); n != 1 {
		t.Fatalf("%d events", n)
	}
	e := w.events.all[slices.IndexFunc(w.events.all, func(e core.Event) bool { return e.Kind == core.EventDuplicates })]
	if !strings.Contains(e.Detail, "Former") || !strings.Contains(e.Detail, "__Host-session") {
		t.Errorf("it does not say what to do: %s", e.Detail)
	}
	m := w.sharing(func(c *core.Config) {
		c.Cookie.Former = []core.Cookie{{Name: "__Secure-session", Domain: "example.com"}}
	})
	twice(m)
	twice(m)
	if n := w.events.count(core.EventDuplicates); n != 1 {
		t.Error("told although Former ends it")
	}
}

// A connection that the handler takes over gets the deletions with the cookie.
func TestL2FormerCookiesInWriteCookie(t *testing.T) {
	w := server(t, func(c *core.Config) {
		c.Cookie = core.Cookie{Name: "s", Former: []core.Cookie{{Name: "s", Domain: "example.com"}}}
	})
	r := newClient(t, w.m).begin()
	r.s.Login("ann")
	if err := r.s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := w.m.WriteCookie(r.s)
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "s=; Path=/; Domain=example.com; Max-Age=0") {
		t.Errorf("%q", lines)
	}
	if err := r.end(core.StatusHijacked); err != nil || len(r.x.setCookie) != 2 || w.events.count(core.EventTooLate) != 0 || w.events.count(core.EventCookieClash) != 0 {
		t.Errorf("%v, %q", err, r.x.setCookie)
	}
}
