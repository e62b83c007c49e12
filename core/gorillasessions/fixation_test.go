package gorillasessions

import (
	"errors"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// attempts are ways to log in a victim whose browser has a cookie that an
// attacker has planted.
var attempts = map[string]struct {
	method, site string
	plant, login func(s *sessions.Session)
}{
	"an anonymous session": {
		"", "",
		func(s *sessions.Session) { s.Values["theme"] = "dark" },
		func(s *sessions.Session) { s.Values["user"] = 42 },
	},
	"a session with a flash": {
		"POST", "same-origin",
		func(s *sessions.Session) { s.AddFlash("hello") },
		func(s *sessions.Session) { s.Values["user"] = "victim" },
	},
	"a flag": {
		"", "same-origin",
		func(s *sessions.Session) { s.Values["authenticated"] = false },
		func(s *sessions.Session) { s.Values["authenticated"] = true },
	},
	"an empty account": {
		"", "",
		func(s *sessions.Session) { s.Values["account"] = &person{} },
		func(s *sessions.Session) { s.Values["account"] = &person{Name: "victim"} },
	},
	"the attacker's own login": {
		"POST", "same-origin",
		func(s *sessions.Session) { s.Values["user"] = 1 },
		func(s *sessions.Session) { s.Values["user"] = 2 },
	},
	"the attacker's account": {
		"POST", "",
		func(s *sessions.Session) { s.Values["account"] = &person{Name: "attacker"} },
		func(s *sessions.Session) { s.Values["account"].(*person).Name = "victim" },
	},
	"an identity provider's answer": {
		"GET", "cross-site",
		func(s *sessions.Session) { s.Values["user"] = "attacker" },
		func(s *sessions.Session) { s.Values["user"] = "victim" },
	},
	"a typed key, all else cleared": {
		"", "",
		func(s *sessions.Session) { s.Values["theme"] = "dark" },
		func(s *sessions.Session) { clear(s.Values); s.Values[keyType(1)] = "victim" },
	},
}

func TestI1SEC3StoreSessionFixation(t *testing.T) {
	for name, a := range attempts {
		for _, session := range []string{"app", "login"} { // that of the planted values, and another
			everywhere(t, func(t *testing.T, v *visitor) {
				v.edit(session, a.plant)
				v.edit("app", func(s *sessions.Session) { s.Values["more"] = 1 })
				attacker := maps.Clone(v.cookies)
				var before map[any]any
				v.look(session, func(s *sessions.Session) { before = s.Values })
				id := ""
				v.look(session, func(s *sessions.Session) { id = s.ID })
				v.method, v.site = a.method, a.site
				v.edit(session, a.login)
				v.method, v.site = "", ""
				victim := maps.Clone(v.cookies)
				var after map[any]any
				v.look(session, func(s *sessions.Session) {
					after = s.Values
					if s.ID != id {
						t.Errorf("%s: the ID has changed from %s to %s", name, id, s.ID)
					}
				})
				v.cookies = attacker
				v.look(session, func(s *sessions.Session) {
					for key, value := range s.Values {
						if !bytesOrDeepEqual(value, before[key]) {
							t.Errorf("%s: the attacker reads %v: %v", name, key, value)
						}
					}
				})
				v.serve(func(w http.ResponseWriter, r *http.Request) {
					s := v.get(r, session)
					s.Values["evil"] = true
					_ = s.Save(r, w) // refused, or into the attacker's own cookie
				})
				v.cookies = victim
				v.look(session, func(s *sessions.Session) {
					if !bytesOrDeepEqual(s.Values, after) {
						t.Errorf("%s: the victim has %v, want %v", name, s.Values, after)
					}
				})
			})
		}
	}
}

// What is no login keeps the token, so that overlapping requests go on as they were.
func TestK1StoreOrdinarySavesKeepTheToken(t *testing.T) {
	for name, c := range map[string]struct {
		method, site string
		exempt       bool
		change       func(s *sessions.Session)
	}{
		"a counter":           {"", "", false, func(s *sessions.Session) { s.Values["n"] = 2 }},
		"a counter of a page": {"", "same-origin", false, func(s *sessions.Session) { s.Values["n"] = 2 }},
		"a flash":             {"POST", "", false, func(s *sessions.Session) { s.AddFlash("saved") }},
		"a kind of flash":     {"POST", "", false, func(s *sessions.Session) { s.AddFlash("saved", "error") }},
		"a deletion":          {"POST", "", false, func(s *sessions.Session) { delete(s.Values, "n") }},
		"a logout":            {"POST", "", false, func(s *sessions.Session) { s.Options.MaxAge = -1; s.Values["x"] = 1 }},
		"nothing":             {"POST", "", false, func(*sessions.Session) {}},
		"what is exempt":      {"POST", "", true, func(s *sessions.Session) { s.Values["n"], s.Values["seen"] = 2, "now" }},
	} {
		for _, way := range ways {
			v := newVisitor(t, backends()["memory"](), way.with, nil)
			if c.exempt {
				v.store.Exempt = func(session string, key any) bool { return session == "app" && (key == "n" || key == "seen") }
			}
			v.edit("app", func(s *sessions.Session) { s.Values["n"], s.Values["user"] = 1, "ann" })
			before := v.cookies["session"]
			v.method, v.site = c.method, c.site
			v.edit("app", c.change)
			if v.cookies["session"] != before {
				t.Errorf("%s, %s: the token has changed", name, way.name)
			}
		}
	}
}

// A request has one new token, however often it saves, and none if its session is new.
func TestC7StoreRenewsOncePerRequest(t *testing.T) {
	everywhere(t, func(t *testing.T, v *visitor) {
		renewed := 0
		for range 2 {
			w := v.serve(func(w http.ResponseWriter, r *http.Request) {
				for range 3 {
					s := v.get(r, "app")
					s.Values[keyType(len(s.Values))] = 1
					if err := s.Save(r, w); err != nil {
						t.Error(err)
					}
				}
				if s, ok := v.m.FromContext(r.Context()); ok {
					n, _ := core.Get[int](s, renewedKey)
					renewed = n
				}
			})
			if lines := w.Header()["Set-Cookie"]; len(lines) != 1 {
				t.Errorf("cookies %q", lines)
			}
		}
		if renewed > 1 {
			t.Errorf("renewed %d times", renewed)
		}
		v.look("app", func(s *sessions.Session) {
			if len(s.Values) != 6 {
				t.Errorf("values %v", s.Values)
			}
		})
	})
}

// inFlight serves a request whose Save comes after meanwhile, and returns its error.
func (v *visitor) inFlight(change func(*sessions.Session), meanwhile func()) (err error) {
	v.t.Helper()
	w := v.answer(func(w http.ResponseWriter, r *http.Request) {
		s := v.get(r, "app")
		change(s)
		meanwhile()
		err = s.Save(r, w)
	})
	if lines := w.Header()["Set-Cookie"]; lines != nil {
		v.t.Errorf("the late request sets %q", lines)
	}
	return err
}

// A request in flight across another's renewal adds what it has changed, as if it
// had come first. It gets no token and changes nothing that the other has changed.
func TestK1StoreSavesInFlightAcrossARenewal(t *testing.T) {
	for _, way := range ways {
		v := newVisitor(t, backends()["memory"](), way.with, nil)
		v.edit("app", func(s *sessions.Session) {
			s.Values["n"], s.Values["mine"], s.Values["gone"] = 1, "before", "soon"
			s.AddFlash("first")
		})
		old := maps.Clone(v.cookies)
		err := v.inFlight(func(s *sessions.Session) {
			s.Values["n"], s.Values["mine"] = 7, "kept"
			delete(s.Values, "gone")
			s.AddFlash("second")
		}, func() {
			v.edit("app", func(s *sessions.Session) { s.Values["user"], s.Values["n"] = "ann", 2 })
		})
		if err != nil {
			t.Errorf("%s: save in flight: %v", way.name, err)
		}
		v.look("app", func(s *sessions.Session) {
			want(t, s, "user", "ann")
			want(t, s, "n", 2)
			want(t, s, "mine", "kept")
			want(t, s, "gone", nil)
			if f := s.Flashes(); len(f) != 2 {
				t.Errorf("K1: flashes %v", f)
			}
		})
		v.cookies = old
		v.look("app", func(s *sessions.Session) {
			if len(s.Values) > 0 {
				t.Errorf("the old token reads %v", s.Values)
			}
		})
	}
}

// Of a planted token, the attacker may be the first to renew it, while the victim's
// login is in flight: the login must not end up in the attacker's session. Nor must the
// attacker's in the victim's.
func TestI1SEC3StoreLoginInFlightAcrossARenewal(t *testing.T) {
	for _, way := range ways {
		for _, values := range [][2]string{{"theme", "user"}, {"user", "user"}, {"user", "theme"}} {
			v := newVisitor(t, backends()["memory"](), way.with, nil)
			v.edit("app", func(s *sessions.Session) { s.Values["k"] = "v" })
			err := v.inFlight(func(s *sessions.Session) { s.Values[values[1]] = "late" }, func() {
				v.edit("app", func(s *sessions.Session) { s.Values[values[0]] = "first" })
			})
			if !errors.Is(err, core.ErrEnded) {
				t.Errorf("%s: %v", way.name, err)
			}
			v.look("app", func(s *sessions.Session) {
				want(t, s, values[0], "first")
				if len(s.Values) != 2 {
					t.Errorf("%s: the first to renew has %v", way.name, s.Values)
				}
			})
		}
	}
}

// Satchel's own logins, renewals and endings still end what is in flight.
func TestK2StoreSavesInFlightAcrossALogin(t *testing.T) {
	for name, meanwhile := range map[string]func(s *core.Session){
		"login":  func(s *core.Session) { s.Login("ann") },
		"renew":  (*core.Session).Renew,
		"logout": (*core.Session).Logout,
	} {
		for _, way := range ways {
			v := newVisitor(t, backends()["memory"](), way.with, nil)
			v.edit("app", func(s *sessions.Session) { s.Values["k"] = "v" })
			v.edit("app", func(s *sessions.Session) { s.Values["k2"] = "v" }) // has renewed once
			err := v.inFlight(func(s *sessions.Session) { s.Values["k"] = "late" }, func() { v.do(meanwhile) })
			if !errors.Is(err, core.ErrEnded) {
				t.Errorf("K2: %s, %s: %v", name, way.name, err)
			}
			v.look("app", func(s *sessions.Session) {
				if s.Values["k"] == "late" {
					t.Errorf("K2: %s, %s: it is stored", name, way.name)
				}
			})
		}
	}
}

// A login by Satchel and then a renewal by a Save: the session in flight was another.
func TestK2StoreSavesInFlightAcrossALoginAndARenewal(t *testing.T) {
	v := newVisitor(t, backends()["memory"](), true, nil)
	v.edit("app", func(s *sessions.Session) { s.Values["k"] = "v" })
	err := v.inFlight(func(s *sessions.Session) { s.Values["k"] = "late" }, func() {
		v.do(func(s *core.Session) { s.Login("ann") })
		v.edit("app", func(s *sessions.Session) { s.Values["k2"] = "v" })
	})
	if !errors.Is(err, core.ErrEnded) {
		t.Errorf("K2: %v", err)
	}
	v.look("app", func(s *sessions.Session) { want(t, s, "k", "v") })
}

// If the store fails while a save in flight is being added, Save says so.
func TestL3StoreSaveInFlightWithoutAnswer(t *testing.T) {
	v, store := flaky(t, true, nil)
	v.edit("app", func(s *sessions.Session) { s.Values["k"] = "v" })
	err := v.inFlight(func(s *sessions.Session) { s.Values["k"] = "late" }, func() {
		v.edit("app", func(s *sessions.Session) { s.Values["k2"] = "v" })
		store.down.Store(true)
	})
	if !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("L3: %v", err)
	}
}

// A request that takes very long no longer joins.
func TestK2StoreSavesInFlightForLong(t *testing.T) {
	v := newVisitor(t, backends()["memory"](), true, nil)
	v.edit("app", func(s *sessions.Session) { s.Values["k"] = "v" })
	v.answer(func(w http.ResponseWriter, r *http.Request) {
		s := v.get(r, "app")
		r.Context().Value(requestKey{v.m}).(*request).from.at = time.Now().Add(-patience - time.Second)
		v.edit("app", func(s *sessions.Session) { s.Values["k2"] = "v" })
		s.Values["k"] = "late"
		if err := s.Save(r, w); !errors.Is(err, core.ErrEnded) {
			t.Errorf("K2: %v", err)
		}
	})
	v.look("app", func(s *sessions.Session) { want(t, s, "k", "v") })
}
