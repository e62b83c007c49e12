package gorillastore

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// TestFromBetweenProcesses shows what two processes on one store do to each
// other: gorilla's stores cannot compare and set.
func TestFromBetweenProcesses(t *testing.T) {
	limit := func(id, reason string) { t.Logf("promise-limit: gorilla-from-processes %s %s", id, reason) }
	// between holds b's save back while a's, of another process, goes through.
	between := func(t *testing.T, before func(a *site), during func(x *core.Session)) (*memory, *site) {
		t.Helper()
		store := newMemory(t)
		a := began(t, From(store, FromConfig{}))
		b := newSite(t, From(held{store, func() { before(a) }}, FromConfig{}), nil)
		b.cookies = maps.Clone(a.cookies)
		b.do(during)
		return store, b
	}
	t.Run("K1", func(t *testing.T) {
		limit("K1", "between the look at a session and the store's Save, another process can save, and is overwritten")
		_, b := between(t, func(a *site) { a.do(func(x *core.Session) { x.Set("a", "1") }) }, func(x *core.Session) { x.Set("b", "1") })
		b.do(func(x *core.Session) {
			if _, ok := core.Get[string](x, "a"); ok {
				t.Error("nothing is lost: say so in the documentation")
			}
		})
	})
	t.Run("K2", func(t *testing.T) {
		limit("K2", "between the look at a session and the store's Save, another process can end it, and Save brings it back")
		_, b := between(t, func(a *site) { a.do(func(x *core.Session) { x.Logout() }) }, func(x *core.Session) { x.Set("b", "1") })
		b.do(func(x *core.Session) {
			if x.IsNew() {
				t.Error("the logout wins: say so in the documentation")
			}
		})
	})
	t.Run("K3", func(t *testing.T) {
		limit("K3", "two processes that renew a session at the same time have two")
		store, _ := between(t, func(a *site) { a.do(func(x *core.Session) { x.Renew() }) }, func(x *core.Session) { x.Renew() })
		if n := len(store.ids()); n != 2 {
			t.Errorf("%d sessions: say so in the documentation", n)
		}
	})
	t.Run("L4", func(t *testing.T) {
		limit("L4", "a process does not know of the tokens that another has replaced: to it they are unknown")
		store := newMemory(t)
		a := began(t, From(store, FromConfig{}))
		late := newSite(t, From(store, FromConfig{}), nil)
		late.cookies = maps.Clone(a.cookies)
		a.do(func(x *core.Session) { x.Login("u") })
		late.do(func(x *core.Session) {
			if !x.IsNew() || x.Ended() {
				t.Errorf("new %v, ended %v", x.IsNew(), x.Ended())
			}
		})
	})
	t.Run("without overlap", func(t *testing.T) {
		store := newMemory(t)
		a := began(t, From(store, FromConfig{}))
		b := newSite(t, From(store, FromConfig{}), nil)
		b.cookies = maps.Clone(a.cookies)
		b.do(func(x *core.Session) {
			core.Get[string](x, "k")
			a.do(func(x *core.Session) { x.Set("a", "1") })
			x.Set("b", "1")
		})
		a.do(func(x *core.Session) {
			if got := x.Keys(); len(got) != 3 {
				t.Errorf("K1: keys %v", got)
			}
		})
		b.do(func(x *core.Session) {
			core.Get[string](x, "k")
			a.do(func(x *core.Session) { x.Logout() })
			x.Set("b", "2")
		})
		if ids := store.ids(); len(ids) != 0 {
			t.Errorf("K2: %v is back", ids)
		}
	})
}

// held calls before whenever its store is about to save.
type held struct {
	*memory
	before func()
}

func (h held) Save(r *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	if s.Options.MaxAge > 0 && s.ID != "" || len(h.ids()) == 1 {
		h.before()
	}
	return h.memory.Save(r, w, s)
}

// Sessions that gorilla began say nothing of their age, and must end all the same.
func TestI2RevokeAllEndsAlsoWhatGorillaBegan(t *testing.T) {
	onEach(t, pairings, func(t *testing.T, s *site, store sessions.Store) {
		s.gorilla(store, func(g *sessions.Session) { g.Values["k"] = "v" })
		began := maps.Clone(s.cookies)
		s.has("v")
		s.cookies = map[string]string{}
		s.gorilla(store, func(g *sessions.Session) { g.Values["k"] = "v" })
		unseen := s.cookies
		s.cookies = maps.Clone(began)
		s.now = s.now.Add(time.Minute)
		if err := s.m.RevokeAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.has("")
		s.now = s.now.Add(time.Minute)
		s.cookies = unseen
		s.has("")
		s.cookies = map[string]string{}
		s.do(func(x *core.Session) { x.Set("k", "new") })
		s.has("new")
		s.cookies = began
		s.has("")
	})
}

func TestT1FromGorillasFilesEnd(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name  string
		days  int // the store's MaxAge; zero for the default
		after time.Duration
		want  bool
	}{
		{"within 30 days", 0, 29 * day, true},
		{"after 30 days", 0, 31 * day, false},
		{"within the store's week", 7, 6 * day, true},
		{"after the store's week", 7, 8 * day, false},
	} {
		files := newFiles(t, t.TempDir())
		if c.days > 0 {
			files.MaxAge(c.days * 24 * 3600)
		}
		s := newSite(t, From(files, FromConfig{}), nil)
		s.gorilla(files, func(g *sessions.Session) { g.Values["k"] = "v" })
		s.now = time.Now().Add(c.after)
		s.do(func(x *core.Session) {
			if x.IsNew() == c.want {
				t.Errorf("%s: new %v", c.name, x.IsNew())
			}
		})
		if !c.want {
			continue
		}
		for range 3 { // SEC12: use prolongs it up to that end
			s.now = s.now.Add(20 * time.Minute)
			s.has("v")
		}
		s.now = time.Now().Add(31 * day)
		s.has("")
	}
}

// Sessions of Satchel's last as long as Satchel says, whatever gorilla's limit is.
func TestT1FromLastsLongerThanGorillasMaxAge(t *testing.T) {
	dir := t.TempDir()
	files := newFiles(t, dir)
	files.MaxAge(3600)
	s := began(t, From(files, FromConfig{}))
	// As if gorilla's clock, which cannot be turned, had gone on for two hours.
	key := testKey("files hash", 32)
	s.cookies["session"] = aged(t, key, s.cookies["session"], 2*time.Hour)
	names, err := filepath.Glob(filepath.Join(dir, "session_*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("files: %v, %v", names, err)
	}
	content, err := os.ReadFile(names[0])
	if err == nil {
		err = os.WriteFile(names[0], []byte(aged(t, key, string(content), 2*time.Hour)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.has("v")
	if len(s.last) != 1 {
		t.Error("the cookie was not renewed, though gorilla will no longer accept it")
	}
	var read string
	s.gorilla(files, func(g *sessions.Session) { read, _ = g.Values["k"].(string) })
	if read != "v" {
		t.Error("gorilla does not know the session with the new cookie")
	}
}

func TestE3FromLeavesAloneWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	s := began(t, From(newFiles(t, dir), FromConfig{}))
	files, err := filepath.Glob(filepath.Join(dir, "session_*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files: %v, %v", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	old := maps.Clone(s.cookies)
	for i, damaged := range []string{"", "garbage", string(whole[:len(whole)/2])} {
		if err := os.WriteFile(files[0], []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		s.cookies = maps.Clone(old)
		s.do(func(x *core.Session) { x.Set("k", "new") })
		s.has("new")
		if left, err := os.ReadFile(files[0]); err != nil || string(left) != damaged {
			t.Errorf("the damaged file is now %q, %v", left, err)
		}
		if n := s.counts(core.EventRejected, core.ReasonCorrupt); n != i+1 {
			t.Errorf("%d events tell of %d damaged files", n, i+1)
		}
	}
	id := strings.TrimPrefix(filepath.Base(files[0]), "session_")
	if said := s.said(); strings.Contains(said, id) || strings.Contains(said, old["session"]) {
		t.Error("E1: an event names the file or the token")
	}
	if err := os.WriteFile(files[0], whole, 0o600); err != nil {
		t.Fatal(err)
	}
	s.cookies = old
	s.has("v")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if w := s.do(func(*core.Session) { t.Error("L3: without its directory, the store has answered") }); w.Code != 503 {
		t.Errorf("L3: status %d", w.Code)
	}
}

func TestE2FromSaysWhatIsTooLargeForTheFiles(t *testing.T) {
	s := began(t, From(sessions.NewFilesystemStore(t.TempDir(), pair("files")...), FromConfig{}))
	s.do(func(x *core.Session) {
		x.Set("big", strings.Repeat("x", 5000))
		var size *core.SizeError
		if err := x.Commit(t.Context()); !errors.As(err, &size) || size.Key != "big" || size.Limit >= size.Total {
			t.Errorf("%v", err)
		}
	})
	s.has("v")
}

func TestFromCookieStores(t *testing.T) {
	store := cookieStore("a")
	s := began(t, From(store, FromConfig{}))
	if !s.m.Traits().ClientSide {
		t.Error("not client-side")
	}
	s.gorilla(store, func(g *sessions.Session) {
		if g.Values["k"] != "v" {
			t.Errorf("gorilla reads %v", g.Values)
		}
	})
	// A wrapper may do things of its own: it is not looked through.
	s = newSite(t, From(struct{ *sessions.CookieStore }{store}, FromConfig{}), nil)
	if s.m.Traits().ClientSide {
		t.Error("a wrapper is looked through")
	}
}

// hidden keeps sessions in cookies, and does not look like it.
type hidden struct{ sessions.Store }

// silent saves and sets no cookie.
type silent struct{ *memory }

func (s silent) Save(r *http.Request, _ http.ResponseWriter, g *sessions.Session) error {
	return s.memory.Save(r, cookieCapture{http.Header{}}, g)
}

// spaced has cookie values that are not the default Token's.
type spaced struct{ *memory }

func (s spaced) Save(r *http.Request, w http.ResponseWriter, g *sessions.Session) error {
	g.ID = "a/b"
	return s.memory.Save(r, w, g)
}

func TestFromSaysWhatIsWrongWithAStore(t *testing.T) {
	for want, store := range map[string]sessions.Store{
		"use gorillastore.Cookie": hidden{cookieStore("a")},
		"has set no cookie":       silent{newMemory(t)},
		"FromConfig.Token":        spaced{newMemory(t)},
	} {
		s := newSite(t, From(store, FromConfig{}), nil)
		if w := s.do(func(x *core.Session) { x.Set("k", "v") }); w.Code != 503 || !strings.Contains(s.said(), want) || len(s.last) != 0 {
			t.Errorf("%T: status %d, %s", store, w.Code, s.said())
		}
	}
	var noFiles *sessions.FilesystemStore
	for want, store := range map[string]sessions.Store{
		"From(nil)": nil, "has no keys": sessions.NewFilesystemStore(t.TempDir()), "give it a store": noFiles,
	} {
		if _, err := core.New(From(store, FromConfig{}), core.Config{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: %v, want %q", store, err, want)
		}
	}
}

// A store that keeps JSON loses what JSON has no place for.
func TestFromTextStores(t *testing.T) {
	store := newMemory(t)
	store.text = true
	s := newSite(t, From(store, FromConfig{Text: true}), nil)
	s.gorilla(store, func(g *sessions.Session) {
		g.Values["n"] = 5
		g.Values["half"] = 0.5
		g.Values["list"] = []any{"a", 1.5, true, nil}
		g.AddFlash("hello")
	})
	want := map[string]any{
		"int": int64(7), "big": int64(1<<53 + 1), "whole": 3.0, "bytes": []byte{0xff, 0}, "text": "grüße", "broken": "\xff",
		"marked": "satchel:x", "nil": nil, "yes": true, "strings": []string{"a"},
	}
	s.do(func(x *core.Session) {
		n, _ := core.Get[int](x, "n")
		half, _ := core.Get[float64](x, "half")
		list, _ := core.Get[[]any](x, "list")
		if n != 5 || half != 0.5 || !reflect.DeepEqual(list, []any{"a", 1.5, true, nil}) {
			t.Errorf("n %v, half %v, list %v", n, half, list)
		}
		for key, v := range want {
			x.Set(key, v)
		}
		x.Login("u")
		x.Flash("error", "kind")
	})
	for range 2 {
		s.do(func(x *core.Session) {
			got := map[string]any{}
			for key := range want {
				got[key], _ = core.Get[any](x, key)
			}
			if typed, _ := core.Get[[]string](x, "strings"); slices.Equal(typed, []string{"a"}) {
				got["strings"] = typed
			}
			if !reflect.DeepEqual(got, want) || x.UserID() != "u" {
				t.Errorf("%#v, want %#v, user %q", got, want, x.UserID())
			}
			if flashes := x.PeekFlashes(); len(flashes) != 2 || flashes[0].Text != "hello" || flashes[1] != (core.Flash{Kind: "error", Text: "kind"}) {
				t.Errorf("flashes: %v", flashes)
			}
			x.Set("another", "save")
		})
	}
	s.gorilla(store, func(g *sessions.Session) {
		if g.Values["n"] != 5.0 || g.Values["int"] != 7.0 || g.Values["text"] != "grüße" || g.Values["yes"] != true {
			t.Errorf("gorilla reads %v", g.Values)
		}
	})
}

func TestSEC67FromPrintsNothing(t *testing.T) {
	backend := From(newFiles(t, t.TempDir()), FromConfig{})
	h, token, err := backend.Save(t.Context(), scope, testRecord(t), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	for what, v := range map[string]any{"backend": backend, "handle": h, "compatible handle": &compatibleHandle{token: token}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if got := fmt.Sprintf(verb, v); len(got) > 40 {
				t.Errorf("%s of the %s: %s", verb, what, got)
			}
		}
	}
}
