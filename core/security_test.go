package core_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// spy is a Store that counts and remembers what it was asked.
type spy struct {
	core.Store
	mu     sync.Mutex
	loads  int
	saves  int
	writes map[core.ID]core.Entry
	load   func(core.ID) (core.Entry, error) // if set, answers instead
	fail   error                             // if set, Save, Touch and Delete fail with it
}

func (s *spy) Unwrap() core.Store { return s.Store }

func (s *spy) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	s.mu.Lock()
	s.loads++
	load := s.load
	s.mu.Unlock()
	if load != nil {
		return load(id)
	}
	return s.Store.Load(ctx, id)
}

func (s *spy) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return 0, s.fail
	}
	s.saves++
	if s.writes == nil {
		s.writes = map[core.ID]core.Entry{}
	}
	v, err := s.Store.Save(ctx, id, e, base)
	if err == nil {
		s.writes[id] = e
	}
	return v, err
}

func (s *spy) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	if s.fail != nil {
		return s.fail
	}
	return s.Store.Touch(ctx, id, base, expires)
}

func (s *spy) Delete(ctx context.Context, id core.ID) error {
	if s.fail != nil {
		return s.fail
	}
	return s.Store.Delete(ctx, id)
}

// spied returns a Manager whose store is watched.
func spied(t *testing.T, edit ...func(*core.Config)) (*world, *spy) {
	w := server(t)
	s := &spy{Store: w.store}
	w.m = w.manager(core.ServerSide(s), edit...)
	return w, s
}

const cookieName = "__Host-session"

func TestSEC1NoTokenFromAFailingSource(t *testing.T) {
	// It fails at the ID, at the secret, and within the secret.
	for _, enough := range []int{5, 16, 47} {
		w := server(t, func(c *core.Config) { c.Rand = strings.NewReader(strings.Repeat("r", enough)) })
		c := newClient(t, w.m)
		r := c.begin()
		r.s.Set("k", "v")
		if err := r.end(200); !errors.Is(err, core.ErrUnavailable) || len(r.x.setCookie) != 0 || w.store.Len() != 0 {
			t.Errorf("SEC1: after %d bytes: error %v, cookies %q, %d stored", enough, err, r.x.setCookie, w.store.Len())
		}
	}
}

// zeros is a broken random source that returns no error.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestSEC1NoTokenFromZeros(t *testing.T) {
	w := server(t, func(c *core.Config) { c.Rand = zeros{} })
	r := newClient(t, w.m).begin()
	r.s.Set("k", "v")
	if err := r.end(200); !errors.Is(err, core.ErrUnavailable) || len(r.x.setCookie) != 0 || w.store.Len() != 0 {
		t.Errorf("SEC1: error %v, cookies %q, %d stored", err, r.x.setCookie, w.store.Len())
	}
}

func TestK3SEC4OneRenewalWins(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	var requests []*request
	for range 50 {
		r := c.fork().begin()
		r.s.Renew()
		requests = append(requests, r)
	}
	var wg sync.WaitGroup
	for _, r := range requests {
		wg.Go(func() { _ = r.end(200) })
	}
	wg.Wait()
	live, handedOut := 0, 0
	for _, r := range requests {
		if len(r.x.setCookie) > 0 {
			handedOut++
			if r.c.get("k") == "v" {
				live++
			}
		}
	}
	if live != 1 || handedOut != 1 || w.store.Len() != 1 || c.get("k") != "" {
		t.Errorf("K3: %d tokens handed out, %d live, %d entries, the old token reads %q", handedOut, live, w.store.Len(), c.get("k"))
	}
	if n := w.events.count(core.EventDropped); n != len(requests)-1 {
		t.Errorf("K3: %d events tell of %d losers", n, len(requests)-1)
	}
}

func TestL3SEC9AnothersRecordIsAnErrorAndDeletesNothing(t *testing.T) {
	w, spy := spied(t)
	ann, bob := newClient(t, w.m), newClient(t, w.m)
	ann.do(func(s *core.Session) { s.Login("ann") })
	bob.do(func(s *core.Session) { s.Login("bob") })
	var annsEntry core.Entry
	for _, e := range spy.writes {
		if e.User == "ann" {
			annsEntry = e
		}
	}
	spy.load = func(core.ID) (core.Entry, error) { return annsEntry, nil }
	if _, err := w.m.Load(bob.exchange()); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("SEC9: error %v", err)
	}
	if w.store.Len() != 2 {
		t.Error("SEC9: something was deleted")
	}
}

func TestL3UnavailableIsNotAbsent(t *testing.T) {
	w, spy := spied(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	spy.load = func(core.ID) (core.Entry, error) { return core.Entry{}, errors.New("connection refused") }
	x := c.exchange()
	if _, err := w.m.Load(x); !errors.Is(err, core.ErrUnavailable) || core.ErrorResponseFor(err).Status != 503 || len(x.setCookie) != 0 {
		t.Errorf("L3: error %v, cookies %q", err, x.setCookie)
	}
	lenient := w.manager(core.ServerSide(spy), func(c *core.Config) { c.ServeWhenUnavailable = true })
	c.m = lenient
	x = c.do(func(s *core.Session) {
		if !s.IsNew() {
			t.Error("L3: not empty")
		}
		s.Set("k", "lost")
		if err := s.Commit(t.Context()); !errors.Is(err, core.ErrReadOnly) {
			t.Errorf("L3: commit says %v", err)
		}
	})
	if len(x.setCookie) != 0 {
		t.Errorf("L3: a read-only session set %q", x.setCookie)
	}
	for name, write := range map[string]func(*core.Session){
		"login":                 func(s *core.Session) { s.Login("ann") },
		"logout":                func(s *core.Session) { s.Logout() },
		"logout and a rollback": func(s *core.Session) { s.Logout(); s.Rollback() },
	} {
		r := c.begin()
		write(r.s)
		if err := r.s.Err(); !errors.Is(err, core.ErrReadOnly) {
			t.Errorf("L3: before the commit, a %s says %v", name, err)
		}
		if err := r.end(200); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("L3: a %s that cannot be stored says %v", name, err)
		}
	}
	spy.load = nil
	if c.get("k") != "v" {
		t.Error("L3: the outage cost the session")
	}
}

func TestC3SEC58FailedSaveSetsNoCookie(t *testing.T) {
	w, spy := spied(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann"); s.Flash("info", "hello") })
	spy.fail = errors.New("disk full")
	for name, write := range map[string]func(*core.Session){
		"set": func(s *core.Session) { s.Set("k", "v") }, "login": func(s *core.Session) { s.Login("ann") },
		"logout": func(s *core.Session) { s.Logout() }, "flash": func(s *core.Session) { s.Flashes() },
	} {
		r := c.begin()
		write(r.s)
		if err := r.end(200); !errors.Is(err, core.ErrUnavailable) || len(r.x.setCookie) != 0 || r.x.resets != 1 {
			t.Errorf("SEC58: %s: error %v, cookies %q, %d resets", name, err, r.x.setCookie, r.x.resets)
		}
	}
	spy.fail = nil
	c.do(func(s *core.Session) {
		if s.UserID() != "ann" || len(s.Flashes()) != 1 {
			t.Error("C3: the failed commits changed something")
		}
	})
}

func TestT1SEC13StoredPastItsExpiryIsAnonymous(t *testing.T) {
	w, spy := spied(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	for _, e := range spy.writes {
		if e.Expires.IsZero() {
			t.Error("SEC13: stored without an expiry")
		}
		spy.load = func(core.ID) (core.Entry, error) { return e, nil }
	}
	if c.get("k") != "v" || len(spy.writes) != 1 {
		t.Fatalf("%d entries, and the session is not there while it lives", len(spy.writes))
	}
	w.clock.advance(30*time.Minute + time.Second)
	if c.get("k") != "" {
		t.Error("SEC13: an expired entry that the store still has was used")
	}
	w2, spy2 := spied(t, func(c *core.Config) { c.IdleTimeout, c.Lifetime = core.NoTimeout, core.NoTimeout })
	newClient(t, w2.m).do(func(s *core.Session) { s.Set("k", "v") })
	if len(spy2.writes) != 1 {
		t.Errorf("%d entries, want one", len(spy2.writes))
	}
	for _, e := range spy2.writes {
		if e.Expires.IsZero() {
			t.Error("SEC13: without timeouts, stored without an expiry")
		}
	}
}

func TestE1SEC67NothingPrintsATokenOrAValue(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		const canary = "canary-value"
		var out strings.Builder
		c.do(func(s *core.Session) { s.Set("k", canary); s.Flash("info", canary) })
		r := c.begin()
		logger := slog.New(slog.NewTextHandler(&out, nil))
		for _, v := range []any{r.s, w.m, *sealed.Cookie(nil), struct{ S *core.Session }{r.s}} {
			fmt.Fprintf(&out, "%v %+v %#v %s\n", v, v, v, v)
			logger.Info("v", "v", v)
			if b, err := json.Marshal(v); err == nil {
				out.Write(b)
			}
		}
		r.s.Set("bad", make(chan int))
		err := r.end(200)
		fmt.Fprintf(&out, "%v %+v", err, err)
		for _, e := range w.events.all {
			fmt.Fprintf(&out, "%+v\n", e)
		}
		for _, secret := range []string{canary, c.jar[cookieName], c.jar[cookieName][24:]} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("SEC67: printed %.10q", secret)
			}
		}
	})
}

// repeating is a random source that returns everything twice.
type repeating struct {
	last  []byte
	again bool
}

func (r *repeating) Read(p []byte) (int, error) {
	if len(p) != 16 { // a secret
		return rand.Read(p)
	}
	if r.again = !r.again; r.again {
		_, _ = rand.Read(p)
		r.last = bytes.Clone(p)
		return len(p), nil
	}
	return copy(p, r.last), nil
}

func TestE3CorruptAndNewerRecords(t *testing.T) {
	w, spy := spied(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	var good core.Entry
	for _, e := range spy.writes {
		good = e
	}
	const flagsAt = 1 + 16 // behind the version and the hash
	for name, damage := range map[string]func([]byte) []byte{
		"empty":            func([]byte) []byte { return nil },
		"truncated":        func(b []byte) []byte { return b[:len(b)-1] },
		"truncated header": func(b []byte) []byte { return b[:flagsAt+2] },
		"longer":           func(b []byte) []byte { return append(b, 0) },
		"length too large": func(b []byte) []byte { b[len(b)-3] = 0x7f; return b }, // of the value
		"newer entry":      func(b []byte) []byte { b[0] = 0x82; return b },
		"unknown flag":     func(b []byte) []byte { b[flagsAt] |= 0x80; return b },
		"user is gone":     func(b []byte) []byte { b[flagsAt] |= 0x02; return b },
	} {
		entry := good
		entry.Data = damage(bytes.Clone(good.Data))
		spy.load = func(core.ID) (core.Entry, error) { return entry, nil }
		spy.saves = 0
		rejected := w.events.count(core.EventRejected)
		fork, used := c.fork(), false
		fork.do(func(s *core.Session) { used = !s.IsNew() })
		if used { // and saved again and again: the store says that it is another by now
			t.Errorf("E3: %s: used", name)
			continue
		}
		if w.events.count(core.EventRejected) != rejected+1 {
			t.Errorf("E3: %s: no event", name)
		}
		fork.do(func(s *core.Session) { s.Set("k", "new") })
		if fork.jar[cookieName] == c.jar[cookieName] {
			t.Errorf("E3: %s: overwritten", name)
		}
	}
}

func TestE3NewerWholeRecord(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	data, err := (&core.Record{ID: core.ID{1}, User: "ann", CreatedAt: now, SavedAt: now, Expires: now.Add(time.Hour)}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := core.ParseRecord(data); err != nil || r.User != "ann" || !r.Expires.Equal(now.Add(time.Hour)) {
		t.Fatalf("%v, %v", r, err)
	}
	for version, want := range map[byte]error{0: core.ErrCorrupt, 2: core.ErrNewerVersion, 255: core.ErrNewerVersion} {
		data[0] = version
		if _, err := core.ParseRecord(data); !errors.Is(err, want) {
			t.Errorf("version %d: %v, want %v", version, err, want)
		}
	}
}

// An entry cut off anywhere, with and without the hash of the previous token.
func TestE3CutOffEntries(t *testing.T) {
	w, spy := spied(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	for _, rotated := range []bool{false, true} {
		if rotated {
			c.do(func(s *core.Session) { s.Renew() })
		}
		var whole core.Entry
		for _, e := range spy.writes {
			whole = e
		}
		for n := range whole.Data {
			cut := whole
			cut.Data = whole.Data[:n:n]
			spy.load = func(core.ID) (core.Entry, error) { return cut, nil }
			if s, err := w.m.Load(c.exchange()); err == nil && !s.IsNew() {
				t.Errorf("rotated %t: used with %d of %d bytes", rotated, n, len(whole.Data))
			}
		}
		spy.load = nil
	}
}

func TestE2OneCookieHolds2850Bytes(t *testing.T) {
	w := inCookies(t, func(c *core.Config) { c.Cookie.MaxParts = 2 })
	c := newClient(t, w.m)
	data := make([]byte, 2850)
	_, _ = rand.Read(data)
	x := c.do(func(s *core.Session) { s.Set("blob", data) })
	if len(x.setCookie) != 1 {
		t.Fatalf("E2: 2,850 bytes of data took %d cookies", len(x.setCookie))
	}
	most := 0
	for n := 2850; len(x.setCookie) == 1; n++ {
		most = n
		fresh := newClient(t, w.m)
		x = fresh.do(func(s *core.Session) { s.Set("blob", make([]byte, n)) })
	}
	t.Logf("one cookie holds a value of %d bytes", most)
	c.do(func(s *core.Session) {
		if got, ok := core.Get[[]byte](s, "blob"); !ok || !bytes.Equal(got, data) {
			t.Error("E2: the data did not come back")
		}
	})
}
