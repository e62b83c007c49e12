package goredisstore_test

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// sharedRig returns an application on the shared server, and the key of its
// browser's session there.
func sharedRig(t *testing.T, mc core.Config) (r *rig, b *browser, key string) {
	t.Helper()
	r = newRig(t, redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()}), goredisstore.Config{}, mc)
	b = r.loggedIn("ann")
	return r, b, r.store.Key(r.sessions("ann")[0])
}

// anonymous checks that b is served as if it had no session, and that nothing is
// written for it.
func (b *browser) anonymous() {
	b.r.t.Helper()
	a := b.do("/get", "key", "k")
	if a.err != nil || a.status != http.StatusOK || a.body != "" || a.set {
		b.r.t.Errorf("status %d (%v), value %q, cookie set: %v; want an anonymous page", a.status, a.err, a.body, a.set)
	}
}

// Whatever a session's key holds, a request is at worst anonymous, an event
// reports it, and a login works.
func TestE3GarbageUnderASessionsKey(t *testing.T) {
	t.Parallel()
	srv := redistest.Shared(t)
	r, b, key := sharedRig(t, core.Config{})
	good, _ := srv.MustDo("GET", key).(string)
	far := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(time.Hour).UnixMilli()))[2:]
	garbage := map[string][]string{
		"list":                 {"RPUSH", key, "a", "b"},
		"hash":                 {"HSET", key, "f", "v"},
		"set":                  {"SADD", key, "a"},
		"stream":               {"XADD", key, "*", "f", "v"},
		"empty":                {"SET", key, ""},
		"text":                 {"SET", key, "hello, world: this is no session"},
		"json":                 {"SET", key, `{"user":"root"}`},
		"zeros":                {"SET", key, strings.Repeat("\x00", 200)},
		"ones":                 {"SET", key, strings.Repeat("\xff", 200)},
		"head only":            {"SET", key, good[:13]},
		"user too long":        {"SET", key, good[:13] + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		"unknown record":       {"SET", key, good[:13] + "\x00" + strings.Repeat("\x7f", 100)},
		"head, then nothing":   {"SET", key, "\x01" + strings.Repeat("v", 6) + string(far) + "\x00"},
		"a byte more":          {"SET", key, good + "x"},
		"a number, as by INCR": {"SET", key, "42"},
	}
	for _, n := range []int{1, 9, 14, 16, 20, 40, len(good) / 2, len(good) - 1} {
		garbage[fmt.Sprint("truncated to ", n)] = []string{"SET", key, good[:n]}
	}
	for name, command := range garbage {
		srv.MustDo("DEL", key)
		srv.MustDo(command...)
		before := r.count(core.EventRejected, core.ReasonCorrupt, core.ReasonNewer)
		visitor := b.copied()
		visitor.anonymous()
		if r.count(core.EventRejected, core.ReasonCorrupt, core.ReasonNewer) == before {
			t.Errorf("%s: no event tells", name)
		}
		visitor.ok("/set", "key", "k", "value", "fresh")
		if got := visitor.ok("/get", "key", "k"); got != "fresh" || visitor.current() == b.current() {
			t.Errorf("%s: a new session has %q", name, got)
		}
		if left := srv.MustDo("EXISTS", key); left != int64(1) {
			t.Errorf("%s: a request removed what it could not read", name)
		}
	}
}

// A newer release has written the record. This one treats the client as anonymous
// and leaves the record alone, whether it loads, saves, touches, creates or logs
// in.
func TestE3NewerVersionIsNeverOverwritten(t *testing.T) {
	t.Parallel()
	srv := redistest.Shared(t)
	clock := &shiftedClock{}
	r, b, key := sharedRig(t, core.Config{Now: clock.now})
	good, _ := srv.MustDo("GET", key).(string)
	id, err := core.ParseID(strings.TrimPrefix(key, r.prefix))
	if err != nil {
		t.Fatal(err)
	}
	data := 13 + 1 + len("ann")
	for name, newer := range map[string]string{
		"store's format, another layout": "\x03" + strings.Repeat("\x00", 14) + "later",
		"store's format, short":          "\x03",
		"store's format, same layout":    "\x03" + good[1:],
		"entry":                          good[:data] + "\x02" + good[data+1:],
	} {
		srv.MustDo("SET", key, newer, "PX", "600000")
		visitor := b.copied()
		visitor.anonymous()
		if r.count(core.EventRejected, core.ReasonNewer) == 0 {
			t.Errorf("%s: no event tells", name)
		}
		visitor.ok("/login", "user", "ann")
		e := core.Entry{Data: []byte("x"), Expires: clock.now().Add(time.Hour)}
		if _, err := r.store.Save(t.Context(), id, e, 0); err == nil {
			t.Errorf("%s: created over", name)
		}
		for _, base := range []core.Version{1, core.Version(binary.BigEndian.Uint64([]byte("\x00\x00" + good[1:7])))} {
			if name == "entry" && base != 1 {
				continue // the store can save over it; the core refuses to load it
			}
			if _, err := r.store.Save(t.Context(), id, e, base); err == nil {
				t.Errorf("%s: saved over", name)
			}
			_ = r.store.Touch(t.Context(), id, base, clock.now().Add(time.Hour))
		}
		if got := srv.MustDo("GET", key); got != newer {
			t.Errorf("%s: now there is %q, was %q", name, got, newer)
		}
		if left, _ := srv.MustDo("PTTL", key).(int64); left > 600_000 {
			t.Errorf("%s: the time to live was changed to %d", name, left)
		}
	}
}

// A newer release upgrades a session while a request of this one is under way.
// The request fails or its changes are dropped, and the record stays.
func TestE3UpgradedBetweenLoadAndSave(t *testing.T) {
	t.Parallel()
	srv := redistest.Shared(t)
	r, b, key := sharedRig(t, core.Config{})
	good, _ := srv.MustDo("GET", key).(string)
	newer := "\x03" + strings.Repeat("n", 60)
	err := r.manager.Update(t.Context(), r.sessions("ann")[0], func(s *core.Session) error {
		srv.MustDo("SET", key, newer, "PX", "600000")
		s.Set("k", "lost")
		return nil
	})
	if err == nil {
		t.Error("the change was said to be stored")
	}
	if got := srv.MustDo("GET", key); got != newer {
		t.Errorf("now there is %q, was %q", got, newer)
	}
	srv.MustDo("SET", key, good, "PX", "600000")
	b.shows("rolled back", "v", "/get", "key", "k")
}

// The key of a user's index may hold anything: reading sessions does not need it,
// and logouts still end the session.
func TestE3GarbageUnderTheIndexsKey(t *testing.T) {
	t.Parallel()
	srv := redistest.Shared(t)
	for name, command := range map[string][]string{
		"text":              {"SET", "", "hello"},
		"list":              {"RPUSH", "", "a"},
		"odd members":       {"HSET", "", "not an ID", "x", strings.Repeat("A", 22), "y", "", "7"},
		"far too many":      {"HSET", "", strings.Repeat("B", 22), "1 2 3 4 5"},
		"counter no number": {"HSET", "", "", "seven"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, b, _ := sharedRig(t, core.Config{SessionLimit: 3})
			index := r.store.UserKey("ann")
			srv.MustDo("DEL", index)
			command := append([]string(nil), command...)
			command[1] = index
			srv.MustDo(command...)
			b.shows("reading", "v", "/get", "key", "k")
			b.ok("/set", "key", "k", "value", "w")
			for range 2 { // a login either works or is refused cleanly
				visitor := r.browser()
				switch a := visitor.do("/login", "user", "ann"); {
				case a.err == nil && a.status == http.StatusOK:
					visitor.shows("after a login", "ann", "/user")
				case a.status != http.StatusServiceUnavailable || a.set:
					t.Errorf("login: status %d (%v), cookie set: %v", a.status, a.err, a.set)
				}
			}
			stolen := b.copied()
			a := b.do("/logout")
			if a.err != nil || a.status != http.StatusOK && a.status != http.StatusServiceUnavailable {
				t.Errorf("logout: status %d (%v)", a.status, a.err)
			}
			stolen.anonymous()
			if other := r.loggedIn("bob"); other.ok("/user") != "bob" {
				t.Error("another user cannot log in")
			}
		})
	}
}

// Application servers whose clocks are ten minutes apart share their sessions.
// Deadlines are points in time: to another server, a session's idle timeout may
// seem that much longer or shorter, but never endless.
func TestT1ClockSkew(t *testing.T) {
	t.Parallel()
	srv := redistest.Shared(t)
	var turn shiftedClock // both clocks move together
	fast := func() time.Time { return turn.now().Add(5 * time.Minute) }
	slow := func() time.Time { return turn.now().Add(-5 * time.Minute) }
	at := func(prefix string, now func() time.Time) *rig {
		client := redis.NewClient(&redis.Options{Addr: srv.Addr()})
		return newRig(t, client, goredisstore.Config{Prefix: prefix}, core.Config{Now: now, SessionLimit: 3})
	}
	prefix := redistest.UniquePrefix(t)
	a, b := at(prefix, fast), at(prefix, slow)
	for name, pair := range map[string][2]*rig{"fast, then slow": {a, b}, "slow, then fast": {b, a}} {
		first, second := pair[0].loggedIn("ann"), pair[1].browser()
		second.cookie = first.current()
		for i, visitor := range []*browser{second, first, second, first} {
			if got := visitor.ok("/user"); got != "ann" {
				t.Fatalf("%s: request %d has the user %q", name, i, got)
			}
			if got := visitor.ok("/incr"); got != fmt.Sprint(i+1) {
				t.Errorf("%s: request %d counts %s", name, i, got)
			}
			turn.advance(15 * time.Minute) // within 30 minutes minus the skew
		}
		if ids := pair[1].sessions("ann"); len(ids) != 1 {
			t.Errorf("%s: listed %v", name, ids)
		}
		stolen := first.copied()
		second.ok("/logout")
		stolen.anonymous()

		// Login on one server, limits and revocation on the other.
		pair[0].loggedIn("ann")
		pair[0].loggedIn("ann")
		last := pair[1].loggedIn("ann")
		pair[1].loggedIn("ann")
		if n := len(pair[0].sessions("ann")); n != 3 {
			t.Errorf("%s: %d sessions, want the limit of 3", name, n)
		}
		if _, err := pair[0].manager.RevokeUser(t.Context(), "ann"); err != nil {
			t.Error(err)
		}
		last.anonymous()

		// If unused, it ends on both after the idle timeout plus the skew.
		idle := pair[0].loggedIn("ann")
		turn.advance(41 * time.Minute)
		idle.anonymous()
		other := pair[1].browser()
		other.cookie = idle.current()
		other.anonymous()
	}
	for _, key := range a.keys(srv) {
		if left, _ := srv.MustDo("PTTL", key).(int64); left <= 0 {
			t.Errorf("%s never expires", key)
		}
	}
}
