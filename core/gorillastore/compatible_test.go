package gorillastore

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/sessions"
	"github.com/rbcervilla/redisstore/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// compatibleOn returns a backend through a proxy, and the prefix of its keys.
func compatibleOn(t *testing.T, server *redistest.Server) (core.Backend, *redistest.Proxy, string) {
	t.Helper()
	proxy, prefix := redistest.StartProxy(t, server.Addr()), redistest.UniquePrefix(t)
	return RedisCompatible(newClient(t, proxy.Addr()), CompatibleConfig{KeyPrefix: prefix}), proxy, prefix
}

// keys returns the keys in server that begin with prefix, and fails for those
// that would stay for ever.
func keys(t *testing.T, server *redistest.Server, prefix string) []string {
	t.Helper()
	found := server.Strings("KEYS", prefix+"*")
	for _, key := range found {
		if left := server.MustDo("PTTL", key); fmt.Sprint(left) == "-1" {
			t.Errorf("SEC13: %s has no time to live", key)
		}
	}
	return found
}

func TestCompatibleKeysAndBytesAreRedisstores(t *testing.T) {
	server := redistest.Shared(t)
	backend, _, prefix := compatibleOn(t, server)
	s := began(t, backend)
	token := s.cookies["session"]
	if found := keys(t, server, prefix); !slices.Equal(found, []string{prefix + token}) || !isKey(token) {
		t.Errorf("keys %v, token %q", found, token)
	}
	var values map[any]any
	data, _ := server.MustDo("GET", prefix+token).(string)
	if err := gob.NewDecoder(strings.NewReader(data)).Decode(&values); err != nil || values["k"] != "v" || len(values) != 2 {
		t.Errorf("%v, %v", values, err)
	}
	if left, _ := server.MustDo("TTL", prefix+token).(int64); left < 1850 || left > 1860 {
		t.Errorf("TTL %d, want that of the idle timeout and a minute", left)
	}
	old := token
	s.do(func(x *core.Session) { x.Login("u") })
	if found := keys(t, server, prefix); len(found) != 2 {
		t.Errorf("keys after a login: %v", found)
	}
	if left, _ := server.MustDo("TTL", prefix+old).(int64); left < 290 || left > 300 {
		t.Errorf("TTL of the note is %d, want five minutes", left)
	}
	s.do(func(x *core.Session) { x.Logout() })
	if found := keys(t, server, prefix); !slices.Equal(found, []string{prefix + old}) {
		t.Errorf("keys after the logout: %v", found)
	}
}

func TestCompatibleCosts(t *testing.T) {
	backend, proxy, _ := compatibleOn(t, redistest.Shared(t))
	s := began(t, backend)
	s.do(func(x *core.Session) { x.Set("warm", "up") })
	for _, c := range []struct {
		what   string
		want   int
		handle func(x *core.Session)
	}{
		{"a read", 1, func(x *core.Session) { core.Get[string](x, "k") }},
		{"a write", 2, func(x *core.Session) { x.Set("k", "w") }},
		{"a login", 3, func(x *core.Session) { x.Login("u") }},
		{"a logout", 3, func(x *core.Session) { x.Logout() }},
		{"nobody", 0, func(*core.Session) {}},
	} {
		proxy.Reset()
		s.do(c.handle)
		if got := proxy.RoundTrips(); got != c.want {
			t.Errorf("%s takes %d round trips, want %d: %v", c.what, got, c.want, proxy.Log())
		}
	}
}

func TestSEC13CompatibleAdoptsWithTheTimeThatIsLeft(t *testing.T) {
	server := redistest.Shared(t)
	for _, c := range []struct {
		left time.Duration // zero: Redis keeps it for ever
		want time.Duration
	}{{0, 30 * time.Minute}, {30 * 24 * time.Hour, 30 * time.Minute}, {10 * time.Minute, 10 * time.Minute}} {
		store, prefix := newRedis(t)
		s := newSite(t, RedisCompatible(newClient(t, server.Addr()), CompatibleConfig{KeyPrefix: prefix}), briefly)
		s.gorilla(store, func(g *sessions.Session) { g.Values["k"] = "v" })
		key := prefix + s.cookies["session"]
		if c.left == 0 {
			server.MustDo("PERSIST", key)
		} else {
			server.MustDo("PEXPIRE", key, fmt.Sprint(c.left.Milliseconds()))
		}
		s.do(func(x *core.Session) {
			if got := x.IdleExpiresAt().Sub(s.now); got > c.want || got < c.want-time.Second {
				t.Errorf("left %v: expires in %v, want %v", c.left, got, c.want)
			}
			if got := x.ExpiresAt().Sub(s.now); c.left != 10*time.Minute && got < 29*time.Minute {
				t.Errorf("left %v: ends in %v", c.left, got)
			}
		})
		keys(t, server, prefix)
		s.has("v")
		s.now = s.now.Add(12*time.Hour + time.Minute)
		s.has("")
	}
}

// Two processes of Satchel's, which share nothing but Redis.
func TestCompatibleBetweenProcesses(t *testing.T) {
	server := redistest.Shared(t)
	two := func(t *testing.T) (a, b *site, prefix string) {
		t.Helper()
		prefix = redistest.UniquePrefix(t)
		// The default timeout is too short for 40 requests at once on a busy machine.
		c := CompatibleConfig{KeyPrefix: prefix, Timeout: 10 * time.Second}
		a = began(t, RedisCompatible(newClient(t, server.Addr()), c))
		b = newSite(t, RedisCompatible(newClient(t, server.Addr()), c), nil)
		b.cookies = maps.Clone(a.cookies)
		return a, b, prefix
	}
	t.Run("K1", func(t *testing.T) {
		a, b, _ := two(t)
		b.do(func(x *core.Session) {
			core.Get[string](x, "k")
			a.do(func(x *core.Session) { x.Set("a", "1"); x.Flash("", "a") })
			x.Set("b", "1")
			x.Flash("", "b")
		})
		a.do(func(x *core.Session) {
			if keys, flashes := x.Keys(), x.PeekFlashes(); len(keys) != 3 || len(flashes) != 2 {
				t.Errorf("keys %v, flashes %v", keys, flashes)
			}
		})
	})
	t.Run("K1 counts", func(t *testing.T) {
		a, b, _ := two(t)
		const n = 20
		var wg sync.WaitGroup
		for i := range 2 * n {
			one := []*site{a, b}[i%2]
			own := &site{t: t, m: one.m, cookies: maps.Clone(one.cookies)}
			wg.Go(func() { own.do(func(x *core.Session) { core.Update(x, "n", func(n int) int { return n + 1 }) }) })
		}
		wg.Wait()
		a.do(func(x *core.Session) {
			if got, _ := core.Get[int](x, "n"); got != 2*n {
				t.Errorf("counted %d of %d", got, 2*n)
			}
		})
	})
	t.Run("K2", func(t *testing.T) {
		for what, end := range map[string]func(a *site){
			"logout": func(a *site) { a.do(func(x *core.Session) { x.Logout() }) },
			"login then logout": func(a *site) {
				a.do(func(x *core.Session) { x.Login("u") })
				a.do(func(x *core.Session) { x.Logout() })
			},
		} {
			for _, write := range []func(x *core.Session){
				func(x *core.Session) { x.Set("b", "1") },
				func(x *core.Session) { x.Renew() },
				func(x *core.Session) { x.Login("u") },
			} {
				a, b, prefix := two(t)
				w := b.do(func(x *core.Session) {
					core.Get[string](x, "k")
					end(a)
					write(x)
				})
				if w.Code != 200 {
					t.Errorf("%s: status %d", what, w.Code)
				}
				if b.counts(core.EventLogin, "") > 0 { // a login of its own goes on with a session of its own
					b.do(func(x *core.Session) {
						if _, ok := core.Get[string](x, "k"); ok || x.UserID() != "u" {
							t.Errorf("%s: a login brings values back", what)
						}
					})
					continue
				}
				for _, key := range keys(t, server, prefix) {
					if left, _ := server.MustDo("TTL", key).(int64); left > 300 {
						t.Errorf("%s: %s is back", what, key)
					}
				}
				if len(b.last) != 0 {
					t.Errorf("%s: a cookie is set: %v", what, b.last)
				}
			}
		}
	})
	t.Run("K2 logout after a renewal", func(t *testing.T) {
		a, b, prefix := two(t)
		b.do(func(x *core.Session) {
			a.do(func(x *core.Session) { x.Login("u") })
			a.do(func(x *core.Session) { x.Renew() })
			x.Logout()
		})
		a.has("")
		for _, key := range keys(t, server, prefix) {
			if left, _ := server.MustDo("TTL", key).(int64); left > 300 {
				t.Errorf("%s is still there", key)
			}
		}
	})
	t.Run("K3", func(t *testing.T) {
		a, b, prefix := two(t)
		b.do(func(x *core.Session) {
			core.Get[string](x, "k")
			a.do(func(x *core.Session) { x.Renew() })
			x.Renew()
		})
		if found := keys(t, server, prefix); len(found) != 2 { // the session and the note
			t.Errorf("keys %v", found)
		}
		if len(b.last) != 0 || b.counts(core.EventRenewed, "") != 0 {
			t.Errorf("two renewals have won: %v", b.last)
		}
		a.has("v")
	})
	t.Run("L4", func(t *testing.T) {
		a, b, _ := two(t)
		a.do(func(x *core.Session) { x.Login("u") })
		b.do(func(x *core.Session) {
			if !x.Ended() {
				t.Error("a late request in another process is not told")
			}
			x.Set("k", "late")
		})
		if len(b.last) != 0 {
			t.Errorf("a late request has set %v", b.last)
		}
		a.has("v")
	})
}

// TestCompatibleWithBlindWriters shows what programs that use redisstore
// directly go on to do.
func TestCompatibleWithBlindWriters(t *testing.T) {
	limit := func(id, reason string) { t.Logf("promise-limit: gorilla-redis-shared %s %s", id, reason) }
	server := redistest.Shared(t)
	store, prefix := newRedis(t)
	s := began(t, RedisCompatible(newClient(t, server.Addr()), CompatibleConfig{KeyPrefix: prefix}))
	limit("K1", "a program that uses redisstore overwrites what Satchel has saved since it loaded")
	s.gorilla(store, func(g *sessions.Session) {
		other := &site{t: t, m: s.m, cookies: maps.Clone(s.cookies)}
		other.do(func(x *core.Session) { x.Set("ours", "lost") })
		g.Values["theirs"] = "kept"
	})
	s.do(func(x *core.Session) {
		if got := x.Keys(); slices.Contains(got, "ours") || !slices.Contains(got, "theirs") {
			t.Errorf("keys %v: say so in the documentation", got)
		}
	})
	limit("K2", "a program that uses redisstore saves what it has loaded though Satchel has ended it since")
	s.gorilla(store, func(*sessions.Session) {
		other := &site{t: t, m: s.m, cookies: maps.Clone(s.cookies)}
		other.do(func(x *core.Session) { x.Logout() })
	})
	s.has("v")
}

func TestK1CompatibleSaveWhoseAnswerIsLost(t *testing.T) {
	server := redistest.Shared(t)
	for what, changed := range map[string]bool{"unchanged since": false, "changed since": true} {
		backend, proxy, prefix := compatibleOn(t, server)
		s := newSite(t, backend, nil)
		count := func(x *core.Session) { core.Update(x, "n", func(n int) int { return n + 1 }) }
		s.do(count)
		s.do(count)
		// The first attempt is stored and its answer lost; go-redis tries again.
		tries := 0
		rule := proxy.CutAfter(redistest.Always, func(args []string) bool {
			if !redistest.Command("EVALSHA", "EVAL")(args) {
				return false
			}
			if tries++; tries == 2 && changed {
				server.MustDo("SET", prefix+s.cookies["session"], "somebody else's", "EX", "100")
			}
			return tries == 1
		})
		s.events = nil
		w := s.do(count)
		if rule.Fired() != 1 || tries < 2 {
			t.Fatalf("%s: sent %d times, cut %d times", what, tries, rule.Fired())
		}
		if s.counts(core.EventConflict, "") != 0 {
			t.Errorf("%s: a save is in conflict with itself", what)
		}
		if changed {
			if w.Code != 503 {
				t.Errorf("%s: status %d: nobody knows whether it counted", what, w.Code)
			}
			continue
		}
		s.do(func(x *core.Session) {
			if n, _ := core.Get[int](x, "n"); n != 3 || w.Code != 200 {
				t.Errorf("%s: counted to %d, status %d, want 3", what, n, w.Code)
			}
		})
	}
}

func TestL3CompatibleWithoutRedis(t *testing.T) {
	server := redistest.Start(t)
	backend, proxy, _ := compatibleOn(t, server)
	s := began(t, backend)
	token := s.cookies["session"]
	for what, cut := range map[string]func(){"refused": proxy.Refuse, "silent": proxy.Blackhole} {
		cut()
		begun := time.Now()
		if w := s.do(func(*core.Session) { t.Error("the handler runs") }); w.Code != 503 || len(s.last) != 0 {
			t.Errorf("%s: status %d, cookies %v", what, w.Code, s.last)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("%s: 503 after %v", what, took)
		}
		proxy.Heal()
		s.has("v")
		w := s.do(func(x *core.Session) {
			core.Get[string](x, "k")
			cut()
			x.Logout()
		})
		if w.Code != 503 || len(s.last) != 0 {
			t.Errorf("%s: logout: status %d, cookies %v", what, w.Code, s.last)
		}
		proxy.Heal()
		s.has("v")
	}
	if said := s.said(); strings.Contains(said, token) {
		t.Error("E1: an event names the token")
	}
}

func TestE3CompatibleLeavesAloneWhatItCannotRead(t *testing.T) {
	server := redistest.Shared(t)
	backend, _, prefix := compatibleOn(t, server)
	s := began(t, backend)
	token := s.cookies["session"]
	key := prefix + token
	whole, _ := server.MustDo("GET", key).(string)
	for i, damage := range [][]string{
		{"SET", key, "garbage", "EX", "100"}, {"SET", key, whole[:len(whole)/2], "EX", "100"}, {"SET", key, "", "EX", "100"}, {"HSET", key, "a", "b"},
	} {
		server.MustDo("DEL", key)
		server.MustDo(damage...)
		s.cookies = map[string]string{"session": token}
		s.do(func(x *core.Session) { x.Set("k", "new") })
		s.has("new")
		if n := s.counts(core.EventRejected, core.ReasonCorrupt); n != i+1 {
			t.Errorf("%.20q: %d events, want %d", damage, n, i+1)
		}
		if server.MustDo("EXISTS", key) != int64(1) {
			t.Errorf("%.20q: deleted", damage)
		}
	}
	server.MustDo("DEL", key)
}

// jsonSerializer is what many programs give to redisstore.
type jsonSerializer struct{}

func (jsonSerializer) Serialize(s *sessions.Session) ([]byte, error) {
	values := map[string]any{}
	for k, v := range s.Values {
		key, ok := k.(string)
		if !ok {
			return nil, errors.New("a key is no string")
		}
		values[key] = v
	}
	return json.Marshal(values)
}

func (jsonSerializer) Deserialize(data []byte, s *sessions.Session) error {
	values := map[string]any{}
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&values); err != nil {
		return err
	}
	for k, v := range values {
		s.Values[k] = v
	}
	return nil
}

func TestCompatibleSerializerKeyGenAndToken(t *testing.T) {
	server := redistest.Shared(t)
	store, prefix := newRedis(t)
	number := 0
	keyGen := func() (string, error) { number++; return fmt.Sprintf("%s!%d", prefix[:4], number), nil }
	store.Serializer(jsonSerializer{})
	store.KeyGen(keyGen)
	c := CompatibleConfig{KeyPrefix: prefix, Serializer: jsonSerializer{}, KeyGen: keyGen, Token: func(token string) bool { return strings.Contains(token, "!") }}
	s := newSite(t, RedisCompatible(newClient(t, server.Addr()), c), nil)
	s.gorilla(store, func(g *sessions.Session) { g.Values["n"] = 1; g.AddFlash("hello") })
	s.do(func(x *core.Session) {
		core.Update(x, "n", func(n int) int { return n + 1 })
		x.Set("list", []string{"a"})
		x.Login("u")
		x.Flash("error", "kind")
	})
	s.gorilla(store, func(g *sessions.Session) {
		if g.IsNew || g.Values["n"] != 2.0 || !slices.Equal(g.Flashes(), []any{"hello"}) {
			t.Errorf("gorilla reads %v", g.Values)
		}
	})
	s.do(func(x *core.Session) {
		list, _ := core.Get[[]string](x, "list")
		if !slices.Equal(list, []string{"a"}) || x.UserID() != "u" || len(x.Flashes()) != 1 {
			t.Errorf("list %v, user %q", list, x.UserID())
		}
	})
	if number != 2 {
		t.Errorf("KeyGen was called %d times", number)
	}
	c.Token = nil
	s = newSite(t, RedisCompatible(newClient(t, server.Addr()), c), nil)
	if w := s.do(func(x *core.Session) { x.Set("k", "v") }); w.Code != 503 || !strings.Contains(s.said(), "CompatibleConfig.Token") {
		t.Errorf("status %d, %s", w.Code, s.said())
	}
}

func TestSEC6CompatibleAsksRedisForItsOwnKeysOnly(t *testing.T) {
	backend, proxy, _ := compatibleOn(t, redistest.Shared(t))
	s := began(t, backend)
	token := s.cookies["session"]
	proxy.Reset()
	for _, bad := range []string{"", "../", token[1:], token + "A", strings.ToLower(token), token[1:] + "=", token[1:] + "1", strings.Repeat("A", 8000), "*" + token[1:]} {
		s.cookies = map[string]string{"session": bad}
		s.do(func(x *core.Session) {
			if !x.IsNew() {
				t.Errorf("%q is a session", bad)
			}
		})
	}
	if n := proxy.RoundTrips(); n != 0 {
		t.Errorf("Redis was asked %d times: %v", n, proxy.Log())
	}
}

// failingReader is a source of randomness that has run dry.
type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("dry") }

func TestSEC1CompatibleTokens(t *testing.T) {
	b := RedisCompatible(newClient(t, redistest.Shared(t).Addr()), CompatibleConfig{}).(*compatible)
	seen := map[string]bool{}
	for range 1000 {
		token, err := b.newToken()
		if err != nil || seen[token] || !isKey(token) {
			t.Fatalf("%q %v", token, err)
		}
		seen[token] = true
	}
	b.random = failingReader{}
	if token, err := b.newToken(); err == nil || token != "" || !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("without randomness: %q, %v", token, err)
	}
}

func TestCompatibleTellsDoneInOtherProcesses(t *testing.T) {
	server := redistest.Shared(t)
	prefix := redistest.UniquePrefix(t)
	a := began(t, RedisCompatible(newClient(t, server.Addr()), CompatibleConfig{KeyPrefix: prefix}))
	b := RedisCompatible(newClient(t, server.Addr()), CompatibleConfig{KeyPrefix: prefix})
	ended, ready := make(chan core.ID, 1), make(chan error, 1)
	go func() { ready <- b.(core.Watcher).Watch(t.Context(), func(id core.ID) { ended <- id }) }()
	var id core.ID
	a.do(func(x *core.Session) { id = x.ID() })
	if got := <-ended; !got.IsZero() { // it listens
		t.Errorf("%v has ended", got)
	}
	a.do(func(x *core.Session) { x.Logout() })
	select {
	case got := <-ended:
		if got != id {
			t.Errorf("%v has ended, want %v", got, id)
		}
	case err := <-ready:
		t.Errorf("Watch has returned: %v", err)
	case <-time.After(10 * time.Second):
		t.Error("nobody was told")
	}
}

func TestCompatibleSaysWhatIsWrong(t *testing.T) {
	if _, err := core.New(RedisCompatible(nil, CompatibleConfig{}), core.Config{}); err == nil {
		t.Error("a nil client is accepted")
	}
	client := newClient(t, "127.0.0.1:1")
	if _, err := core.New(RedisCompatible(client, CompatibleConfig{}), core.Config{}); err == nil {
		t.Error("a server that is not there is accepted")
	}
	if _, err := core.New(RedisCompatible(client, CompatibleConfig{SkipChecks: true}), core.Config{}); err != nil {
		t.Errorf("with SkipChecks: %v", err)
	}
	if keepsText(redisstore.GobSerializer{}) || !keepsText(jsonSerializer{}) {
		t.Error("serializers are taken for what they are not")
	}
}
