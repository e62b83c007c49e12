package gorillasessions

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

func TestStoreValues(t *testing.T) {
	values := map[any]any{
		"text": "grüße \xff", "": "empty key", "a/b": "slash", "yes": true, "int": 42, "half": 0.5, "whole": 3.0,
		"int64": int64(7), "uint": uint(7), "blob": []byte{1, 2}, "empty": []byte{}, "marked": []byte("\x00gob1 not"), "markedtext": "\x00gob1 not",
		"nil": nil, "list": []any{"a", 1}, "account": &person{"Ann", []string{"admin"}, map[string]int{"a": 1, "b": 2, "c": 3}},
		1: "int key", keyType(1): "typed key", true: int64(1), 'x': &person{Name: "rune key"},
	}
	codecs := map[string]core.Codec{"cbor": core.CBOR(), "json": core.JSON()}
	for codec := range codecs {
		for name, backend := range backends() {
			for _, way := range ways {
				t.Run(codec+" "+name+" "+way.name, func(t *testing.T) {
					v := newVisitor(t, backend(), way.with, func(c *core.Config) { c.Codec = codecs[codec] })
					v.edit("app", func(s *sessions.Session) {
						if !s.IsNew || s.ID != "" {
							t.Errorf("before anything is stored: IsNew %v, ID %q", s.IsNew, s.ID)
						}
						s.Values = values
					})
					v.edit("app", func(s *sessions.Session) {
						if s.IsNew || s.ID == "" {
							t.Errorf("of a stored session: IsNew %v, ID %q", s.IsNew, s.ID)
						}
						if len(s.Values) != len(values) {
							t.Errorf("%d values, want %d", len(s.Values), len(values))
						}
						for key, value := range values {
							want(t, s, key, value)
						}
						s.Values["account"].(*person).Roles[0] = "changed in place"
						delete(s.Values, "int")
						delete(s.Values, 1)
					})
					v.look("app", func(s *sessions.Session) {
						want(t, s, "account", &person{"Ann", []string{"changed in place"}, map[string]int{"a": 1, "b": 2, "c": 3}})
						if _, ok := s.Values["int"]; ok || len(s.Values) != len(values)-2 {
							t.Errorf("deleted keys are back, or others gone: %d values", len(s.Values))
						}
					})
				})
			}
		}
	}
}

func TestStoreNativeValuesForHandlers(t *testing.T) {
	v := newVisitor(t, backends()["memory"](), true, nil)
	v.edit("app", func(s *sessions.Session) {
		s.Values["theme"], s.Values["n"], s.Values["account"] = "dark", 42, &person{Name: "Ann"}
		s.Values[keyType(3)] = int64(9)
	})
	v.serve(func(_ http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		if theme, _ := core.Get[string](s, ValueKey("app", "theme")); theme != "dark" {
			t.Errorf("a handler reads %q", theme)
		}
		if n, _ := core.Get[int64](s, "gorilla/app/n"); n != 42 {
			t.Errorf("a handler reads %d", n)
		}
		if a, ok := Value[*person](s, "app", "account"); !ok || a.Name != "Ann" {
			t.Errorf("Value: %v, %v", a, ok)
		}
		if n, ok := Value[int64](s, "app", keyType(3)); !ok || n != 9 {
			t.Errorf("Value under a typed key: %v, %v", n, ok)
		}
		if _, ok := Value[string](s, "app", "n"); ok {
			t.Error("Value gives a string for a number")
		}
		if _, ok := Value[string](s, "app", "none"); ok {
			t.Error("Value gives what is not there")
		}
		// And back: what a handler sets, gorilla reads, and may change in place.
		s.Set(ValueKey("app", "theme"), "light")
		s.Set(ValueKey("app", "map"), map[string]int{"a": 1})
	})
	v.edit("app", func(s *sessions.Session) {
		want(t, s, "theme", "light")
		want(t, s, "map", map[string]any{"a": int64(1)})
		s.Values["map"] = "replaced"
	})
	v.look("app", func(s *sessions.Session) { want(t, s, "map", "replaced") })
}

func TestStoreNamesAreApart(t *testing.T) {
	everywhere(t, func(t *testing.T, v *visitor) {
		w := v.serve(func(w http.ResponseWriter, r *http.Request) {
			a, b := v.get(r, "a"), v.get(r, "ab")
			a.Values["k"], b.Values["k"] = "of a", "of ab"
			if again := v.get(r, "a"); again != a {
				t.Error("Get gives another session the second time")
			}
			if err := sessions.Save(r, w); err != nil { // gorilla's own, for all that were used
				t.Error(err)
			}
		})
		if lines := w.Header()["Set-Cookie"]; len(lines) != 1 {
			t.Errorf("C7: two sessions set %q, want one cookie", lines)
		}
		if w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Header().Get("Vary"), "Cookie") {
			t.Errorf("C7: header %v", w.Header())
		}
		v.edit("a", func(s *sessions.Session) { // a logout, as libraries do it
			want(t, s, "k", "of a")
			s.Options.MaxAge = -1
			s.Values["late"] = "is not stored"
		})
		v.look("a", func(s *sessions.Session) {
			if !s.IsNew || len(s.Values) > 0 {
				t.Errorf("after MaxAge -1: IsNew %v, %v", s.IsNew, s.Values)
			}
		})
		v.look("ab", func(s *sessions.Session) { want(t, s, "k", "of ab") })
	})
}

// Two Managers have two sessions, also for a library that asks for one name.
func TestSEC8StoresOfTwoManagersInOneRequest(t *testing.T) {
	a := newVisitor(t, backends()["memory"](), false, func(c *core.Config) { c.Cookie.Name = "a" })
	b := newVisitor(t, backends()["memory"](), false, func(c *core.Config) { c.Cookie.Name = "b" })
	w := a.serve(func(w http.ResponseWriter, r *http.Request) {
		for name, v := range map[string]*visitor{"a": a, "b": b} {
			s := v.get(r, "app")
			s.Values["k"] = name
			if err := s.Save(r, w); err != nil {
				t.Error(err)
			}
		}
	})
	b.keep(w)
	for name, v := range map[string]*visitor{"a": a, "b": b} {
		delete(v.cookies, map[string]string{"a": "b", "b": "a"}[name])
		v.look("app", func(s *sessions.Session) { want(t, s, "k", name) })
	}
}

func TestStoreForgottenSave(t *testing.T) {
	everywhere(t, func(t *testing.T, v *visitor) {
		w := v.serve(func(_ http.ResponseWriter, r *http.Request) { v.get(r, "app").Values["k"] = "forgotten" })
		if lines := w.Header()["Set-Cookie"]; lines != nil {
			t.Errorf("C1: without a Save, %q", lines)
		}
		w = v.edit("app", func(*sessions.Session) {})
		if lines := w.Header()["Set-Cookie"]; lines != nil {
			t.Errorf("C1: with nothing to save, %q", lines)
		}
		v.look("app", func(s *sessions.Session) {
			if !s.IsNew || len(s.Values) > 0 {
				t.Errorf("IsNew %v, %v", s.IsNew, s.Values)
			}
		})
	})
}

func TestStoreFlashes(t *testing.T) {
	everywhere(t, func(t *testing.T, v *visitor) {
		v.edit("app", func(s *sessions.Session) {
			s.AddFlash("one")
			s.AddFlash(&person{Name: "two"})
			s.AddFlash("other", "errors")
		})
		v.edit("app", func(s *sessions.Session) {
			if f := s.Flashes(); len(f) != 2 || f[0] != "one" || f[1].(*person).Name != "two" {
				t.Errorf("flashes %v", f)
			}
			s.AddFlash("three")
		})
		v.edit("app", func(s *sessions.Session) {
			if f := s.Flashes(); len(f) != 1 || f[0] != "three" {
				t.Errorf("flashes %v", f)
			}
			if f := s.Flashes("errors"); len(f) != 1 || f[0] != "other" {
				t.Errorf("flashes %v", f)
			}
		})
		v.look("app", func(s *sessions.Session) {
			if f := append(s.Flashes(), s.Flashes("errors")...); len(f) != 0 || !s.IsNew {
				t.Errorf("flashes %v, IsNew %v", f, s.IsNew)
			}
		})
	})
}

// gothic and others do this: a session of their own with New, beside a cached one.
func TestStoreNewAndGetInOneRequest(t *testing.T) {
	everywhere(t, func(t *testing.T, v *visitor) {
		w := v.serve(func(w http.ResponseWriter, r *http.Request) {
			cached := v.get(r, "app")
			own, err := v.store.New(r, "app")
			if err != nil {
				t.Fatal(err)
			}
			own.Values["k"] = "from New"
			if err := own.Save(r, w); err != nil {
				t.Error(err)
			}
			cached.Values["other"] = "from Get"
			if err := v.store.Save(r, w, cached); err != nil {
				t.Error(err)
			}
			if own.ID == "" || own.ID != cached.ID {
				t.Errorf("IDs %q and %q", own.ID, cached.ID)
			}
			cached.Values = nil
			cached.Values = map[any]any{"other": "twice"}
			if err := cached.Save(r, w); err != nil {
				t.Error(err)
			}
		})
		if lines := w.Header()["Set-Cookie"]; len(lines) != 1 {
			t.Errorf("C7: %q", lines)
		}
		v.look("app", func(s *sessions.Session) {
			want(t, s, "k", "from New")
			want(t, s, "other", "twice")
		})
	})
}

// Frameworks and libraries copy requests, and what one copy's context has the others do not.
func TestStoreCopiesOfARequest(t *testing.T) {
	everywhere(t, func(t *testing.T, v *visitor) {
		v.edit("app", func(s *sessions.Session) { s.Values["k"] = "before" })
		for range 2 {
			w := v.serve(func(w http.ResponseWriter, r *http.Request) {
				for _, name := range []string{"a", "b", "app"} {
					s := v.get(r.Clone(r.Context()), name)
					s.Values["k"] = name
					if err := s.Save(r, w); err != nil {
						t.Error(err)
					}
				}
				http.SetCookie(w, &http.Cookie{Name: "theirs", Value: "kept"})
			})
			if all := strings.Join(w.Header()["Set-Cookie"], "\n"); strings.Count(all, "session=") > 1 || !strings.Contains(all, "theirs=kept") {
				t.Errorf("C7: %s", all)
			}
			for _, name := range []string{"a", "b", "app"} {
				v.look(name, func(s *sessions.Session) { want(t, s, "k", name) })
			}
			v.cookies = map[string]string{} // and once more as a new visitor
		}
	})
}
