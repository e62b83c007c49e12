package gorillastore

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

const day = 24 * time.Hour

// arriving are all ways to take over what gorilla began.
var arriving = append([]pairing{{"cookie", func(*testing.T) (core.Backend, sessions.Store) {
	return Cookie(cookieStore("a"), CookieConfig{}), cookieStore("a")
}}}, pairings...)

// arrived returns a site with a session that gorilla has begun, and no one has seen since.
func (p pairing) arrived(t *testing.T, edit func(*core.Config)) *site {
	t.Helper()
	backend, store := p.make(t)
	s := newSite(t, backend, edit)
	s.gorilla(store, func(g *sessions.Session) { g.Values["k"] = "v" })
	return s
}

// Nobody knows when gorilla's session was used last: the idle timeout begins
// with the first use, though that does not write.
// briefly gives sessions that outlive the browser the timeouts of others.
func briefly(c *core.Config) {
	c.Remembered = core.Timeouts{Idle: 30 * time.Minute, Lifetime: 12 * time.Hour}
}

// Those who were logged in after a restart of the browser must still be.
func TestT3ArrivalsOutliveTheBrowserAsBefore(t *testing.T) {
	for _, p := range arriving {
		s := p.arrived(t, nil)
		s.do(func(x *core.Session) {
			if !x.IsRemembered() {
				t.Errorf("%s: not remembered", p.name)
			}
			x.Set("written", true)
		})
		s.now = s.now.Add(13 * day)
		s.has("v")
	}
	store := cookieStore("a")
	store.MaxAge(0) // until the browser closes
	s := newSite(t, From(store, FromConfig{}), nil)
	s.gorilla(store, func(g *sessions.Session) { g.Values["k"] = "v" })
	s.do(func(x *core.Session) {
		if _, ok := core.Get[string](x, "k"); !ok || x.IsRemembered() {
			t.Errorf("with MaxAge 0: found %v, remembered %v", ok, x.IsRemembered())
		}
	})
}

func TestT1ArrivalsEndThoughTheyAreOnlyRead(t *testing.T) {
	for _, p := range arriving {
		s := p.arrived(t, briefly)
		first := maps.Clone(s.cookies)
		if p.name == "cookie" { // there, reading leaves gorilla's cookie alone
			s.do(func(x *core.Session) { x.Set("written", true) })
		}
		for range 2 {
			s.has("v")
			s.now = s.now.Add(20 * time.Minute)
		}
		s.has("v")
		s.now = s.now.Add(31 * time.Minute)
		if p.name != "cookie" { // there, the old cookie is good until gorilla's MaxAge
			s.cookies = first
		}
		s.has("")
	}
}

func TestT1ArrivalsWithoutTimeouts(t *testing.T) {
	for _, p := range arriving {
		s := p.arrived(t, func(c *core.Config) {
			c.Remembered = core.Timeouts{Idle: core.NoTimeout, Lifetime: core.NoTimeout}
		})
		s.has("v")
		s.now = s.now.Add(20 * day)
		s.has("v")
		if p.name == "cookie" || p.name == "files" { // these say when gorilla would end it
			s.now = s.now.Add(11 * day)
			s.has("")
		}
		s = p.arrived(t, func(c *core.Config) {
			c.Remembered = core.Timeouts{Idle: 30 * time.Minute, Lifetime: core.NoTimeout}
		})
		s.has("v")
		if p.name == "cookie" {
			s.do(func(x *core.Session) { x.Set("written", true) })
		}
		s.now = s.now.Add(31 * time.Minute)
		s.has("")
	}
}

// What gorilla wrote does not say what it is for.
func TestSEC8ArrivalsAreForNoOtherScope(t *testing.T) {
	for _, p := range arriving {
		p.arrived(t, func(c *core.Config) { c.Namespace = "shop" }).has("")
		backend, store := p.make(t)
		s := newSite(t, backend, nil)
		s.gorilla(store, func(g *sessions.Session) { g.Values["k"] = "v" })
		for _, who := range []string{"gorilla", "Satchel"} {
			for _, purpose := range []string{"", "other", "sess", "session\x00session"} {
				other := scope
				other.Purpose = purpose
				if _, err := backend.Load(context.Background(), other, core.Tokens{Session: s.cookies["session"]}); !errors.Is(err, core.ErrNotFound) {
					t.Errorf("%s: what %s wrote is taken for a %q: %v", p.name, who, purpose, err)
				}
			}
			s.has("v")
		}
	}
}

// Gorilla's own clock tells how old a cookie is, not the time of the first use.
func TestSEC14GorillasCookiesOfLastMonth(t *testing.T) {
	for after, want := range map[time.Duration]string{29 * day: "v", 31 * day: ""} {
		for _, p := range arriving[:2] {
			s := p.arrived(t, nil)
			key := pair("a")[0]
			if p.name == "files" {
				key = pair("files")[0]
			}
			s.cookies["session"] = aged(t, key, s.cookies["session"], after)
			s.has(want)
		}
	}
}

// To gorilla, a MaxAge of zero is a cookie that goes with the browser.
func TestT1ArrivalsOfStoresWithMaxAgeZero(t *testing.T) {
	for after, want := range map[time.Duration]string{29 * day: "v", 31 * day: ""} {
		store := cookieStore("a")
		store.MaxAge(0)
		s := newSite(t, Cookie(store, CookieConfig{}), nil)
		s.gorilla(store, func(g *sessions.Session) { g.Values["k"] = "v" })
		s.now = s.now.Add(after)
		s.has(want)
	}
}

// Whoever waits for a session's end must not be told of another's.
func TestI2ArrivalsHaveIDsOfTheirOwn(t *testing.T) {
	for _, p := range arriving {
		backend, store := p.make(t)
		s := newSite(t, backend, nil)
		ids := map[core.ID]bool{}
		for i := range 2 {
			s.cookies = map[string]string{}
			s.gorilla(store, func(g *sessions.Session) { g.Values["k"] = i })
			for range 2 { // two requests at the same time: neither has been answered
				l, err := backend.Load(t.Context(), scope, core.Tokens{Session: s.cookies["session"]})
				if err != nil {
					t.Fatal(err)
				}
				ids[l.Record.ID] = true
			}
		}
		if len(ids) != 2 {
			t.Errorf("%s: two sessions have %d IDs", p.name, len(ids))
		}
	}
}
