package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

func login(t *testing.T, w *world, user string) *client {
	t.Helper()
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login(user); s.Set("k", user) })
	return c
}

func (c *client) id() (id core.ID) {
	c.do(func(s *core.Session) { id = s.ID() })
	return id
}

func (c *client) user() (user string) {
	c.do(func(s *core.Session) { user = s.UserID() })
	return user
}

func TestUpdateFromOutside(t *testing.T) {
	w := server(t)
	c := login(t, w, "ann")
	ctx := t.Context()
	id := c.id()
	var before time.Time
	c.do(func(s *core.Session) { before = s.IdleExpiresAt() })
	w.clock.advance(10 * time.Minute)
	err := w.m.Update(ctx, id, func(s *core.Session) error {
		s.Flash("info", "done")
		core.Update(s, "jobs", func(n int) int { return n + 1 })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.m.View(ctx, id, func(s *core.Session) error {
		if n, _ := core.Get[int](s, "jobs"); n != 1 || !s.IdleExpiresAt().Equal(before) {
			t.Errorf("update: %d jobs, expiry moved by %v", n, s.IdleExpiresAt().Sub(before))
		}
		s.Set("k", "no")
		return s.Err()
	}); !errors.Is(err, core.ErrReadOnly) {
		t.Errorf("view: a write says %v", err)
	}
	c.do(func(s *core.Session) {
		if len(s.Flashes()) != 1 {
			t.Error("the flash of a background job was not shown")
		}
	})
	stop := errors.New("stop")
	if err := w.m.Update(ctx, id, func(s *core.Session) error { s.Set("k", "no"); return stop }); !errors.Is(err, stop) || c.get("k") != "ann" {
		t.Errorf("update: %v, k is %q", err, c.get("k"))
	}
	if err := w.m.Update(ctx, id, func(s *core.Session) error { s.Login("bob"); return nil }); !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("update: login says %v", err)
	}
	if err := w.m.UpdateUser(ctx, "ann", func(s *core.Session) error { s.Logout(); return nil }); err != nil || c.user() != "" {
		t.Errorf("update user: %v", err)
	}
	if err := w.m.Update(ctx, id, func(*core.Session) error { return nil }); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("update of what is gone: %v", err)
	}
}

func TestClientSideSaysUnsupported(t *testing.T) {
	w := inCookies(t)
	c := login(t, w, "ann")
	ctx := t.Context()
	nothing := func(*core.Session) error { return nil }
	_, listErr := w.m.List(ctx, "ann")
	_, doneErr := w.m.Done(ctx, c.id())
	_, revokeErr := w.m.RevokeUser(ctx, "ann")
	cookies := core.ClientSide(sealed.Cookie(keyring(t)))
	_, limitErr := core.New(cookies, core.Config{SessionLimit: 1})
	_, migrationErr := core.New(core.Migrating(core.ServerSide(memstore.New(memstore.Config{})), cookies), core.Config{SessionLimit: 1})
	const advice = "not supported by this session backend: use core.ServerSide with memory, files, Redis or SQL"
	for what, err := range map[string]error{
		"list": listErr, "done": doneErr, "view": w.m.View(ctx, c.id(), nothing), "update": w.m.Update(ctx, c.id(), nothing),
		"update user": w.m.UpdateUser(ctx, "ann", nothing), "revoke": w.m.Revoke(ctx, c.id()), "revoke user": revokeErr,
		"limit": limitErr, "limit of a migration": migrationErr,
	} {
		if !errors.Is(err, core.ErrUnsupported) || !strings.HasSuffix(err.Error(), advice) {
			t.Errorf("%s: %v, want what to use instead", what, err)
		}
	}
	c.do(func(s *core.Session) {
		_, listErr := s.List(ctx)
		for what, err := range map[string]error{
			"own list": listErr, "revoke own": s.RevokeOwn(ctx, c.id()), "revoke others": s.RevokeOthers(ctx), "log out everywhere": s.LogoutEverywhere(ctx),
		} {
			if !errors.Is(err, core.ErrUnsupported) || !strings.HasSuffix(err.Error(), advice) {
				t.Errorf("%s: %v, want what to use instead", what, err)
			}
		}
	})
}

// TestK2CheckThatLosesTheSession: another request ends the session while Check runs.
// What Check does afterwards does not let the late handler write.
func TestK2CheckThatLosesTheSession(t *testing.T) {
	var c *client
	armed := false
	w := server(t, func(config *core.Config) {
		config.Check = func(ctx context.Context, s *core.Session) error {
			if !armed || s.UserID() == "" {
				return nil
			}
			armed = false
			c.fork().do(func(s *core.Session) { s.Logout() })
			s.Set("seen", true)
			if err := s.Commit(ctx); !errors.Is(err, core.ErrEnded) {
				t.Errorf("Commit in Check: %v", err)
			}
			s.Login("bob")
			return errors.New("not this one")
		}
	})
	c = login(t, w, "ann")
	armed = true
	x := c.do(func(s *core.Session) {
		if !s.Ended() || s.UserID() != "" {
			t.Errorf("ended %v, user %q", s.Ended(), s.UserID())
		}
		s.Set("k", "v")
	})
	if len(x.setCookie) != 0 || w.store.Len() != 0 {
		t.Errorf("cookies %q, %d stored", x.setCookie, w.store.Len())
	}
}

// Browsers keep no cookie for longer than 400 days, and ours does not ask for it.
func TestT3CookiesAskForWhatBrowsersKeep(t *testing.T) {
	for _, lifetime := range []time.Duration{3 * 365 * 24 * time.Hour, -1} {
		w := server(t, func(c *core.Config) { c.Remembered.Lifetime = lifetime })
		x := newClient(t, w.m).do(func(s *core.Session) { s.Remember(true); s.Set("k", "v") })
		if !contains(x.setCookie, "Max-Age=34560000;") {
			t.Errorf("T3: a lifetime of %v: %q", lifetime, x.setCookie)
		}
	}
}

func contains(lines []string, part string) bool {
	for _, line := range lines {
		if strings.Contains(line, part) {
			return true
		}
	}
	return false
}

func TestI2OverlappingLoginsOfOneUserStayListed(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	a, b := c.fork().begin(), c.fork().begin() // a double click
	a.s.Login("ann")
	b.s.Login("ann")
	if err := errors.Join(a.end(200), b.end(200)); err != nil {
		t.Fatal(err)
	}
	infos, err := w.m.List(t.Context(), "ann")
	if err != nil || len(infos) != 2 || a.c.user() != "ann" || b.c.user() != "ann" {
		t.Errorf("I2: %d listed, %v; users %q and %q", len(infos), err, a.c.user(), b.c.user())
	}
	if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil || a.c.user() != "" || b.c.user() != "" || w.store.Len() != 0 {
		t.Errorf("I2: after RevokeUser: %v, users %q and %q, %d stored", err, a.c.user(), b.c.user(), w.store.Len())
	}
}

func TestSEC60LoginKeepsNoBorrowedString(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	buffer := []byte("ann")
	c.do(func(s *core.Session) { s.Login(unsafe.String(&buffer[0], len(buffer))) })
	copy(buffer, "bob") // as Fiber does with the next request
	if infos, err := w.m.List(t.Context(), "ann"); err != nil || len(infos) != 1 || infos[0].User != "ann" {
		t.Errorf("SEC60: %v %+v", err, infos)
	}
}

// TestSEC60ErrorsAndEventsKeepNoBorrowedString: they are logged when the buffer has
// another client's data.
func TestSEC60ErrorsAndEventsKeepNoBorrowedString(t *testing.T) {
	var events []core.Event
	w := server(t, func(c *core.Config) {
		c.Observer = func(_ context.Context, e core.Event) { events = append(events, e) }
	})
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	key := []byte("ann")
	borrowed := unsafe.String(&key[0], len(key))
	var errs []error
	for _, f := range []func(s *core.Session){
		func(s *core.Session) { s.Set(borrowed, func() {}) },
		func(s *core.Session) { core.Update(s, borrowed, func(any) any { return func() {} }) },
		func(s *core.Session) { core.NewFlashKey[any](borrowed).Add(s, func() {}) },
		func(s *core.Session) { core.NewKey[any](borrowed).Set(s, func() {}) },
		func(s *core.Session) { s.Set(borrowed, strings.Repeat("v", 100<<10)) },
	} {
		r := c.begin()
		f(r.s)
		errs = append(errs, r.s.Err(), r.end(200))
	}
	r := c.begin()
	r.s.Set(borrowed, "text")
	_, err := core.Lookup[int](r.s, borrowed)
	errs = append(errs, err)
	held, flashed := core.NewKey[string](borrowed), core.NewFlashKey[string](borrowed)
	if _, err := w.m.RevokeUser(t.Context(), borrowed); err != nil {
		t.Fatal(err)
	}
	copy(key, "bob") // as Fiber does with the next request
	for i, err := range errs {
		if err != nil && !strings.Contains(err.Error(), `"ann"`) {
			t.Errorf("SEC60: error %d has become %v", i, err)
		}
	}
	fresh := newClient(t, w.m).begin().s
	flashed.Add(fresh, "v")
	if v, ok := core.NewFlashKey[string]("ann").Take(fresh); held.Name() != "ann" || !ok || v != "v" {
		t.Errorf("SEC60: the keys are %q and %v", held.Name(), flashed)
	}
	revoked := false
	for _, e := range events {
		revoked = revoked || e.Kind == core.EventRevoked
		if e.User != "" && e.User != "ann" || e.Err != nil && !strings.Contains(e.Err.Error(), `"ann"`) {
			t.Errorf("SEC60: an event has become %+v", e)
		}
	}
	if !revoked {
		t.Error("no event tells of the revocation")
	}
}

func TestT3RememberMayComeBeforeLogin(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		x := c.do(func(s *core.Session) { s.Remember(true); s.Login("bob") })
		if !contains(x.setCookie, "Max-Age=2592000") {
			t.Errorf("T3: %q", x.setCookie)
		}
	})
}

func TestInfoInJSON(t *testing.T) {
	w := server(t, func(c *core.Config) { c.Describe = func(core.Exchange) string { return "phone" } })
	c := login(t, w, "ann")
	infos, err := w.m.List(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(infos)
	text := func(t time.Time) string { b, _ := json.Marshal(t); return string(b) }
	i := infos[0]
	want := `[{"id":"` + c.id().String() + `","user":"ann","label":"phone","created":` + text(i.CreatedAt) +
		`,"last_seen":` + text(i.LastSeen) + `,"expires":` + text(i.ExpiresAt) + `,"current":false}]`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestParseEntry(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann"); s.Set("k", "v") })
	e, err := w.store.Load(t.Context(), c.id())
	if err != nil {
		t.Fatal(err)
	}
	r, err := core.ParseEntry(c.id(), e)
	if err != nil || r.ID != c.id() || r.User != "ann" || !r.Expires.Equal(w.clock.now().Add(30*time.Minute)) {
		t.Fatalf("%+v, %v", r, err)
	}
	for key, raw := range r.Values() {
		var v string
		if err := core.CBOR().Decode(raw, &v); err != nil || key != "k" || v != "v" {
			t.Errorf("%s is %q, %v", key, v, err)
		}
	}
	if _, err := core.ParseEntry(core.ID{1}, e); err == nil {
		t.Error("another session's entry is accepted")
	}
	if _, err := core.ParseEntry(c.id(), core.Entry{Data: []byte("x")}); !errors.Is(err, core.ErrCorrupt) {
		t.Errorf("of one byte: %v", err)
	}
}
