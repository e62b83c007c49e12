package gorillasessions

import (
	"encoding/gob"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// flaky is a visitor of a program whose store can be told to fail.
func flaky(t *testing.T, with bool, edit func(*core.Config)) (*visitor, *flakyStore) {
	t.Helper()
	store := &flakyStore{Store: memstore.New(memstore.Config{})}
	return newVisitor(t, core.ServerSide(store), with, edit), store
}

func TestL3StoreUnavailableAtLoad(t *testing.T) {
	v, store := flaky(t, false, nil)
	v.edit("app", func(s *sessions.Session) { s.Values["k"] = "kept" })
	saves := store.saves.Load()
	for name, get := range map[string]func(r *http.Request) (*sessions.Session, error){
		"Get": func(r *http.Request) (*sessions.Session, error) { return v.store.Get(r, "app") },
		"New": func(r *http.Request) (*sessions.Session, error) { return v.store.New(r, "app") },
	} {
		w := v.serve(func(w http.ResponseWriter, r *http.Request) {
			store.down.Store(true)
			s, err := get(r)
			store.down.Store(false)
			if !errors.Is(err, core.ErrUnavailable) || s == nil || s.Options == nil || len(s.Values) > 0 {
				t.Fatalf("%s: %v, %v", name, s, err)
			}
			s.Values["k"] = "overwritten" // what many applications do, which ignore the error
			if err := s.Save(r, w); !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("%s: save: %v", name, err)
			}
			s.Options.MaxAge = -1
			if err := v.store.Save(r, w, s); !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("%s: delete: %v", name, err)
			}
		})
		if len(w.Header()["Set-Cookie"]) > 0 || store.saves.Load() != saves {
			t.Errorf("%s: L3: stored %d, header %v", name, store.saves.Load()-saves, w.Header())
		}
	}
	v.look("app", func(s *sessions.Session) { want(t, s, "k", "kept") })
}

func TestL3StoreUnavailableAtSave(t *testing.T) {
	for _, way := range ways {
		v, store := flaky(t, way.with, nil)
		v.edit("app", func(s *sessions.Session) { s.Values["k"] = "kept" })
		w := v.serve(func(w http.ResponseWriter, r *http.Request) {
			s := v.get(r, "app")
			s.Values["k"], s.Values["new"] = "second", "too"
			store.down.Store(true)
			err := s.Save(r, w)
			store.down.Store(false)
			if !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("%s: save: %v", way.name, err)
			}
		})
		if w.Code != http.StatusOK { // the handler knows, and has decided
			t.Errorf("%s: %d", way.name, w.Code)
		}
		v.edit("app", func(s *sessions.Session) {
			want(t, s, "k", "kept")
			want(t, s, "new", nil)
			s.Values["k"] = "later"
		})
	}
}

// A second try of a Save that failed stores everything.
func TestStoreSaveAgainAfterAnError(t *testing.T) {
	v, store := flaky(t, true, nil)
	v.serve(func(w http.ResponseWriter, r *http.Request) {
		s := v.get(r, "app")
		s.Values["k"] = "kept"
		store.down.Store(true)
		if s.Save(r, w) == nil {
			t.Error("saved though the store is down")
		}
		store.down.Store(false)
		if err := s.Save(r, w); err != nil {
			t.Error(err)
		}
	})
	v.look("app", func(s *sessions.Session) { want(t, s, "k", "kept") })
}

func TestStoreReadOnlySession(t *testing.T) {
	for _, way := range ways {
		v, store := flaky(t, way.with, func(c *core.Config) { c.ServeWhenUnavailable = true })
		v.edit("app", func(s *sessions.Session) { s.Values["k"] = "kept" })
		store.down.Store(true)
		for _, age := range []int{0, -1} {
			v.serve(func(w http.ResponseWriter, r *http.Request) {
				s, _ := v.store.Get(r, "app")
				s.Values["k"], s.Options.MaxAge = "overwritten", age
				if err := s.Save(r, w); !errors.Is(err, core.ErrUnavailable) {
					t.Errorf("%s: MaxAge %d: save: %v", way.name, age, err)
				}
			})
		}
		store.down.Store(false)
		v.look("app", func(s *sessions.Session) { want(t, s, "k", "kept") })
	}
}

func TestStoreValuesThatGobRefuses(t *testing.T) {
	type unknown struct{ A int }
	everywhere(t, func(t *testing.T, v *visitor) {
		w := v.serve(func(w http.ResponseWriter, r *http.Request) {
			s := v.get(r, "app")
			s.Values["a"], s.Values["b"] = "fine", unknown{1}
			if err := s.Save(r, w); err == nil || !strings.Contains(err.Error(), `value "b"`) {
				t.Errorf("save: %v", err)
			}
		})
		if lines := w.Header()["Set-Cookie"]; lines != nil {
			t.Errorf("half a session is stored: %q", lines)
		}
	})
}

// Gob would end the process.
func TestStoreValuesThatContainThemselves(t *testing.T) {
	gob.Register(&link{})
	gob.Register([]any{})
	gob.Register(map[string]any{})
	pointer := &link{}
	pointer.Next = &link{Next: pointer}
	list := []any{nil}
	list[0] = list
	object := map[string]any{}
	object["self"] = object
	for name, values := range map[string]map[any]any{
		"pointer": {"k": pointer}, "list": {"k": list}, "map": {"k": object}, "key": {link{Next: pointer}: 1},
		"flashes": {"_flash": []any{"a", pointer}},
	} {
		v := newVisitor(t, core.ServerSide(memstore.New(memstore.Config{})), true, nil)
		v.edit("app", func(s *sessions.Session) { s.Values["kept"] = "v" })
		v.serve(func(w http.ResponseWriter, r *http.Request) {
			s := v.get(r, "app")
			maps.Copy(s.Values, values)
			if err := s.Save(r, w); err == nil || !strings.Contains(err.Error(), "contains itself") {
				t.Errorf("%s: %v", name, err)
			}
		})
		v.look("app", func(s *sessions.Session) { want(t, s, "kept", "v") })
	}
	chain := &link{}
	for range 400 {
		chain = &link{Next: chain, At: time.Now()}
	}
	v := newVisitor(t, core.ServerSide(memstore.New(memstore.Config{})), true, nil)
	v.edit("app", func(s *sessions.Session) { s.Values["k"] = chain })
	v.look("app", func(s *sessions.Session) {
		if got, ok := s.Values["k"].(*link); !ok || got.Next == nil {
			t.Errorf("a long list comes back as %v", s.Values["k"])
		}
	})
}

// link is a list, and perhaps a ring.
type link struct {
	Next *link
	At   time.Time
}

func TestStoreSessionsThatAreNotFromIt(t *testing.T) {
	v := newVisitor(t, backends()["memory"](), true, nil)
	v.serve(func(w http.ResponseWriter, r *http.Request) {
		made := sessions.NewSession(v.store, "app")
		made.Values["k"] = 1
		if err := made.Save(r, w); !errors.Is(err, errForeign) {
			t.Errorf("made by hand: %v", err)
		}
		// Another store with a session of this name.
		theirs, err := sessions.NewCookieStore([]byte("0123456789abcdef0123456789abcdef")).Get(r, "both")
		if err != nil {
			t.Fatal(err)
		}
		theirs.Values["k"] = "theirs"
		ours := v.get(r, "both")
		if ours == theirs || ours.Values["k"] != nil {
			t.Error("two stores share a session")
		}
		if v.get(r, "both") != ours {
			t.Error("Get gives another session the second time")
		}
		if theirs.Save(r, w) == nil {
			t.Error("their session is saved as ours")
		}
		ours.Values["k"] = "ours"
		if err := ours.Save(r, w); err != nil {
			t.Error(err)
		}
		for _, name := range []string{"", "with blank", "a/b", "a:b", "ü"} {
			s, err := v.store.Get(r, name)
			if err == nil || s == nil {
				t.Fatalf("Get %q: %v, %v", name, s, err)
			}
			if s.Save(r, w) == nil {
				t.Errorf("a session called %q is saved", name)
			}
		}
	})
	v.look("both", func(s *sessions.Session) { want(t, s, "k", "ours") })
}

// around is a store around ours that registers sessions by itself.
type around struct{ *Store }

func (s around) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

func TestStoreInsideAnother(t *testing.T) {
	for _, way := range ways {
		v := newVisitor(t, backends()["memory"](), way.with, nil)
		for range 2 {
			v.serve(func(w http.ResponseWriter, r *http.Request) {
				s, err := around{v.store}.Get(r, "app")
				if err != nil {
					t.Fatal(err)
				}
				n, _ := s.Values["n"].(int)
				s.Values["n"] = n + 1
				if err := s.Save(r, w); err != nil {
					t.Error(err)
				}
			})
		}
		v.look("app", func(s *sessions.Session) { want(t, s, "n", 2) })
	}
}
