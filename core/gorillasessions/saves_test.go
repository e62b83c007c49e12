package gorillasessions

import (
	"encoding/gob"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// otherKey looks like another type of keys when it is printed.
type otherKey int

func init() {
	gob.Register(otherKey(0))
	gob.Register(map[string]int{})
}

// Libraries save whenever they have changed something, and their callers once more.
func TestF1StoreSavedTwice(t *testing.T) {
	everywhere(t, func(t *testing.T, v *visitor) {
		twice := func(change func(s *sessions.Session)) {
			v.serve(func(w http.ResponseWriter, r *http.Request) {
				s := v.get(r, "app")
				change(s)
				for range 2 {
					if err := s.Save(r, w); err != nil {
						t.Error(err)
					}
				}
			})
		}
		twice(func(s *sessions.Session) { s.AddFlash("one"); s.Values["k"] = "v" })
		twice(func(s *sessions.Session) {
			if got := fmt.Sprint(s.Flashes()); got != "[one]" {
				t.Errorf("F1: %s", got)
			}
			delete(s.Values, "k")
		})
		v.look("app", func(s *sessions.Session) {
			if !s.IsNew || len(s.Values) != 0 {
				t.Errorf("left: %v", s.Values)
			}
		})
	})
}

// Between two saves, a value that gorilla's program changes in place has changed.
func TestK1StoreValuesChangedInPlace(t *testing.T) {
	everywhere(t, func(t *testing.T, v *visitor) {
		change := func(w http.ResponseWriter, r *http.Request, s *sessions.Session, to byte) {
			s.Values["blob"].([]byte)[0] = to
			s.Values["map"].(map[string]int)["n"] = int(to)
			if err := s.Save(r, w); err != nil {
				t.Error(err)
			}
		}
		v.serve(func(w http.ResponseWriter, r *http.Request) {
			s := v.get(r, "app")
			s.Values["blob"], s.Values["map"] = []byte{1}, map[string]int{}
			for to := range byte(3) {
				change(w, r, s, 10+to)
			}
		})
		v.serve(func(w http.ResponseWriter, r *http.Request) {
			s := v.get(r, "app")
			want(t, s, "blob", []byte{12})
			want(t, s, "map", map[string]int{"n": 12})
			change(w, r, s, 20)
			change(w, r, s, 21)
		})
		v.look("app", func(s *sessions.Session) {
			want(t, s, "blob", []byte{21})
			want(t, s, "map", map[string]int{"n": 21})
		})
	})
}

func TestK1StoreKeysOfTypesThatLookAlike(t *testing.T) {
	everywhere(t, func(t *testing.T, v *visitor) {
		v.edit("app", func(s *sessions.Session) {
			s.Values[keyType(1)], s.Values[otherKey(1)], s.Values[1] = "a", "b", "c"
		})
		v.look("app", func(s *sessions.Session) {
			want(t, s, keyType(1), "a")
			want(t, s, otherKey(1), "b")
			want(t, s, 1, "c")
		})
	})
}

// The application's own cookies stay, whatever they are called.
func TestC7StoreLeavesOtherCookiesAlone(t *testing.T) {
	v := newVisitor(t, backends()["cookie"](), false, nil)
	w := v.serve(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session_theme", Value: "dark"})
		for i := range 2 {
			s := v.get(r, "app")
			s.Values["k"] = i
			if err := s.Save(r, w); err != nil {
				t.Error(err)
			}
		}
	})
	lines := w.Header()["Set-Cookie"]
	if all := strings.Join(lines, "\n"); len(lines) != 2 || !strings.Contains(all, "session_theme=dark") || strings.Count(all, "session=") != 1 {
		t.Errorf("%s", all)
	}
}

// A library in front of the middleware has asked for the session already.
func TestK1StoreBeforeAndBehindTheMiddleware(t *testing.T) {
	for name, backend := range backends() {
		v := newVisitor(t, backend(), false, nil)
		for range 2 {
			v.serve(func(w http.ResponseWriter, r *http.Request) {
				v.get(r, "app")
				httpadapter.Middleware(v.m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					s := v.get(r, "app")
					s.Values["k"] = "theirs"
					if err := s.Save(r, w); err != nil {
						t.Error(err)
					}
					core.Update(httpadapter.Session(r), "n", func(n int) int { return n + 1 })
				})).ServeHTTP(w, r)
			})
		}
		v.look("app", func(s *sessions.Session) { want(t, s, "k", "theirs") })
		v.do(func(x *core.Session) {
			if n, _ := core.Get[int](x, "n"); n != 2 {
				t.Errorf("%s: the handler has counted to %d, want 2", name, n)
			}
		})
	}
}

// Options that say nothing of the age must not make a browser forget who asked to be remembered.
func TestT3StoreOptionsKeepRememberedCookies(t *testing.T) {
	v := newVisitor(t, backends()["cookie"](), false, nil)
	v.store.Options = &sessions.Options{Path: "/"}
	v.do(func(x *core.Session) { x.Login("u"); x.Remember(true) })
	w := v.edit("app", func(s *sessions.Session) { s.Values["k"] = "v" })
	if got := attributes(t, w.Header()); !strings.Contains(got, "Max-Age=") {
		t.Error(got)
	}
}
