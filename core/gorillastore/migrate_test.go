package gorillastore

import (
	"encoding/gob"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// places are where gorilla keeps sessions in which "user" says who is logged in.
var places = []pairing{
	{"cookie", func(*testing.T) (core.Backend, sessions.Store) {
		store := cookieStore("old")
		return From(store, FromConfig{UserKey: "user"}), store
	}},
	{"files", func(t *testing.T) (core.Backend, sessions.Store) {
		store := sessions.NewFilesystemStore(t.TempDir(), pair("files")...)
		return From(store, FromConfig{UserKey: "user"}), store
	}},
	{"JSON", func(t *testing.T) (core.Backend, sessions.Store) {
		store := newMemory(t)
		store.text = true
		return From(store, FromConfig{UserKey: "user", Text: true}), store
	}},
	{"redisstore", func(t *testing.T) (core.Backend, sessions.Store) {
		store, _ := newRedis(t)
		return From(store, FromConfig{UserKey: "user"}), store
	}},
	{"compatible", func(t *testing.T) (core.Backend, sessions.Store) {
		store, prefix := newRedis(t)
		return RedisCompatible(newClient(t, redistest.Shared(t).Addr()), CompatibleConfig{UserKey: "user", KeyPrefix: prefix}), store
	}},
}

// steps are the steps of a migration, for one client who has logged in with gorilla.
type steps struct {
	ready, moving, after *site
	old                  map[string]string // the cookies of gorilla's login
}

func newSteps(t *testing.T, old core.Backend, store sessions.Store) *steps {
	t.Helper()
	memory := memstore.New(memstore.Config{SweepInterval: -1})
	t.Cleanup(func() { _ = memory.Close() })
	to := core.ServerSide(memory)
	m := new(steps)
	m.moving = newSite(t, core.Migrating(old, to), func(c *core.Config) {
		c.IdleTimeout, c.Lifetime, c.LoadTimeout, c.CommitTimeout = 24*time.Hour, 24*time.Hour, time.Minute, time.Minute
	})
	same := func(backend core.Backend) *site {
		s := newSite(t, backend, func(c *core.Config) {
			c.IdleTimeout, c.Lifetime, c.Now = 24*time.Hour, 24*time.Hour, func() time.Time { return m.moving.now }
		})
		s.cookies = m.moving.cookies
		return s
	}
	m.ready, m.after = same(core.Migrating(to, old)), same(to)
	m.moving.gorilla(store, func(g *sessions.Session) {
		g.Values["user"], g.Values["k"] = "ann", "v"
		g.AddFlash("hello")
	})
	m.old = maps.Clone(m.moving.cookies)
	return m
}

// again makes the client present gorilla's cookie once more.
func (m *steps) again() { maps.Copy(m.moving.cookies, m.old) }

// is checks whose session it is, and what it has under k.
func (s *site) is(user, k string) {
	s.t.Helper()
	if w := s.do(func(x *core.Session) {
		if got, _ := core.Get[string](x, "k"); x.UserID() != user || got != k {
			s.t.Errorf("user %q with k %q, want %q with %q", x.UserID(), got, user, k)
		}
	}); w.Code != http.StatusOK {
		s.t.Errorf("status %d: %s", w.Code, s.said())
	}
}

// inEachPlace runs test for each place. leaves says whether gorilla knows what has moved.
func inEachPlace(t *testing.T, test func(t *testing.T, m *steps, store sessions.Store, leaves bool)) {
	t.Helper()
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			backend, store := p.make(t)
			test(t, newSteps(t, backend, store), store, p.name != "cookie")
		})
	}
}

func TestMigrationOfALogin(t *testing.T) {
	inEachPlace(t, func(t *testing.T, m *steps, store sessions.Store, leaves bool) {
		m.ready.is("ann", "v")
		m.ready.gorilla(store, func(g *sessions.Session) {
			if g.Values["user"] != "ann" {
				t.Errorf("gorilla has %v", g.Values)
			}
		})
		m.old = maps.Clone(m.moving.cookies)
		m.moving.is("ann", "v")
		if m.moving.cookies["session"] == m.old["session"] {
			t.Error("the client keeps its token")
		}
		m.moving.is("ann", "v")
		m.after.do(func(x *core.Session) {
			if got := x.Flashes(); x.UserID() != "ann" || !slices.Equal(got, []core.Flash{{Text: "hello"}}) {
				t.Errorf("user %q, flashes %v", x.UserID(), got)
			}
			if list, err := x.List(t.Context()); err != nil || len(list) != 1 {
				t.Errorf("%d sessions are listed: %v", len(list), err)
			}
		})
		m.again()
		m.moving.gorilla(store, func(g *sessions.Session) {
			if leaves && (len(g.Values) != 1 || g.IsNew) {
				t.Errorf("gorilla still has %v", g.Values)
			}
		})
	})
}

// Six overlapping requests with gorilla's cookie are six answers as the same user, who keeps
// what each of them has written, whichever answer arrives last.
func TestK1L2OverlappingRequestsWithTheOldCookie(t *testing.T) {
	inEachPlace(t, func(t *testing.T, m *steps, _ sessions.Store, _ bool) {
		const n = 6
		clients := make([]*site, n)
		var arrived, all sync.WaitGroup
		arrived.Add(n)
		for i := range clients {
			clients[i] = &site{t: t, m: m.moving.m, cookies: maps.Clone(m.old)}
			all.Go(func() {
				w := clients[i].do(func(x *core.Session) {
					arrived.Done()
					arrived.Wait() // all have loaded it
					if x.UserID() != "ann" {
						t.Errorf("a request is %q's", x.UserID())
					}
					core.Update(x, "n", func(n int) int { return n + 1 })
				})
				if w.Code != http.StatusOK {
					t.Errorf("status %d", w.Code)
				}
			})
		}
		all.Wait()
		for _, c := range clients {
			m.moving.cookies = c.cookies
			m.moving.do(func(x *core.Session) {
				if got, _ := core.Get[int](x, "n"); got != n || x.UserID() != "ann" {
					t.Errorf("%d of %d changes, user %q", got, n, x.UserID())
				}
			})
		}
	})
}

// Whatever becomes of the first answer, gorilla's cookie is good until the new one is shown.
func TestL2ALostAnswerLogsNobodyOut(t *testing.T) {
	inEachPlace(t, func(_ *testing.T, m *steps, _ sessions.Store, _ bool) {
		for range 3 {
			m.again()
			m.moving.is("ann", "v")
			m.moving.now = m.moving.now.Add(5 * time.Hour)
		}
		m.again()
		m.moving.is("ann", "v")
		m.after.is("ann", "v")
	})
}

func TestK2LogoutAfterTheMoveIsFinal(t *testing.T) {
	inEachPlace(t, func(t *testing.T, m *steps, store sessions.Store, leaves bool) {
		m.moving.is("ann", "v")
		m.moving.do(func(x *core.Session) { x.Logout() })
		for _, s := range []*site{m.moving, m.after, m.ready} {
			if s == m.ready && !leaves {
				continue // there is no list of cookies that have ended
			}
			m.again()
			s.is("", "")
		}
		m.again()
		m.moving.gorilla(store, func(g *sessions.Session) {
			if leaves && g.Values["user"] != nil {
				t.Errorf("%v is logged in with gorilla", g.Values["user"])
			}
		})
	})
}

// The event of a refused token has the ID that the logout had, in both kinds of token.
func TestMigrationSaysWhoseTheRefusedTokenWas(t *testing.T) {
	inEachPlace(t, func(t *testing.T, m *steps, _ sessions.Store, _ bool) {
		m.moving.is("ann", "v")
		moved := maps.Clone(m.moving.cookies)
		m.moving.do(func(x *core.Session) { x.Logout() })
		i := slices.IndexFunc(m.moving.events, func(e core.Event) bool { return e.Kind == core.EventLogout })
		id := m.moving.events[i].ID
		for _, cookies := range []map[string]string{moved, m.old} {
			m.moving.events = nil
			maps.Copy(m.moving.cookies, cookies)
			m.moving.is("", "")
			if e := m.moving.events[0]; e.Kind != core.EventRejected || e.Claimed != id || id.IsZero() {
				t.Errorf("%s: reason %q, claimed %v, want %v", e.Kind, e.Reason, e.Claimed, id)
			}
		}
	})
}

// What gorilla does with what is left of a session gets nobody into the one that has moved.
func TestSEC2GorillaUsesWhatWasLeft(t *testing.T) {
	inEachPlace(t, func(t *testing.T, m *steps, store sessions.Store, leaves bool) {
		m.moving.is("ann", "v")
		m.again()
		m.moving.gorilla(store, func(g *sessions.Session) { g.Values["user"] = "eve" })
		m.moving.do(func(x *core.Session) {
			if k, _ := core.Get[string](x, "k"); leaves && (x.UserID() == "ann" || k != "") {
				t.Errorf("user %q with k %q", x.UserID(), k)
			}
		})
	})
}

// TestLeaveOfWhatHasChanged: other software may write until a session leaves.
func TestLeaveOfWhatHasChanged(t *testing.T) {
	for _, p := range places[1:] {
		t.Run(p.name, func(t *testing.T) {
			old, store := p.make(t)
			s := newSite(t, old, nil)
			s.gorilla(store, func(g *sessions.Session) { g.Values["user"] = "ann" })
			backend := configured(t, old, s)
			presented := core.Tokens{Session: s.cookies["session"]}
			l, err := backend.Load(t.Context(), scope, presented)
			if err != nil {
				t.Fatal(err)
			}
			s.gorilla(store, func(g *sessions.Session) { g.Values["late"] = "yes" })
			if err := backend.Leave(t.Context(), scope, &l.Record, l.Handle); err != nil {
				t.Fatal(err)
			}
			if _, err := backend.Load(t.Context(), scope, presented); err == nil {
				t.Error("it is still there")
			}
			left, err := backend.LoadLeft(t.Context(), scope, presented)
			if err != nil || left.ID != l.Record.ID || left.User != "ann" {
				t.Errorf("left is %v: %v", left, err)
			}
			other := scope
			other.Name = "other"
			if _, err := backend.LoadLeft(t.Context(), other, presented); err == nil {
				t.Error("SEC8: it is found under another name")
			}
			s.now = l.Record.KeepUntil()
			if _, err := backend.LoadLeft(t.Context(), scope, presented); err == nil {
				t.Error("it lasts for longer than the session")
			}
			if err := backend.Leave(t.Context(), scope, &l.Record, l.Handle); p.name != "compatible" && err == nil {
				t.Error("what is gone can leave")
			}
		})
	}
}

// leaver is what Migrating needs of gorilla's stores.
type leaver interface {
	core.Backend
	core.Leaver
}

// configured returns backend for a Manager with the clock of s.
func configured(t *testing.T, backend core.Backend, s *site) leaver {
	t.Helper()
	b, err := backend.(core.Configurable[core.Backend]).WithConfig(core.Config{
		Codec: core.CBOR(), IdleTimeout: time.Hour, Lifetime: time.Hour, Now: func() time.Time { return s.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.(leaver)
}

func TestBothLibrariesSeeLogins(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			backend, store := p.make(t)
			s := newSite(t, backend, nil)
			s.do(func(x *core.Session) { x.Set("user", "not gorilla's"); x.Login("ann"); x.Set("k", "v") })
			s.gorilla(store, func(g *sessions.Session) {
				if g.Values["user"] != "ann" {
					t.Errorf("gorilla has %v", g.Values)
				}
				delete(g.Values, "user")
			})
			s.do(func(x *core.Session) {
				if v, _ := core.Get[string](x, "user"); x.UserID() != "" || !x.AuthenticatedAt().IsZero() || v != "not gorilla's" {
					t.Errorf("after gorilla's logout: user %q, since %v, value %q", x.UserID(), x.AuthenticatedAt(), v)
				}
				x.Set("k", "w")
			})
			s.gorilla(store, func(g *sessions.Session) {
				if g.Values["user"] != nil {
					t.Errorf("SEC15: gorilla has %v", g.Values)
				}
				g.Values["user"] = "bob"
			})
			s.is("bob", "w")
			if p.name == "cookie" {
				return // the last of overlapping writes wins
			}
			other := &site{t: t, cookies: maps.Clone(s.cookies)}
			s.do(func(x *core.Session) {
				x.Set("k", "x")
				other.gorilla(store, func(g *sessions.Session) { g.Values["user"] = "carol" })
			})
			s.is("carol", "x")
		})
	}
}

type number [2]byte

func (n number) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%02x-%02x", n[0], n[1]), nil }

func init() { gob.Register(number{}) }

func TestUsersOfOtherTypes(t *testing.T) {
	atoi := func(user string) (any, error) { return strconv.Atoi(user) }
	for _, c := range []struct {
		native, json any
		user         string
		value        func(string) (any, error)
	}{
		{7, 7.0, "7", atoi},
		{uint8(7), 7.0, "7", func(user string) (any, error) { n, err := strconv.ParseUint(user, 10, 8); return uint8(n), err }},
		{number{1, 0xff}, nil, "01-ff", func(user string) (any, error) {
			var n number
			_, err := fmt.Sscanf(user, "%02x-%02x", &n[0], &n[1])
			return n, err
		}},
	} {
		for _, text := range []bool{false, true} {
			store, want := newMemory(t), c.native
			if store.text = text; text {
				want = c.json
			}
			if want == nil {
				continue // JSON has a string for it
			}
			s := newSite(t, From(store, FromConfig{UserKey: "user", UserValue: c.value, Text: text}), nil)
			s.gorilla(store, func(g *sessions.Session) { g.Values["user"], g.Values["k"] = c.native, "v" })
			s.is(c.user, "v")
			s.do(func(x *core.Session) { x.Logout() })
			s.do(func(x *core.Session) { x.Login(c.user) })
			s.gorilla(store, func(g *sessions.Session) {
				if got := g.Values["user"]; !reflect.DeepEqual(got, want) {
					t.Errorf("gorilla has %#v, want %#v", got, want)
				}
			})
			// Without UserValue, gorilla would not know the user of a login here.
			s = newSite(t, From(store, FromConfig{UserKey: "user", Text: text}), nil)
			s.gorilla(store, func(g *sessions.Session) { g.Values["user"] = c.native })
			if w := s.do(func(*core.Session) { t.Error("the handler runs") }); w.Code != 503 || !strings.Contains(s.said(), "UserValue") {
				t.Errorf("%T: status %d, %s", c.native, w.Code, s.said())
			}
		}
	}
	for _, p := range places {
		old, store := p.make(t)
		s := newSite(t, old, nil)
		s.gorilla(store, func(g *sessions.Session) { g.Values["user"] = []byte{1} })
		if w := s.do(func(*core.Session) {}); w.Code != 503 && p.name != "JSON" {
			t.Errorf("%s: status %d, %s", p.name, w.Code, s.said())
		}
	}
	for name, backend := range map[string]core.Backend{
		"cookie": Cookie(cookieStore("old"), CookieConfig{UserKey: flashKey}), "from": From(newMemory(t), FromConfig{UserKey: headerKey}),
		"compatible": RedisCompatible(newClient(t, redistest.Shared(t).Addr()), CompatibleConfig{UserKey: inplace.LeftKey}),
	} {
		if _, err := core.New(backend, core.Config{}); err == nil || !strings.Contains(err.Error(), "no key of an application") {
			t.Errorf("%s: New: %v", name, err)
		}
	}
}

// A value that a Record cannot hold stays until another takes its place.
func TestF1ReplacesWhatItCannotRead(t *testing.T) {
	onEach(t, pairings, func(t *testing.T, s *site, store sessions.Store) {
		s.gorilla(store, func(g *sessions.Session) { g.Values["odd"], g.Values["rest"] = 1i, 2i })
		s.do(func(x *core.Session) { x.Set("odd", "even") })
		s.do(func(x *core.Session) {
			if got, _ := core.Get[string](x, "odd"); got != "even" {
				t.Errorf("it is %q", got)
			}
			x.Renew()
		})
		s.gorilla(store, func(g *sessions.Session) {
			if g.Values["odd"] != "even" || g.Values["rest"] != 2i {
				t.Errorf("gorilla has %v", g.Values)
			}
			g.Values["odd"] = 3i
		})
		s.do(func(x *core.Session) {
			x.Set("odd", "even")
			if err := x.Commit(t.Context()); err != nil {
				t.Error(err)
			}
			x.Delete("odd")
		})
		s.gorilla(store, func(g *sessions.Session) {
			if g.Values["odd"] != nil {
				t.Errorf("what was replaced has come back: %v", g.Values)
			}
		})
	})
}
