package memcachedstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memcachedstore"
	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// hour is an entry of ann's for an hour.
func hour(data string) core.Entry {
	return core.Entry{User: "ann", Data: []byte(data), Expires: time.Now().Add(time.Hour)}
}

func save(t *testing.T, s core.Store, id core.ID, e core.Entry) core.Version {
	t.Helper()
	v, err := s.Save(t.Context(), id, e, 0)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// isUnavailable reports whether err matches ErrUnavailable, and nothing that would log
// users out or be tried again.
func isUnavailable(err error) bool {
	return errors.Is(err, core.ErrUnavailable) && !errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrConflict) && !errors.Is(err, core.ErrCorrupt)
}

// until polls until ok returns true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// While the server does not answer, no request is served as if the session did not
// exist, nothing is deleted, and the session is there afterwards.
func TestL3ServerDown(t *testing.T) {
	for name, outage := range map[string]struct{ begin, end func(*testing.T, *site) }{
		"connections refused":            {begin: func(_ *testing.T, s *site) { s.proxy.Refuse() }},
		"black hole":                     {begin: func(_ *testing.T, s *site) { s.proxy.Blackhole() }},
		"black hole for new connections": {begin: func(_ *testing.T, s *site) { s.proxy.CutAll(); s.proxy.Blackhole() }},
		"slow":                           {begin: func(_ *testing.T, s *site) { s.proxy.Delay(2 * time.Second) }},
		"process stopped": {
			func(t *testing.T, s *site) { s.server.Stop(t) },
			func(t *testing.T, s *site) { s.server.Continue(t) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, memcachedtest.Start(t, "-M"), core.Config{}, memcachedstore.Config{})
			s.wants(t, "values", http.StatusOK, fill)
			s.wants(t, "login", http.StatusOK, login)
			cookie := s.cookie
			outage.begin(t, s)
			for what, handle := range map[string]func(*core.Session){"read": read, "write": fill, "logout": (*core.Session).Logout, "nothing": nil} {
				began := time.Now()
				s.wants(t, what, http.StatusServiceUnavailable, handle)
				if took := time.Since(began); took > 6*time.Second {
					t.Errorf("%s: refused after %v", what, took)
				}
			}
			s.cookie = ""
			s.wants(t, "a login", http.StatusServiceUnavailable, login)
			s.wants(t, "without a session", http.StatusOK, read)
			s.cookie = cookie
			if outage.end != nil {
				outage.end(t, s)
			}
			s.proxy.Heal()
			until(t, "the server serves again", func() bool { return s.visit(t, read) == http.StatusOK })
			s.shows(t, "afterwards", "ann")
		})
	}
}

// A logout that could not be carried out says so, and the next one ends the session.
func TestL3LogoutThatFails(t *testing.T) {
	s := newSite(t, memcachedtest.Shared(t), core.Config{}, memcachedstore.Config{})
	s.wants(t, "login", http.StatusOK, login)
	cookie := s.cookie
	for _, fault := range []func(int){s.proxy.CutBefore, s.proxy.CutAfter} {
		s.cookie = cookie
		s.shows(t, "before", "ann")
		s.proxy.Skip(1)
		fault(100)
		s.wants(t, "logout", http.StatusServiceUnavailable, (*core.Session).Logout)
		s.proxy.Heal()
	}
	s.wants(t, "logout", http.StatusOK, (*core.Session).Logout) // that whose answer was lost has ended it
	s.cookie = cookie
	s.shows(t, "afterwards", "")
	if keys := s.keys(t); len(keys) != 0 {
		t.Errorf("afterwards there is %q", keys)
	}
}

// operations are what a Manager asks of a store, and what tells whether it was done.
var operations = []struct {
	name string
	run  func(ctx context.Context, s core.Store, id core.ID, base core.Version) error
	done func(e core.Entry, err error) bool
}{
	{
		"load",
		func(ctx context.Context, s core.Store, id core.ID, _ core.Version) error {
			_, err := s.Load(ctx, id)
			return err
		},
		func(_ core.Entry, err error) bool { return err == nil },
	},
	{
		"save",
		func(ctx context.Context, s core.Store, id core.ID, base core.Version) error {
			_, err := s.Save(ctx, id, hour("new"), base)
			return err
		},
		func(e core.Entry, err error) bool { return err == nil && string(e.Data) == "new" },
	},
	{
		"touch",
		func(ctx context.Context, s core.Store, id core.ID, base core.Version) error {
			return s.Touch(ctx, id, base, time.Now().Add(3*time.Hour))
		},
		func(e core.Entry, err error) bool { return err == nil && time.Until(e.Expires) > 2*time.Hour },
	},
	{
		"delete",
		func(ctx context.Context, s core.Store, id core.ID, _ core.Version) error { return s.Delete(ctx, id) },
		func(_ core.Entry, err error) bool { return errors.Is(err, core.ErrNotFound) },
	},
}

// A connection that breaks before or after any command costs nothing: the call is
// carried out once. If it breaks each time, the call is unavailable.
func TestK1ConnectionLost(t *testing.T) {
	server := memcachedtest.Shared(t)
	for _, op := range operations {
		for when, cut := range map[string]func(*tcpproxy.Proxy, int){"before": (*tcpproxy.Proxy).CutBefore, "after": (*tcpproxy.Proxy).CutAfter} {
			for skip := range 2 {
				for _, times := range []int{1, 2, 100} {
					t.Run(fmt.Sprintf("%s/%s %d/%d times", op.name, when, skip+1, times), func(t *testing.T) {
						t.Parallel()
						proxy := tcpproxy.Start(t, server.Addr())
						prefix := memcachedtest.UniquePrefix(t)
						store := newStore(t, memcachedstore.Config{Prefix: prefix}, proxy.Addr())
						direct := newStore(t, memcachedstore.Config{Prefix: prefix}, server.Addr())
						id := core.ID{1}
						base := save(t, store, id, hour("old"))
						proxy.Skip(skip)
						cut(proxy, times)
						before := proxy.Turns()
						err := op.run(t.Context(), store, id, base)
						hit := proxy.Turns()-before > skip
						e, loadErr := direct.Load(t.Context(), id)
						switch {
						case times < 100 && (err != nil || !op.done(e, loadErr)):
							t.Errorf("%v, and afterwards %q, %v", err, e.Data, loadErr)
						case times == 100 && hit && !isUnavailable(err):
							t.Errorf("%v, want ErrUnavailable", err)
						}
					})
				}
			}
		}
	}
}

// A new session is stored if only the answer was lost, and otherwise not sent again.
func TestK2NewSessionIsSentOnce(t *testing.T) {
	server := memcachedtest.Start(t, "-M")
	for name, test := range map[string]struct {
		cut    func(*tcpproxy.Proxy, int)
		stored bool
	}{"answer lost": {(*tcpproxy.Proxy).CutAfter, true}, "command lost": {(*tcpproxy.Proxy).CutBefore, false}} {
		proxy := tcpproxy.Start(t, server.Addr())
		store := newStore(t, memcachedstore.Config{}, proxy.Addr())
		id := core.ID{2}
		sets := server.Stat(t, "cmd_set")
		test.cut(proxy, 1)
		v, err := store.Save(t.Context(), id, hour("new"), 0)
		if test.stored && err != nil || !test.stored && !isUnavailable(err) {
			t.Errorf("%s: %v", name, err)
		}
		e, err := store.Load(t.Context(), id)
		if test.stored && (err != nil || e.Version != v) || !test.stored && !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: afterwards %q, %v", name, e.Data, err)
		}
		if got := server.Stat(t, "cmd_set") - sets; got > 1 {
			t.Errorf("%s: it was sent %d times", name, got)
		}
	}
}

// If the answer to a save is lost and another changes the session before the save is
// tried again, it is unknown whether that change includes the save.
func TestK1LostAnswerAndAnotherChange(t *testing.T) {
	server := memcachedtest.Shared(t)
	proxy := tcpproxy.Start(t, server.Addr())
	prefix := memcachedtest.UniquePrefix(t)
	store := newStore(t, memcachedstore.Config{Prefix: prefix}, proxy.Addr())
	direct := newStore(t, memcachedstore.Config{Prefix: prefix}, server.Addr())
	id := core.ID{3}
	base := save(t, store, id, hour("old"))
	proxy.Skip(1)
	proxy.CutAfter(1)
	result := make(chan error, 1)
	before := proxy.Turns()
	proxy.Delay(300 * time.Millisecond)
	go func() {
		_, err := store.Save(context.WithoutCancel(t.Context()), id, hour("new"), base)
		result <- err
	}()
	// The third turn is the second look. It is held, while another saves what the first
	// attempt has stored.
	until(t, "the save looks again", func() bool { return proxy.Turns() == before+3 })
	e, err := direct.Load(t.Context(), id)
	if err != nil || string(e.Data) != "new" {
		t.Fatalf("%q, %v: the first attempt has not been stored", e.Data, err)
	}
	if _, err := direct.Save(t.Context(), id, hour("newer"), e.Version); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !isUnavailable(err) {
		t.Errorf("%v, want ErrUnavailable: the outcome is unknown", err)
	}
}

// A logout wins over a save and a touch that have already looked at the session.
func TestK2LogoutWinsOverWritesInFlight(t *testing.T) {
	server := memcachedtest.Shared(t)
	for _, op := range operations[1:3] {
		proxy := tcpproxy.Start(t, server.Addr())
		prefix := memcachedtest.UniquePrefix(t)
		store := newStore(t, memcachedstore.Config{Prefix: prefix}, proxy.Addr())
		direct := newStore(t, memcachedstore.Config{Prefix: prefix}, server.Addr())
		id := core.ID{4}
		base := save(t, store, id, hour("old"))
		result := make(chan error, 1)
		before := proxy.Turns()
		proxy.Delay(300 * time.Millisecond)
		go func() { result <- op.run(context.WithoutCancel(t.Context()), store, id, base) }()
		until(t, "the write is sent", func() bool { return proxy.Turns() == before+2 })
		if err := direct.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if err := <-result; !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", op.name, err)
		}
		if _, err := direct.Load(t.Context(), id); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: after the logout: %v", op.name, err)
		}
	}
}

// What a suspended server gets to see late changes nothing: saves and touches are for a
// session that is gone, and no one has the token of a new one.
func TestK2SuspendedServer(t *testing.T) {
	server := memcachedtest.Start(t, "-M")
	store := newStore(t, memcachedstore.Config{Timeout: 300 * time.Millisecond}, server.Addr())
	id := core.ID{5}
	base := save(t, store, id, hour("old"))
	server.Stop(t)
	var wg sync.WaitGroup
	for range 20 {
		for _, op := range operations {
			wg.Go(func() {
				if err := op.run(t.Context(), store, id, base); !isUnavailable(err) {
					t.Errorf("%s: %v, want ErrUnavailable", op.name, err)
				}
			})
		}
	}
	wg.Wait()
	server.Continue(t)
	until(t, "the server answers", func() bool { return !isUnavailable(store.Delete(t.Context(), id)) })
	for range 20 {
		if _, err := store.Load(t.Context(), id); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("after the logout: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// fillUp stores items of this size until the server has no memory left for them.
func fillUp(t *testing.T, server *memcachedtest.Server, store core.Store, size int) {
	t.Helper()
	const around = 20 // what an entry adds to its data
	for i := range 1_000_000 {
		_, err := store.Save(t.Context(), core.ID{0xff, byte(i >> 16), byte(i >> 8), byte(i)}, hour(strings.Repeat("x", size-around)), 0)
		if err != nil {
			if !isUnavailable(err) || !strings.Contains(err.Error(), "out of memory") {
				t.Fatalf("when the server is full: %v", err)
			}
			if server.Stat(t, "evictions") != 0 {
				t.Fatal("the server has evicted sessions")
			}
			return
		}
	}
	t.Fatal("the server is never full")
}

// When the server's memory is full, writes fail and nothing is lost. Sessions can be read
// and ended. Memcached's own command for meta sets would delete what it cannot replace.
func TestE2OutOfMemory(t *testing.T) {
	server := memcachedtest.Start(t, "-M", "-m", "2")
	now := time.Now()
	s := newSite(t, server, core.Config{Now: func() time.Time { return now }}, memcachedstore.Config{Timeout: patience})
	s.wants(t, "values", http.StatusOK, fill)
	s.wants(t, "login", http.StatusOK, login)
	key := s.keys(t)[0]
	size := 0
	if _, err := fmt.Sscanf(server.Do(t, "mg "+key+" s\r\n"), "HD s%d", &size); err != nil {
		t.Fatal(err)
	}
	fillUp(t, server, newStore(t, memcachedstore.Config{}, server.Addr()), size)
	for i := range 3 {
		s.wants(t, "a write", http.StatusServiceUnavailable, func(session *core.Session) { session.Set("id", int64(7654321+i)) })
		s.shows(t, "after a failed write", "ann")
	}
	now = now.Add(20 * time.Minute)
	s.shows(t, "after a failed touch", "ann")
	s.shows(t, "after a failed touch", "ann")
	cookie := s.cookie
	s.cookie = ""
	s.wants(t, "a new session", http.StatusServiceUnavailable, fill)
	s.cookie = cookie
	if _, ever := s.proxy.Conns(); ever > 2 {
		t.Errorf("full memory has cost %d connections", ever)
	}
	s.wants(t, "logout", http.StatusOK, (*core.Session).Logout)
	s.cookie = cookie
	s.shows(t, "after the logout", "")
}

// A session that the server does not take is too large, and what was stored stays.
func TestE2TooLargeForTheServer(t *testing.T) {
	server := memcachedtest.Start(t, "-M", "-I", "128k", "-o", "slab_chunk_max=65536")
	s := newSite(t, server, core.Config{MaxBytes: 64 << 20}, memcachedstore.Config{Timeout: patience})
	store := newStore(t, memcachedstore.Config{}, server.Addr())
	id := core.ID{20}
	base := save(t, store, id, hour("small"))
	s.wants(t, "login", http.StatusOK, login)
	for _, size := range []int{128 << 10, 1 << 20, 17 << 20} {
		s.wants(t, "a large value", http.StatusInternalServerError, func(session *core.Session) { session.Set("large", strings.Repeat("x", size)) })
		s.shows(t, "afterwards", "ann")
		var tooLarge *core.SizeError
		if _, err := store.Save(t.Context(), id, hour(strings.Repeat("x", size)), base); !errors.As(err, &tooLarge) || tooLarge.Total < size || tooLarge.Limit >= tooLarge.Total {
			t.Errorf("%d bytes: %v, want a SizeError", size, err)
		}
		if e, err := store.Load(t.Context(), id); err != nil || e.Version != base {
			t.Errorf("after %d bytes: %q, %v", size, e.Data, err)
		}
	}
	s.wants(t, "a smaller value", http.StatusOK, func(session *core.Session) { session.Set("large", strings.Repeat("x", 100<<10)) })
}

// After a restart, or flush_all, everybody is anonymous, and nobody sees an error: the
// connections to the server that has ended are given up.
func TestL3RestartLogsOut(t *testing.T) {
	server := memcachedtest.Start(t, "-M")
	store := newStore(t, memcachedstore.Config{}, server.Addr())
	for _, forget := range []func(){
		func() { server.Restart(t) },
		func() {
			time.Sleep(1100 * time.Millisecond) // flush_all spares what is stored in the second that follows
			if got := server.Do(t, "flush_all\r\n"); got != "OK" {
				t.Fatal(got)
			}
		},
	} {
		var wg sync.WaitGroup
		ids := make([]core.ID, 20)
		bases := make([]core.Version, len(ids))
		for i := range ids {
			ids[i] = core.ID{6, byte(i)}
			wg.Go(func() { bases[i] = save(t, store, ids[i], hour("x")) }) // on many connections
		}
		wg.Wait()
		forget()
		for i, id := range ids {
			if _, err := store.Load(t.Context(), id); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("afterwards: %v, want ErrNotFound", err)
			}
			if _, err := store.Save(t.Context(), id, hour("y"), bases[i]); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("a save of before: %v, want ErrNotFound", err)
			}
			save(t, store, id, hour("z"))
			if err := store.Delete(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
	}
}

// A new session after a pause does not fail because the server was restarted meanwhile.
func TestL3NewSessionAfterARestart(t *testing.T) {
	server := memcachedtest.Start(t, "-M")
	store := newStore(t, memcachedstore.Config{}, server.Addr())
	save(t, store, core.ID{7}, hour("x"))
	server.Restart(t)
	time.Sleep(1100 * time.Millisecond)
	save(t, store, core.ID{7}, hour("y"))
}

// Of several servers, one that is dead is unavailable for its sessions, and no other
// takes its place: when it comes back, what was ended would be there again.
func TestL3DeadServerIsNotSkipped(t *testing.T) {
	dead, alive := memcachedtest.Start(t, "-M"), memcachedtest.Start(t, "-M")
	store := newStore(t, memcachedstore.Config{}, alive.Addr(), dead.Addr())
	const sessions = 200
	for i := range sessions {
		save(t, store, core.ID{byte(i)}, hour("x"))
	}
	onAlive, onDead := alive.Stat(t, "curr_items"), dead.Stat(t, "curr_items")
	if onAlive+onDead != sessions || min(onAlive, onDead) < sessions/4 {
		t.Errorf("%d and %d sessions on the servers, want about half of %d", onAlive, onDead, sessions)
	}
	dead.Kill()
	served, refused := 0, 0
	for i := range sessions {
		_, err := store.Load(t.Context(), core.ID{byte(i)})
		switch {
		case err == nil:
			served++
		case isUnavailable(err):
			refused++
			_, saveErr := store.Save(t.Context(), core.ID{byte(i)}, hour("y"), 0)
			if deleteErr := store.Delete(t.Context(), core.ID{byte(i)}); !isUnavailable(saveErr) || !isUnavailable(deleteErr) {
				t.Errorf("save %v, delete %v, want ErrUnavailable", saveErr, deleteErr)
			}
		default:
			t.Errorf("%v, want ErrUnavailable", err)
		}
	}
	if served != onAlive || refused != onDead {
		t.Errorf("%d are served and %d refused, want %d and %d", served, refused, onAlive, onDead)
	}
	if got := alive.Stat(t, "curr_items"); got != onAlive {
		t.Errorf("the other server has %d sessions, want %d", got, onAlive)
	}
}

// With more requests than connections, those that get none are refused in time.
func TestL3PoolExhausted(t *testing.T) {
	proxy := tcpproxy.Start(t, memcachedtest.Shared(t).Addr())
	store := newStore(t, memcachedstore.Config{MaxConns: 2, Timeout: 500 * time.Millisecond}, proxy.Addr())
	id := core.ID{8}
	save(t, store, id, hour("x"))
	proxy.Blackhole()
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			began := time.Now()
			if _, err := store.Load(t.Context(), id); !isUnavailable(err) || time.Since(began) > 3*time.Second {
				t.Errorf("%v after %v, want ErrUnavailable after half a second", err, time.Since(began))
			}
		})
	}
	until(t, "connections are open", func() bool { open, _ := proxy.Conns(); return open > 0 })
	if open, _ := proxy.Conns(); open > 2 {
		t.Errorf("%d connections, want at most 2", open)
	}
	wg.Wait()
	proxy.Heal()
	if _, err := store.Load(t.Context(), id); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A call ends with the store's timeout, or its caller's context.
func TestC5EveryCallEnds(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			proxy := tcpproxy.Start(t, memcachedtest.Shared(t).Addr())
			store := newStore(t, memcachedstore.Config{Timeout: 500 * time.Millisecond}, proxy.Addr())
			id := core.ID{9}
			base := save(t, store, id, hour("x"))
			proxy.Blackhole()
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second) // longer than the store's
			defer cancel()
			err := op.run(ctx, store, id, base)
			if took := time.Since(began); !isUnavailable(err) || !errors.Is(err, context.DeadlineExceeded) || took > 4*time.Second {
				t.Errorf("%v after %v, want the deadline after half a second", err, took)
			}
			ctx, cancel = context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(50*time.Millisecond, cancel)
			if err := op.run(ctx, store, id, base); !errors.Is(err, context.Canceled) {
				t.Errorf("a call that was cancelled: %v", err)
			}
			proxy.Heal()
			if _, err := store.Load(t.Context(), id); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// Answers that make no sense are never taken for an absent session, nor for success, and
// one that belongs to another session is never handed out.
func TestL3GarbageIsUnavailable(t *testing.T) {
	store := func(answer string) *memcachedstore.Store {
		address := scripted(t, func(string) string { return answer })
		return newStore(t, memcachedstore.Config{Prefix: "p:", Timeout: 100 * time.Millisecond}, address)
	}
	id, other := core.ID{10}, core.ID{11}
	for _, answer := range []string{
		"", "\r\n", "HELLO\r\n", "ERROR\r\n", "SERVER_ERROR busy\r\n", "CLIENT_ERROR line too long\r\n", "END\r\n", "OK\r\n", "EN\n", "EN kp:" + other.String() + "\r\n",
		"ENOENT\r\n", "HD\r\n", "NF\r\n", "HD kp:" + other.String() + "\r\n", "NF kp:" + other.String() + "\r\n", "VA\r\n", "VA 5\r\n", "VA 5 c1\r\nhello\r\n",
		"VA 5 c1 kp:" + other.String() + "\r\nhello\r\n", "VA 5 c1 kp:" + id.String() + "\r\nhel", "VA 5 c1 kp:" + id.String() + "\r\nhello world\r\n",
		"VA -1 c1 kp:" + id.String() + "\r\n", "VA 99999999999 c1 kp:" + id.String() + "\r\n", "VA 5 c kp:" + id.String() + "\r\nhello\r\n",
		"HTTP/1.1 400 Bad Request\r\n\r\n", strings.Repeat("x", 1<<16), "STORED\r\nSTORED\r\n", "EN\r\nEN\r\n", "HD kp:" + id.String() + "\r\nHD\r\n",
	} {
		for _, op := range operations {
			if err := op.run(t.Context(), store(answer), id, 1); !isUnavailable(err) || len(err.Error()) > 400 {
				t.Errorf("%s, answered %.60q: %v, want ErrUnavailable", op.name, answer, err)
			}
		}
		if _, err := store(answer).Save(t.Context(), id, hour("x"), 0); !isUnavailable(err) {
			t.Errorf("create, answered %.60q: %v, want ErrUnavailable", answer, err)
		}
	}
}

// An item that cannot be read, or is of a newer version, is neither overwritten nor
// prolonged, and can be deleted.
func TestE3UnreadableIsNeverOverwritten(t *testing.T) {
	server := memcachedtest.Shared(t)
	store := newStore(t, memcachedstore.Config{}, server.Addr())
	for text, want := range map[string]error{"\x03 newer": core.ErrNewerVersion, "a text of another program": core.ErrCorrupt, "": core.ErrCorrupt} {
		id := core.ID{12, byte(len(text))}
		put := fmt.Sprintf("set %s 0 100 %d\r\n%s\r\n", store.Key(id), len(text), text)
		if got := server.Do(t, put); got != "STORED" {
			t.Fatal(got)
		}
		if _, err := store.Load(t.Context(), id); !errors.Is(err, want) || errors.Is(err, core.ErrUnavailable) {
			t.Errorf("%q: loaded with %v, want %v", text, err, want)
		}
		for _, base := range []core.Version{0, 1} {
			if _, err := store.Save(t.Context(), id, hour("x"), base); !errors.Is(err, core.ErrConflict) {
				t.Errorf("%q: saved at %d with %v, want ErrConflict", text, base, err)
			}
		}
		if err := store.Touch(t.Context(), id, 1, time.Now().Add(time.Hour)); err != nil {
			t.Errorf("%q: touched with %v", text, err)
		}
		if lines, err := server.Lines("get " + store.Key(id) + "\r\n"); err != nil || text != "" && !strings.Contains(strings.Join(lines, "\n"), text) {
			t.Errorf("%q has become %q", text, lines)
		}
		if err := store.Delete(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}
