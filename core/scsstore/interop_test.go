package scsstore

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

type account struct{ Name string }

func init() {
	gob.Register(account{})
	gob.Register(time.Time{})
	gob.Register(uuid{})
	gob.Register(map[string]any{})
}

// uuid is a user as some applications have them.
type uuid [2]byte

func (u uuid) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%02x-%02x", u[0], u[1]), nil }

// jsonCodec is a Codec as some applications have them.
type jsonCodec struct{}

type jsonSession struct {
	Deadline time.Time
	Values   map[string]any
}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(jsonSession{deadline, values})
}

func (jsonCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var s jsonSession
	err := json.Unmarshal(b, &s)
	return s.Deadline, s.Values, err
}

// onEach runs test for SessionManagers of each kind, on a From of their own.
func onEach(t *testing.T, test func(t *testing.T, s *site, store *memory)) {
	t.Helper()
	for name, edit := range map[string]func(*scs.SessionManager){
		"gob":     func(*scs.SessionManager) {},
		"hashed":  func(old *scs.SessionManager) { old.HashTokenInStore = true },
		"json":    func(old *scs.SessionManager) { old.Codec = jsonCodec{} },
		"session": func(old *scs.SessionManager) { old.Cookie.Persist, old.IdleTimeout = false, time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemory()
			old := newOld(store)
			edit(old)
			test(t, newSite(t, old, From(old, ourKeys), nil), store)
		})
	}
}

func TestSatchelReadsWhatSCSWrote(t *testing.T) {
	onEach(t, func(t *testing.T, s *site, store *memory) {
		_, asText := s.old.Codec.(jsonCodec)
		when := time.Now().UTC().Truncate(time.Second)
		s.loginSCS("ann")
		s.scs(func(ctx context.Context) {
			s.old.Put(ctx, "n", 41)
			s.old.Put(ctx, "flash", "Saved.")
			if !asText {
				s.old.Put(ctx, "account", account{"Ada"})
				s.old.Put(ctx, "at", when)
				s.old.Put(ctx, "broken", "\xff")
			}
		})
		s.do(func(x *core.Session) {
			if x.UserID() != "ann" || !x.AuthenticatedAt().IsZero() || x.IsRemembered() != s.old.Cookie.Persist {
				t.Errorf("user %q, authenticated %v, remembered %v", x.UserID(), x.AuthenticatedAt(), x.IsRemembered())
			}
			if got := x.Flashes(); !slices.Equal(got, []core.Flash{{Kind: "flash", Text: "Saved."}}) {
				t.Errorf("flashes %v", got)
			}
			core.Update(x, "n", func(n int) int { return n + 1 })
			if asText {
				return
			}
			a, err := core.Lookup[account](x, "account")
			at, _ := core.Get[time.Time](x, "at")
			if err != nil || a.Name != "Ada" || !at.Equal(when) {
				t.Errorf("%v %v, %v", a, err, at)
			}
		})
		if len(s.last) != 0 && s.old.Cookie.Persist {
			t.Logf("cookies of a plain save: %v", s.last)
		}
		s.scs(func(ctx context.Context) {
			want := map[string]any{"user": "ann", "k": "v", "n": 42, "account": account{"Ada"}, "at": when, "broken": "\xff"}
			if asText {
				want = map[string]any{"user": "ann", "k": "v", "n": 42.0}
			}
			got := map[string]any{}
			for _, key := range s.old.Keys(ctx) {
				got[key] = s.old.Get(ctx, key)
			}
			delete(got, "_satchel")
			if !reflect.DeepEqual(got, want) {
				t.Errorf("back in scs: %#v, want %#v", got, want)
			}
		})
		s.do(func(x *core.Session) { x.Logout() })
		if left := store.content(); len(left) != 0 {
			t.Errorf("after the logout scs has %v", slices.Collect(maps.Keys(left)))
		}
	})
}

func TestSCSReadsWhatSatchelWrote(t *testing.T) {
	onEach(t, func(t *testing.T, s *site, _ *memory) {
		_, asText := s.old.Codec.(jsonCodec)
		s.do(func(x *core.Session) {
			x.Login("ann")
			x.Remember(true)
			x.Set("n", 17)
			x.Set("list", []string{"a"})
			x.Set("user", "a value of ours, which is not scs's")
			x.Flash("flash", "one")
			x.Flash("flash", "two")
			x.Flash("other", "ours alone")
		})
		s.scs(func(ctx context.Context) {
			n := any(17)
			if asText {
				n = 17.0
			}
			if s.old.GetString(ctx, "user") != "ann" || !reflect.DeepEqual(s.old.Get(ctx, "n"), n) || s.old.PopString(ctx, "flash") != "one" {
				t.Errorf("scs has %v", s.old.Keys(ctx))
			}
			if got := s.old.GetBool(ctx, "__rememberMe"); got == s.old.Cookie.Persist {
				t.Errorf("RememberMe is %v", got)
			}
			s.old.Put(ctx, "new", "scs's")
			s.old.Put(ctx, "oops", "from scs")
			s.old.Remove(ctx, "n")
		})
		s.do(func(x *core.Session) {
			list, _ := core.Get[[]string](x, "list")
			own, _ := core.Get[string](x, "user")
			if !slices.Equal(list, []string{"a"}) || own == "" || x.UserID() != "ann" || x.AuthenticatedAt().IsZero() || !x.IsRemembered() {
				t.Errorf("list %v, own %q, user %q, authenticated %v, remembered %v", list, own, x.UserID(), x.AuthenticatedAt(), x.IsRemembered())
			}
			if _, ok := core.Get[int](x, "n"); ok {
				t.Error("what scs has removed is there")
			}
			want := []core.Flash{{Kind: "flash", Text: "two"}, {Kind: "other", Text: "ours alone"}, {Kind: "error", Text: "from scs"}}
			if got := x.Flashes(); !slices.Equal(got, want) {
				t.Errorf("flashes %v, want %v", got, want)
			}
		})
		s.do(func(x *core.Session) {
			if got := x.Flashes(); len(got) != 0 {
				t.Errorf("flashes are there again: %v", got)
			}
		})
		s.scs(func(ctx context.Context) {
			if got := s.old.PopString(ctx, "oops"); got != "" {
				t.Errorf("scs shows %q again", got)
			}
			s.old.Put(ctx, "user", "eve") // without RenewToken
		})
		s.do(func(x *core.Session) {
			if x.UserID() != "eve" || !x.AuthenticatedAt().IsZero() {
				t.Errorf("user %q, authenticated %v: somebody else's", x.UserID(), x.AuthenticatedAt())
			}
		})
		s.scs(func(ctx context.Context) { s.old.Remove(ctx, "user") })
		s.do(func(x *core.Session) {
			if x.UserID() != "" {
				t.Errorf("logged out in scs, and %q here", x.UserID())
			}
		})
	})
}

// line is a type that an application has given to gob.Register.
type line struct{ Name string }

func init() { gob.Register([]line{}) }

// A value that scs wrote keeps its type when it changes.
func TestK1SCSValuesThatChangeKeepTheirTypes(t *testing.T) {
	old := newOld(newMemory())
	s := newSite(t, old, From(old, ourKeys), nil)
	s.scs(func(ctx context.Context) { old.Put(ctx, "cart", []line{{"hat"}}); old.Put(ctx, "small", int8(1)) })
	s.do(func(x *core.Session) {
		core.Update(x, "cart", func(cart []line) []line { return append(cart, line{"coat"}) })
		x.Set("small", 300) // becomes an int
	})
	s.scs(func(ctx context.Context) {
		cart, _ := old.Get(ctx, "cart").([]line)
		if !slices.Equal(cart, []line{{"hat"}, {"coat"}}) || old.GetInt(ctx, "small") != 300 {
			t.Errorf("scs has %#v, %#v", old.Get(ctx, "cart"), old.Get(ctx, "small"))
		}
	})
}

func TestSEC15EndsInBothDirections(t *testing.T) {
	onEach(t, func(t *testing.T, s *site, _ *memory) {
		s.do(func(x *core.Session) { x.Login("ann") })
		copied := maps.Clone(s.cookies)
		s.scs(func(ctx context.Context) {
			if err := s.old.Destroy(ctx); err != nil {
				t.Fatal(err)
			}
		})
		s.cookies = copied
		s.has("", "")
		s.cookies = map[string]string{}
		s.loginSCS("ann")
		copied = maps.Clone(s.cookies)
		s.do(func(x *core.Session) { x.Login("bob") })
		s.has("bob", "") // another user has none of ann's values
		s.cookies = copied
		s.scs(func(ctx context.Context) {
			if got := s.old.Keys(ctx); len(got) != 0 {
				t.Errorf("I1: the token from before the login has %v", got)
			}
		})
	})
}

// Users that are no strings.
func TestUsersOfOtherTypes(t *testing.T) {
	for _, c := range []struct {
		native any
		user   string
		value  func(string) (any, error)
	}{
		{7, "7", func(user string) (any, error) { return strconv.Atoi(user) }},
		{int64(-7), "-7", func(user string) (any, error) { return strconv.ParseInt(user, 10, 64) }},
		{uint8(7), "7", func(user string) (any, error) { n, err := strconv.ParseUint(user, 10, 8); return uint8(n), err }},
		{uuid{1, 0xff}, "01-ff", func(user string) (any, error) {
			var u uuid
			_, err := fmt.Sscanf(user, "%02x-%02x", &u[0], &u[1])
			return u, err
		}},
	} {
		old := newOld(newMemory())
		s := newSite(t, old, From(old, Config{UserKey: "user", UserValue: c.value}), nil)
		s.loginSCS(c.native)
		s.has(c.user, "v")
		s.do(func(x *core.Session) { x.Logout() })
		s.do(func(x *core.Session) { x.Login(c.user) })
		s.scs(func(ctx context.Context) {
			if got := old.Get(ctx, "user"); !reflect.DeepEqual(got, c.native) {
				t.Errorf("scs has %#v, want %#v", got, c.native)
			}
		})
		// Without UserValue, scs would not know the user of a login here.
		s = newSite(t, old, From(old, Config{UserKey: "user"}), nil)
		s.loginSCS(c.native)
		if w := s.do(func(*core.Session) { t.Error("the handler runs") }); w.Code != 503 || !strings.Contains(s.said(), "UserValue") {
			t.Errorf("%T: status %d, %s", c.native, w.Code, s.said())
		}
		s.scs(func(ctx context.Context) {
			if got := old.Get(ctx, "user"); !reflect.DeepEqual(got, c.native) {
				t.Errorf("scs has %#v, want %#v", got, c.native)
			}
		})
	}
	old := newOld(newMemory())
	s := newSite(t, old, From(old, Config{UserKey: "user"}), nil)
	for _, nobody := range []any{"", 0} {
		s.loginSCS(nobody)
		s.has("", "v")
	}
	s.loginSCS(map[string]any{"id": 7})
	if w := s.do(func(*core.Session) {}); w.Code != 503 || !strings.Contains(s.said(), "give it to Satchel as a string or an integer") {
		t.Errorf("status %d, %s", w.Code, s.said())
	}
}

// JSON has no integers.
func TestUsersThatAreNumbersInJSON(t *testing.T) {
	old := newOld(newMemory())
	old.Codec = jsonCodec{}
	s := newSite(t, old, From(old, Config{UserKey: "user", UserValue: func(user string) (any, error) { return strconv.ParseFloat(user, 64) }}), nil)
	s.loginSCS(7_000_000)
	s.has("7000000", "v")
	s.do(func(x *core.Session) { x.Logout() })
	s.do(func(x *core.Session) { x.Login("8") })
	s.scs(func(ctx context.Context) {
		if got := old.Get(ctx, "user"); got != 8.0 {
			t.Errorf("scs has %#v, want 8", got)
		}
	})
	for _, odd := range []any{7.5, 1e300} {
		s.loginSCS(odd)
		if w := s.do(func(*core.Session) {}); w.Code != 503 || !strings.Contains(s.said(), "as a string or an integer") {
			t.Errorf("%v: status %d", odd, w.Code)
		}
	}
}

func TestT1DeadlinesAreThoseOfSCS(t *testing.T) {
	for _, c := range []struct {
		name       string
		idle       time.Duration
		wait       time.Duration
		every      time.Duration // a request of Satchel's; zero for none
		everySCS   time.Duration // a request of scs's
		want       bool
		setTimeout time.Duration
	}{
		{name: "within the lifetime", wait: 23 * time.Hour, want: true},
		{name: "after the lifetime", wait: 25 * time.Hour},
		{name: "after the lifetime, used", wait: 25 * time.Hour, every: time.Hour},
		{name: "within the idle timeout", idle: time.Hour, wait: 50 * time.Minute, want: true},
		{name: "after the idle timeout", idle: time.Hour, wait: 70 * time.Minute},
		{name: "used here", idle: time.Hour, wait: 10 * time.Hour, every: 50 * time.Minute, want: true},
		{name: "used there", idle: time.Hour, wait: 10 * time.Hour, everySCS: 50 * time.Minute, want: true},
		{name: "a later deadline", wait: 47 * time.Hour, setTimeout: 48 * time.Hour, want: true},
		{name: "after a later deadline", wait: 49 * time.Hour, setTimeout: 48 * time.Hour},
		{name: "after an earlier deadline", wait: 3 * time.Hour, setTimeout: 2 * time.Hour},
	} {
		for _, first := range []bool{false, true} { // Satchel has used it before
			store := newMemory()
			old := newOld(store)
			old.IdleTimeout = c.idle
			s := newSite(t, old, From(old, ourKeys), nil)
			s.loginSCS("ann")
			if first {
				s.has("ann", "v")
			}
			if c.setTimeout > 0 {
				s.scs(func(ctx context.Context) { old.SetDeadline(ctx, time.Now().Add(c.setTimeout)) })
			}
			// scs's clock cannot be turned, so its commits are moved with the site's.
			for end := s.now.Add(c.wait); s.now.Before(end); {
				step := max(c.every, c.everySCS)
				if step == 0 || s.now.Add(step).After(end) {
					step = end.Sub(s.now)
				}
				s.now = s.now.Add(step)
				switch {
				case !s.now.Before(end):
				case c.every > 0:
					s.do(func(x *core.Session) { x.UserID() })
				case c.everySCS > 0:
					for token, i := range store.content() {
						if err := store.Commit(token, i.data, s.now.Add(c.idle)); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			user := ""
			if c.want {
				user = "ann"
			}
			s.do(func(x *core.Session) {
				if x.UserID() != user {
					t.Errorf("%s (used before: %v): user %q, want %q", c.name, first, x.UserID(), user)
				}
			})
		}
	}
}

func TestSEC2AdoptsNoUnknownToken(t *testing.T) {
	onEach(t, func(t *testing.T, s *site, store *memory) {
		planted := strings.Repeat("A", 43)
		for _, token := range []string{planted, "x", strings.Repeat("A", 42) + "B", strings.Repeat("A", 44), strings.Repeat("A", 21) + "+" + strings.Repeat("A", 21)} {
			store.asked = nil
			s.cookies = map[string]string{"session": token}
			s.do(func(x *core.Session) {
				if !x.IsNew() {
					t.Errorf("%q is a session", token)
				}
				x.Set("secret", "x")
			})
			if s.cookies["session"] == token || len(s.last) != 1 {
				t.Errorf("%q was adopted: %v", token, s.last)
			}
			if _, ok := store.content()[token]; ok {
				t.Errorf("the store has something under %q", token)
			}
			if token != planted && len(store.asked) != 1 {
				t.Errorf("SEC6: for %q the store was asked %v", token, store.asked)
			}
		}
	})
}

func TestSEC8KeepsScopesApart(t *testing.T) {
	old := newOld(newMemory())
	from := From(old, ourKeys)
	s := newSite(t, old, from, nil)
	space := newSite(t, old, from, func(c *core.Config) { c.Namespace = "shop" })
	s.loginSCS("ann")
	space.cookies = maps.Clone(s.cookies)
	space.has("", "") // as scs wrote it
	s.has("ann", "v")
	space.cookies = maps.Clone(s.cookies)
	space.has("", "") // as Satchel did
	other := *old
	other.Cookie.Name = "admin"
	admin := newSite(t, &other, From(&other, ourKeys), nil)
	admin.cookies["admin"] = s.cookies["session"]
	admin.has("", "")
}

func TestSEC67PrintsNothing(t *testing.T) {
	old := newOld(newMemory())
	b := From(old, ourKeys)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, b); got != "scsstore.From" {
			t.Errorf("%s: %s", verb, got)
		}
	}
}

// migrating returns the site in the steps "ready", "moving" and "after", on one new store.
func migrating(t testing.TB, s *site, c Config, edit func(*core.Config)) (ready, moving, after *site) {
	t.Helper()
	fresh := memstore.New(memstore.Config{Now: func() time.Time { return s.now }})
	t.Cleanup(func() { _ = fresh.Close() })
	from, to := From(s.old, c), core.ServerSide(fresh)
	at := func(b core.Backend) *site {
		next := newSite(t, s.old, b, func(c *core.Config) {
			c.Now = func() time.Time { return s.now }
			if edit != nil {
				edit(c)
			}
		})
		return next
	}
	ready, moving, after = at(core.Migrating(to, from)), at(core.Migrating(from, to)), at(to)
	ready.cookies, moving.cookies, after.cookies = s.cookies, s.cookies, s.cookies // one browser
	return ready, moving, after
}

// A value that a Record cannot hold stays until another takes its place.
func TestF1ReplacesWhatItCannotRead(t *testing.T) {
	old := newOld(newMemory())
	s := newSite(t, old, From(old, ourKeys), nil)
	s.scs(func(ctx context.Context) { old.Put(ctx, "odd", 1i); old.Put(ctx, "rest", 2i) })
	s.do(func(x *core.Session) { x.Set("odd", "even") })
	s.do(func(x *core.Session) {
		if got, _ := core.Get[string](x, "odd"); got != "even" {
			t.Errorf("it is %q", got)
		}
		x.Renew()
	})
	s.scs(func(ctx context.Context) {
		if old.GetString(ctx, "odd") != "even" || old.Get(ctx, "rest") != 2i {
			t.Errorf("scs has %v and %v", old.Get(ctx, "odd"), old.Get(ctx, "rest"))
		}
	})
}

func TestUsersOfJSON(t *testing.T) {
	old := newOld(newMemory())
	old.Codec = jsonCodec{}
	s := newSite(t, old, From(old, Config{UserKey: "user", UserValue: func(user string) (any, error) { return strconv.Atoi(user) }}), nil)
	s.loginSCS(7)
	s.has("7", "v")
}
