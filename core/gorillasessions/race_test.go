package gorillasessions

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// overlap serves the requests that handlers make of one client, so that each
// has loaded before any saves.
func (v *visitor) overlap(handlers ...func(s *sessions.Session)) {
	v.t.Helper()
	var loaded, done sync.WaitGroup
	loaded.Add(len(handlers))
	responses := make([]*httptest.ResponseRecorder, len(handlers))
	for i, change := range handlers {
		done.Go(func() {
			responses[i] = v.answer(func(w http.ResponseWriter, r *http.Request) {
				s, err := v.store.Get(r, "app")
				loaded.Done()
				loaded.Wait()
				if err != nil {
					v.t.Error(err)
					return
				}
				change(s)
				if err := s.Save(r, w); err != nil {
					v.t.Error(err)
				}
			})
		})
	}
	done.Wait()
	for _, w := range responses {
		v.keep(w)
	}
}

func TestK1StoreOverlappingRequests(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			v := newVisitor(t, backends()["memory"](), way.with, nil)
			v.edit("app", func(s *sessions.Session) {
				s.Values["map"] = &person{Seen: map[string]int{"a": 1, "b": 2, "c": 3, "d": 4}}
				s.AddFlash("first")
				s.Values["gone"] = "soon"
				for i := range 8 {
					s.Values[fmt.Sprint("k", i)], s.Values[keyType(i)] = -1, -1
				}
			})
			var all []func(*sessions.Session)
			for i := range 8 {
				all = append(all, func(s *sessions.Session) {
					s.Values[fmt.Sprint("k", i)] = i
					s.Values[keyType(i)] = i
					s.AddFlash(fmt.Sprint("flash", i))
				})
			}
			all = append(all, func(s *sessions.Session) {
				if f := s.Flashes(); len(f) != 1 || f[0] != "first" {
					t.Errorf("flashes %v", f)
				}
				delete(s.Values, "gone")
			}, func(s *sessions.Session) { s.Values["map"] = "changed" })
			v.overlap(all...)
			v.look("app", func(s *sessions.Session) {
				want(t, s, "map", "changed")
				want(t, s, "gone", nil)
				for i := range 8 {
					want(t, s, fmt.Sprint("k", i), i)
					want(t, s, keyType(i), i)
				}
				texts := fmt.Sprint(s.Flashes())
				for i := range 8 {
					if !strings.Contains(texts, fmt.Sprint("flash", i)) {
						t.Errorf("K1: flash %d of an overlapping request is lost: %s", i, texts)
					}
				}
				if strings.Contains(texts, "first") {
					t.Errorf("F1: a flash that was read is back: %s", texts)
				}
			})
		})
	}
}

// One request in the middle of another: each order of reading and adding.
func TestK1StoreFlashesOfInterleavedRequests(t *testing.T) {
	read := func(s *sessions.Session) { s.Flashes() }
	add := func(text string) func(*sessions.Session) { return func(s *sessions.Session) { s.AddFlash(text) } }
	for name, c := range map[string]struct {
		before       []string
		outer, inner func(*sessions.Session)
		want         string
	}{
		"add in a read":        {[]string{"old"}, read, add("new"), "[new]"},
		"read in an add":       {[]string{"old"}, add("new"), read, "[new]"},
		"read in a read":       {[]string{"old", "old"}, read, read, "[]"},
		"add in an add":        {nil, add("outer"), add("inner"), "[inner outer]"},
		"add in an add to one": {[]string{"old"}, add("outer"), add("inner"), "[old inner outer]"},
		"delete in an add":     {[]string{"old"}, add("new"), func(s *sessions.Session) { s.Options.MaxAge = -1 }, "[new]"},
		"the same text":        {[]string{"same"}, read, add("same"), "[same]"},
	} {
		for _, way := range ways {
			v := newVisitor(t, backends()["memory"](), way.with, nil)
			v.edit("app", func(s *sessions.Session) {
				s.Values["k"] = "so that there is a session"
				for _, text := range c.before {
					s.AddFlash(text)
				}
			})
			v.edit("app", func(s *sessions.Session) {
				c.outer(s)
				v.edit("app", c.inner)
			})
			v.look("app", func(s *sessions.Session) {
				if got := fmt.Sprint(s.Flashes()); got != c.want {
					t.Errorf("K1: %s, %s: %s, want %s", name, way.name, got, c.want)
				}
			})
		}
	}
}

func TestK2StoreAfterLogout(t *testing.T) {
	for _, way := range ways {
		v := newVisitor(t, backends()["memory"](), way.with, nil)
		v.edit("app", func(s *sessions.Session) { s.Values["k"] = "v" })
		w := v.answer(func(w http.ResponseWriter, r *http.Request) {
			s := v.get(r, "app")
			id, err := core.ParseID(s.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.m.Revoke(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			s.Values["k"] = "back"
			if err := s.Save(r, w); !errors.Is(err, core.ErrEnded) {
				t.Errorf("%s: save: %v", way.name, err)
			}
			s.Values["k"] = "again"
			if err := s.Save(r, w); !errors.Is(err, core.ErrEnded) {
				t.Errorf("%s: second save: %v", way.name, err)
			}
		})
		if lines := w.Header()["Set-Cookie"]; lines != nil {
			t.Errorf("K2: %s: %q", way.name, lines)
		}
		v.look("app", func(s *sessions.Session) {
			if !s.IsNew {
				t.Errorf("K2: %s: the session is back: %v", way.name, s.Values)
			}
		})
	}
}
