package gorillastore

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

func TestSessionLife(t *testing.T) {
	s := newSite(t, Cookie(cookieStore("a"), CookieConfig{}), nil)
	s.do(func(*core.Session) {})
	if len(s.last) != 0 {
		t.Fatalf("C1: %v", s.last)
	}
	var id core.ID
	s.do(func(x *core.Session) {
		x.Set("n", 1)
		x.Set("list", []string{"a"})
		x.Flash("", "plain")
		x.Flash("error", "kind")
	})
	s.do(func(x *core.Session) {
		id = x.ID()
		core.Update(x, "n", func(n int) int { return n + 1 })
		x.Login("u-1")
	})
	s.do(func(x *core.Session) {
		n, _ := core.Get[int](x, "n")
		list, _ := core.Get[[]string](x, "list")
		if n != 2 || !slices.Equal(list, []string{"a"}) || x.ID() != id || x.UserID() != "u-1" {
			t.Errorf("n %d, list %v, ID %v of %v, user %q", n, list, x.ID(), id, x.UserID())
		}
		if got := x.Flashes(); !slices.Equal(got, []core.Flash{{Text: "plain"}, {Kind: "error", Text: "kind"}}) {
			t.Errorf("F4: %v", got)
		}
	})
	s.do(func(x *core.Session) {
		if got := x.Flashes(); len(got) != 0 {
			t.Errorf("F6: shown twice: %v", got)
		}
		if _, err := s.m.List(t.Context(), "u-1"); err == nil {
			t.Error("I2: sessions are listed")
		}
		x.Logout()
	})
	if len(s.cookies) != 0 || len(s.last) != 1 || s.last[0].Value != "" {
		t.Errorf("I3: after the logout: %v, set %v", s.cookies, s.last)
	}
}

// PEERS: the cookie that gorilla sends at a logout holds the whole session.
func TestI3LogoutCookieRestoresNothing(t *testing.T) {
	s := newSite(t, Cookie(cookieStore("a"), CookieConfig{}), nil)
	s.do(func(x *core.Session) { x.Set("k", "v"); x.Login("u-1") })
	s.do(func(x *core.Session) { x.Logout(); x.Flash("info", "Signed out.") })
	s.do(func(x *core.Session) {
		if _, ok := core.Get[string](x, "k"); ok || x.UserID() != "" {
			t.Error("the logout's cookie has the session in it")
		}
		if len(x.Flashes()) != 1 {
			t.Error("I3: the flash after the logout is lost")
		}
	})
}

// PEERS: two saves, one Set-Cookie; our attributes and not gorilla's.
func TestC7SEC25SetCookie(t *testing.T) {
	s := newSite(t, Cookie(cookieStore("a"), CookieConfig{}), func(c *core.Config) { c.Cookie.Name = "" })
	w := s.do(func(x *core.Session) {
		for _, v := range []string{"a", "b"} {
			x.Set("k", v)
			if err := x.Commit(t.Context()); err != nil {
				t.Error(err)
			}
		}
		x.Renew()
		x.Flash("", "f")
	})
	if len(s.last) != 1 {
		t.Fatalf("C7: %d Set-Cookie lines", len(s.last))
	}
	c := s.last[0]
	if c.Name != "__Host-session" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 0 || !c.Expires.IsZero() {
		t.Errorf("SEC25: %s", w.Header().Get("Set-Cookie"))
	}
}

// PEERS: in gorilla, two stores share one session object under one name.
func TestSEC8TwoBackendsUnderOneName(t *testing.T) {
	keys := pairs("a")
	for name, other := range map[string]*site{
		"other keys":          newSite(t, Cookie(cookieStore("b"), CookieConfig{}), nil),
		"other cookie name":   newSite(t, Cookie(sessions.NewCookieStore(keys...), CookieConfig{}), func(c *core.Config) { c.Cookie.Name = "other" }),
		"other namespace":     newSite(t, Cookie(sessions.NewCookieStore(keys...), CookieConfig{}), func(c *core.Config) { c.Namespace = "admin" }),
		"the same everything": newSite(t, Cookie(sessions.NewCookieStore(keys...), CookieConfig{}), nil),
	} {
		s := newSite(t, Cookie(sessions.NewCookieStore(keys...), CookieConfig{}), nil)
		s.do(func(x *core.Session) { x.Set("k", "v") })
		other.cookies["session"], other.cookies["other"] = s.cookies["session"], s.cookies["session"]
		other.do(func(x *core.Session) {
			if _, ok := core.Get[string](x, "k"); ok != (name == "the same everything") {
				t.Errorf("SEC8: %s: found %v", name, ok)
			}
		})
	}
}

func TestSEC14ExpiryIsInside(t *testing.T) {
	s := newSite(t, Cookie(cookieStore("a"), CookieConfig{}), nil)
	has := func() (ok bool) {
		s.do(func(x *core.Session) { _, ok = core.Get[string](x, "k") })
		return ok
	}
	s.do(func(x *core.Session) { x.Set("k", "v") })
	saved := s.cookies["session"]
	if s.now = s.now.Add(29 * time.Minute); !has() {
		t.Error("T1: ended before the idle timeout")
	}
	if s.cookies["session"] != saved {
		t.Error("T2: reading set the session's cookie")
	}
	delete(s.cookies, "session-touch")
	if s.now = s.now.Add(time.Minute); has() {
		t.Error("SEC14: the idle timeout is over")
	}
	s.do(func(x *core.Session) { x.Set("k", "v") })
	for range 36 {
		s.now = s.now.Add(20 * time.Minute)
		s.do(func(x *core.Session) { x.Renew() })
	}
	if has() {
		t.Error("SEC12: the absolute lifetime is over")
	}
}

func TestSEC36PartsAreAtomic(t *testing.T) {
	s := newSite(t, Cookie(cookieStore("a"), CookieConfig{}), func(c *core.Config) { c.Cookie.MaxParts = 5 })
	size := func() (n int) {
		s.do(func(x *core.Session) {
			blob, _ := core.Get[[]byte](x, "blob")
			n = len(blob)
		})
		return n
	}
	s.do(func(x *core.Session) { x.Set("blob", make([]byte, 5000)) })
	first := maps.Clone(s.cookies)
	if len(first) < 2 || size() != 5000 {
		t.Fatalf("E2: %d cookies, %d bytes", len(first), size())
	}
	s.do(func(x *core.Session) { x.Set("blob", make([]byte, 5001)) })
	second := maps.Clone(s.cookies)
	for name := range first {
		s.cookies = maps.Clone(second)
		s.cookies[name] = first[name]
		if size() != 0 {
			t.Errorf("SEC36: opens with an older %s", name)
		}
		s.cookies = maps.Clone(second)
		delete(s.cookies, name)
		if size() != 0 {
			t.Errorf("SEC36: opens without %s", name)
		}
	}
	s.cookies = maps.Clone(second)
	s.do(func(x *core.Session) { x.Set("blob", make([]byte, 10)) })
	if len(s.cookies) != 1 || size() != 10 {
		t.Errorf("SEC36: stale parts stay: %d cookies", len(s.cookies))
	}
}

func TestSEC44RotationReseals(t *testing.T) {
	old := newSite(t, Cookie(cookieStore("old"), CookieConfig{}), nil)
	old.do(func(x *core.Session) { x.Set("k", "v") })
	s := newSite(t, Cookie(cookieStore("new", "old"), CookieConfig{}), nil)
	s.cookies = old.cookies
	s.do(func(x *core.Session) { x.Keys() })
	if len(s.last) != 0 {
		t.Errorf("SEC44: reading seals anew: %v", s.last)
	}
	s.do(func(x *core.Session) { x.Set("n", 1) })
	if len(s.last) != 1 {
		t.Fatalf("SEC44: not sealed anew: %v", s.last)
	}
	after := newSite(t, Cookie(cookieStore("new"), CookieConfig{}), nil)
	after.cookies = s.cookies
	after.do(func(x *core.Session) {
		if v, _ := core.Get[string](x, "k"); v != "v" {
			t.Error("SEC44: what was sealed anew needs the old key")
		}
	})
}

func TestReservedKeysAreTheApplications(t *testing.T) {
	s := newSite(t, Cookie(cookieStore("a"), CookieConfig{}), nil)
	s.do(func(x *core.Session) {
		x.Set("_satchel", []byte("header?"))
		x.Set("_flash", []string{"flash?"})
		x.Login("u-1")
	})
	s.do(func(x *core.Session) {
		head, _ := core.Get[[]byte](x, "_satchel")
		list, _ := core.Get[[]string](x, "_flash")
		if string(head) != "header?" || len(list) != 1 || x.UserID() != "u-1" || len(x.PeekFlashes()) != 0 {
			t.Errorf("SEC65: %q %q %q", head, list, x.UserID())
		}
	})
}

// PEERS: what gorilla does, on record, in case it changes.
func TestWhatGorillaDoesAtLogout(t *testing.T) {
	store := cookieStore("a")
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
	session, err := store.Get(r, "session")
	if err != nil {
		t.Fatal(err)
	}
	session.Values["k"] = "v"
	session.Options.MaxAge = -1
	if err := session.Save(r, w); err != nil {
		t.Fatal(err)
	}
	token, _, _ := strings.Cut(strings.TrimPrefix(w.Header().Get("Set-Cookie"), "session="), ";")
	if token == "" {
		t.Skip("gorilla's logout cookie is empty now: the limit in the documentation can go")
	}
	s := newSite(t, Cookie(cookieStore("a"), CookieConfig{}), nil)
	s.cookies["session"] = token
	s.do(func(x *core.Session) {
		if _, ok := core.Get[string](x, "k"); !ok {
			t.Error("gorilla's logout cookie is a session to gorilla, and not to us")
		}
	})
}
