package gorillastore

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// What has ended between a conflict and the second attempt has ended.
func TestK2ReloadOfWhatHasEnded(t *testing.T) {
	for _, p := range pairings[:4] {
		backend, _ := p.make(t)
		_, token, err := backend.Save(t.Context(), scope, testRecord(t), nil, false)
		if err != nil {
			t.Fatal(err)
		}
		l, err := backend.Load(t.Context(), scope, core.Tokens{Session: token})
		if err != nil {
			t.Fatal(err)
		}
		if err := backend.Delete(t.Context(), l.Handle); err != nil {
			t.Fatal(err)
		}
		if _, err := backend.Reload(t.Context(), scope, l.Handle); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", p.name, err)
		}
	}
}

// A logout that waits for a renewal must end what comes out of that.
func TestK2FromLogoutWaitsForARenewal(t *testing.T) {
	store := newMemory(t)
	renewing, release := make(chan struct{}), make(chan struct{})
	hold := func() {}
	b := From(hanging{store, func(op string) {
		if op == "save" {
			hold()
		}
	}}, FromConfig{}).(*fromBackend)
	s := began(t, b)
	slow := &site{t: t, m: s.m, cookies: maps.Clone(s.cookies)}
	hold = func() {
		hold = func() {}
		close(renewing)
		<-release
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		slow.do(func(x *core.Session) { x.Renew() })
	}()
	ended := make(chan struct{})
	s.do(func(x *core.Session) {
		core.Get[string](x, "k") // loaded before the renewal has got anywhere
		<-renewing
		go func() {
			defer close(ended)
			for waiting := false; !waiting; {
				waiting = b.Waiting() == 2
			}
			close(release)
		}()
		x.Logout()
	})
	<-ended
	<-done
	if ids := store.ids(); len(ids) != 0 {
		t.Errorf("left: %v", ids)
	}
}

// Nothing is forgotten of a cookie's name on the way from one commit to the next.
func TestK1K2SeveralCommitsUnderAnotherName(t *testing.T) {
	for _, p := range pairings[:4] {
		backend, _ := p.make(t)
		s := newSite(t, backend, func(c *core.Config) { c.Cookie.Name = "app" })
		commit := func(x *core.Session) {
			if err := x.Commit(t.Context()); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
		s.do(func(x *core.Session) {
			x.Set("a", 1)
			commit(x)
			x.Set("b", 1)
			commit(x)
			x.Renew()
			commit(x)
			x.Set("c", 1)
		})
		s.do(func(x *core.Session) {
			if keys := x.Keys(); len(keys) != 3 {
				t.Errorf("%s: keys %v", p.name, keys)
			}
			x.Logout()
		})
		if len(s.cookies) != 0 {
			t.Errorf("%s: cookies %v", p.name, s.cookies)
		}
		// K2: who has begun a session can end it.
		other := scope
		other.Name = "app"
		h, token, err := backend.Save(t.Context(), other, testRecord(t), nil, false)
		if err == nil {
			err = backend.Delete(t.Context(), h)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := backend.Load(t.Context(), other, core.Tokens{Session: token}); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: after its end: %v", p.name, err)
		}
	}
}

// Redis must keep a session as long as the core does, and for requests that end late.
func TestT3CompatibleKeepsWhoAskedToBeRemembered(t *testing.T) {
	server := redistest.Shared(t)
	backend, _, prefix := compatibleOn(t, server)
	s := began(t, backend)
	for want, handle := range map[time.Duration]func(x *core.Session){
		14 * day:        func(x *core.Session) { x.Login("u"); x.Remember(true) },
		2 * time.Minute: func(x *core.Session) { x.SetTimeouts(2*time.Minute, time.Hour) },
		3 * time.Hour:   func(x *core.Session) { x.SetTimeouts(3*time.Hour, 5*time.Hour) },
	} {
		s.do(handle)
		left, _ := server.MustDo("PTTL", prefix+s.cookies["session"]).(int64)
		if got := time.Duration(left) * time.Millisecond; got > want+time.Minute || got < want+50*time.Second {
			t.Errorf("Redis keeps it for %v, want %v and a minute", got, want)
		}
	}
}

// What gorilla wrote before everybody was logged out does not become younger.
func TestI2NotBeforeEndsGorillasCookies(t *testing.T) {
	for age, want := range map[time.Duration]string{20 * time.Minute: "v", time.Hour: ""} {
		for _, p := range arriving[:2] {
			s := p.arrived(t, func(c *core.Config) { c.NotBefore = time.Now().Add(-40 * time.Minute) })
			key := pair("a")[0]
			if p.name == "files" {
				key = pair("files")[0]
			}
			s.cookies["session"] = aged(t, key, s.cookies["session"], age)
			s.has(want)
		}
	}
}
