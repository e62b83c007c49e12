package gorillastore

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// A save must not undo what gorilla's programs, or other requests, have changed
// since the session was loaded, whatever that is.
func TestK1FromNoticesEveryChange(t *testing.T) {
	for _, p := range pairings[:4] {
		for what, c := range map[string]struct {
			gorilla func(g *sessions.Session)
			ours    func(x *core.Session)
			want    string
		}{
			"a value":          {gorilla: func(g *sessions.Session) { g.Values["k"] = "w" }, want: "w <nil> [first]"},
			"a value's key":    {gorilla: func(g *sessions.Session) { delete(g.Values, "k"); g.Values["l"] = "v" }, want: "<nil> v [first]"},
			"a deletion":       {gorilla: func(g *sessions.Session) { delete(g.Values, "k") }, want: "<nil> <nil> [first]"},
			"a new flash":      {gorilla: func(g *sessions.Session) { g.AddFlash("second") }, want: "v <nil> [first second]"},
			"a flash is shown": {gorilla: func(g *sessions.Session) { g.Flashes() }, want: "v <nil> []"},
			"our value":        {ours: func(x *core.Session) { x.Set("k", "w") }, want: "w <nil> [first]"},
			"our flash":        {ours: func(x *core.Session) { x.Flash("kind", "second") }, want: "v <nil> [first second]"},
			"our timeouts":     {ours: func(x *core.Session) { x.SetTimeouts(time.Hour, time.Hour) }, want: "v <nil> [first]"},
		} {
			backend, store := p.make(t)
			s := newSite(t, backend, nil)
			s.do(func(x *core.Session) { x.Set("k", "v"); x.Flash("", "first") })
			s.do(func(x *core.Session) {
				core.Get[string](x, "k")
				if c.gorilla != nil {
					s.gorilla(store, c.gorilla)
				} else {
					other := &site{t: t, m: s.m, cookies: maps.Clone(s.cookies)}
					other.do(c.ours)
				}
				x.Set("ours", "kept")
			})
			s.do(func(x *core.Session) {
				k, _ := core.Get[any](x, "k")
				l, _ := core.Get[any](x, "l")
				texts := []string{}
				for _, f := range x.PeekFlashes() {
					texts = append(texts, f.Text)
				}
				if got := fmt.Sprintf("%v %v %v", k, l, texts); got != c.want {
					t.Errorf("%s: %s: %s, want %s", p.name, what, got, c.want)
				}
				if ours, _ := core.Get[string](x, "ours"); ours != "kept" {
					t.Errorf("%s: %s: our own save is lost", p.name, what)
				}
				if what == "our timeouts" && x.IdleExpiresAt().Sub(s.now) < 59*time.Minute {
					t.Errorf("%s: the timeouts are what they were", p.name)
				}
			})
		}
	}
}

// A touch writes the whole session: nothing may come in between.
func TestK1FromTouchesAlone(t *testing.T) {
	store := newMemory(t)
	touching := func() {}
	s := newSite(t, From(hanging{store, func(op string) {
		if op == "save" {
			touching()
		}
	}}, FromConfig{}),

		func(c *core.Config) { c.CommitTimeout = 50 * time.Millisecond })
	s.do(func(x *core.Session) { x.Set("k", "v") })
	s.now = s.now.Add(20 * time.Minute)
	other := &site{t: t, m: s.m, cookies: maps.Clone(s.cookies)}
	touching = func() {
		touching = func() {}
		if w := other.do(func(x *core.Session) { x.Set("k", "lost") }); w.Code != 503 {
			t.Errorf("status %d: a save goes through in the middle of a touch, which overwrites it", w.Code)
		}
	}
	s.has("v")
}

// The request that began a session knows it by a handle from Save, not from Load.
func TestK2LogoutByWhoBeganWhatWasRenewed(t *testing.T) {
	for _, p := range pairings[:4] {
		backend, _ := p.make(t)
		now := time.Now()
		backend, err := backend.(core.Configurable[core.Backend]).WithConfig(core.Config{Codec: core.CBOR(), Rand: rand.Reader, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		began, token, err := backend.Save(t.Context(), scope, testRecord(t), nil, false)
		if err != nil {
			t.Fatal(err)
		}
		again, err := backend.Load(t.Context(), scope, core.Tokens{Session: token})
		if err != nil {
			t.Fatal(err)
		}
		_, renewed, err := backend.Save(t.Context(), scope, &again.Record, again.Handle, true)
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(inplace.LateFor) // a slow request
		if err := backend.Delete(t.Context(), began); err != nil {
			t.Fatal(err)
		}
		if _, err := backend.Load(t.Context(), scope, core.Tokens{Session: renewed}); err == nil {
			t.Errorf("%s: the logout has left the renewed session alive", p.name)
		}
	}
}

// Who reads "signed out" must be signed out.
func TestK2L3FromLogoutDuringAnOutage(t *testing.T) {
	for after, what := range map[int]string{0: "before", 1: "behind"} {
		store := newMemory(t)
		s := began(t, From(store, FromConfig{}))
		w := s.do(func(x *core.Session) {
			core.Get[string](x, "k")
			asked := 0
			store.fail = func(op, _ string) error {
				if asked++; op == "new" && asked > 2*after {
					return errOwn
				}
				return nil
			}
			x.Logout()
		})
		if w.Code != 503 || len(s.last) != 0 {
			t.Errorf("the store fails %s the deletion: status %d, cookies %v", what, w.Code, s.last)
		}
		store.fail = nil
		if after == 0 {
			s.has("v")
		}
	}
}

// A session that cannot be read any more can be ended all the same.
func TestK2LogoutOfWhatWasDamagedMeanwhile(t *testing.T) {
	dir := t.TempDir()
	s := began(t, From(newFiles(t, dir), FromConfig{}))
	w := s.do(func(x *core.Session) {
		core.Get[string](x, "k")
		files, err := filepath.Glob(filepath.Join(dir, "session_*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("files: %v, %v", files, err)
		}
		if err := os.WriteFile(files[0], []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		x.Logout()
	})
	if files, err := os.ReadDir(dir); w.Code != 200 || len(files) != 0 || err != nil || len(s.cookies) != 0 {
		t.Errorf("files: status %d, left %v, %v", w.Code, files, err)
	}
	server := redistest.Shared(t)
	backend, _, prefix := compatibleOn(t, server)
	s = began(t, backend)
	w = s.do(func(x *core.Session) {
		core.Get[string](x, "k")
		server.MustDo("SET", prefix+s.cookies["session"], "garbage", "EX", "100")
		x.Logout()
	})
	if left := keys(t, server, prefix); w.Code != 200 || len(left) != 0 || len(s.cookies) != 0 {
		t.Errorf("Redis: status %d, left %v", w.Code, left)
	}
}

// sharing is a store that hands out the maps that it keeps.
type sharing struct{ *memory }

func (s sharing) New(r *http.Request, name string) (*sessions.Session, error) {
	g, err := s.memory.New(r, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if values, ok := s.all[g.ID].(map[any]any); ok {
		g.Values = values
	}
	return g, err
}

func TestL3FromFailedSaveChangesNothingInAStoreThatSharesItsMaps(t *testing.T) {
	store := newMemory(t)
	s := began(t, From(sharing{store}, FromConfig{}))
	store.fail = func(op, _ string) error {
		if op == "save" {
			return errOwn
		}
		return nil
	}
	if w := s.do(func(x *core.Session) { x.Set("k", "failed") }); w.Code != 503 {
		t.Errorf("status %d", w.Code)
	}
	store.fail = nil
	s.has("v")
}

// chatty is a store that sets a cookie of another name too.
type chatty struct{ *memory }

func (c chatty) Save(r *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	err := c.memory.Save(r, w, s)
	w.Header().Add("Set-Cookie", "hint=1")
	return err
}

func TestL1FromTakesTheTokenFromItsOwnCookie(t *testing.T) {
	s := began(t, From(chatty{newMemory(t)}, FromConfig{}))
	if s.cookies["session"] != "memory-00000001" {
		t.Errorf("the token is %q", s.cookies["session"])
	}
	s.has("v")
}

// Gorilla accepts a file's cookie for as long as MaxAge says: it must be
// replaced before that is over.
func TestT1FromReplacesCookiesBeforeGorillaRefusesThem(t *testing.T) {
	for age, want := range map[time.Duration]int{20 * time.Minute: 0, 40 * time.Minute: 1} {
		files := newFiles(t, t.TempDir())
		files.MaxAge(3600)
		s := began(t, From(files, FromConfig{}))
		s.cookies["session"] = aged(t, pair("files")[0], s.cookies["session"], age)
		old := s.cookies["session"]
		s.has("v")
		if len(s.last) != want {
			t.Errorf("after %v of an hour: %d cookies, want %d", age, len(s.last), want)
		}
		s.cookies["session"] = old // of another tab, which is not late
		s.has("v")
	}
}

// The application goes on to use the store that it has given away.
func TestSEC14FromLeavesTheStoresOwnLimits(t *testing.T) {
	files := newFiles(t, t.TempDir())
	s := newSite(t, From(files, FromConfig{}), nil)
	s.gorilla(files, func(g *sessions.Session) { g.Values["k"] = "v" })
	s.has("v")
	old := aged(t, pair("files")[0], s.cookies["session"], 31*day)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "session="+old)
	if g, err := files.New(r, "session"); err == nil || !g.IsNew {
		t.Error("gorilla accepts a cookie of last month")
	}
}
