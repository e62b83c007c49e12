package core_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

const (
	copyCookie = sessionCookie + "-copy"
	copyWindow = time.Minute
)

// asked counts the calls of a store.
type asked struct {
	core.Store
	loads, writes int
	before        func() error // a load, if set
}

func (a *asked) Unwrap() core.Store { return a.Store }

func (a *asked) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	a.loads++
	if a.before != nil {
		if err := a.before(); err != nil {
			return core.Entry{}, err
		}
	}
	return a.Store.Load(ctx, id)
}

func (a *asked) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	a.writes++
	return a.Store.Save(ctx, id, e, base)
}

func (a *asked) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	a.writes++
	return a.Store.Touch(ctx, id, base, expires)
}

// take returns the number of calls since it was last called.
func (a *asked) take() int {
	n := a.loads + a.writes
	a.loads, a.writes = 0, 0
	return n
}

// hybridWorld is a Manager whose clients carry copies.
type hybridWorld struct {
	*world
	asked *asked
	keys  string
}

func (h *hybridWorld) sealer(keys string) core.Sealer {
	h.Helper()
	ring, err := sealed.ParseKeyring(keys)
	if err != nil {
		h.Fatal(err)
	}
	return sealed.Cookie(ring)
}

func hybrids(t *testing.T, edit ...func(*core.Config)) *hybridWorld {
	t.Helper()
	h := &hybridWorld{world: server(t), keys: sealed.GenerateKey()}
	h.asked = &asked{Store: h.store}
	h.back = core.Hybrid(h.sealer(h.keys), h.asked, copyWindow)
	h.m = h.sharing(edit...)
	return h
}

// ann returns a client in which ann is logged in, with a copy.
func (h *hybridWorld) ann() *client {
	h.Helper()
	c := newClient(h.T, h.m)
	c.do(func(s *core.Session) { s.Login("ann"); s.Set("k", "old") })
	h.asked.take()
	return c
}

// sets returns the names of the cookies that a response sets, not those that it deletes.
func sets(x *exchange) (names []string) {
	for _, line := range x.setCookie {
		if name, _, _ := strings.Cut(line, "="); !strings.Contains(line, "Max-Age=0;") {
			names = append(names, name)
		}
	}
	return names
}

// TestC2HybridReadsAskNothing: within the window a GET makes no call and sets no cookie;
// after it, it makes one call and sets the copy alone.
func TestC2HybridReadsAskNothing(t *testing.T) {
	h := hybrids(t)
	c := newClient(t, h.m)
	x := c.do(func(s *core.Session) { s.Login("ann") })
	if got := fmt.Sprint(sets(x)); got != "["+sessionCookie+" "+copyCookie+"]" || x.response["Cache-Control"] != "no-store" {
		t.Fatalf("C7: a login sets %s with Cache-Control %q", got, x.response["Cache-Control"])
	}
	h.asked.take()
	for range 3 {
		h.clock.advance(copyWindow - time.Millisecond)
		if user := c.user(); user != "ann" || h.asked.take() != 0 || len(c.last.setCookie) != 0 || c.last.response["Vary"] != "Cookie" {
			t.Fatalf("C2: within the window: user %q, cookies %q", user, c.last.setCookie)
		}
		h.clock.advance(time.Millisecond)
		if user := c.user(); user != "ann" || h.asked.loads != 1 || h.asked.writes > 1 || fmt.Sprint(sets(c.last)) != "["+copyCookie+"]" {
			t.Fatalf("C2: after the window: user %q, %d loads, %d writes, cookies %q", user, h.asked.loads, h.asked.writes, c.last.setCookie)
		}
		if line := c.last.setCookie[0]; !strings.Contains(line, "; Max-Age=60; ") {
			t.Errorf("the browser keeps a copy for longer than it is good for: %q", line)
		}
		h.asked.take()
	}
	if h.events.all[len(h.events.all)-2].Detail != "" {
		t.Error("the event of a load from the store says that it was a copy")
	}
	c.user()
	if h.events.all[len(h.events.all)-2].Detail != "from the client's copy" {
		t.Error("no event tells that a copy has answered")
	}
}

// TestL4HybridClocks: a copy from another server's clock is good from 5 seconds ahead.
func TestL4HybridClocks(t *testing.T) {
	for ahead, want := range map[time.Duration]int{5 * time.Second: 0, 5*time.Second + time.Millisecond: 1} {
		h := hybrids(t)
		c := h.ann()
		h.clock.advance(-ahead)
		if c.user(); h.asked.loads != want {
			t.Errorf("L4: a copy from %v ahead: %d loads, want %d", ahead, h.asked.loads, want)
		}
	}
}

// TestK2I2HybridRevocationIsAtOnceForWriters, and for readers after the window; see
// better-auth #6893.
func TestK2I2HybridRevocationIsAtOnceForWriters(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		h := hybrids(t)
		c := h.ann()
		reader, writer := c.fork(), c.fork()
		if err := h.m.Revoke(t.Context(), c.id()); err != nil {
			t.Fatal(err)
		}
		if writer.method = method; writer.user() != "" {
			t.Errorf("K2: %s is served from a copy", method)
		}
		if writer.jar[copyCookie] != "" {
			t.Errorf("K2: the client keeps the copy after a %s has shown that the session is gone", method)
		}
		if writer.method = "GET"; writer.user() != "" {
			t.Errorf("K2: a GET after the %s brings the session back", method)
		}
		h.clock.advance(copyWindow)
		if reader.user() != "" {
			t.Error("K2: a GET after the window is served from a copy")
		}
	}
}

// TestL4HybridReadsLeaveALoginAlone: a page that was loading during a login sets no token, and
// its copy means nothing beside the new one.
func TestL4HybridReadsLeaveALoginAlone(t *testing.T) {
	h := hybrids(t)
	c := newClient(t, h.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	h.clock.advance(copyWindow)
	slow := c.begin()
	slow.s.UserID()
	c.do(func(s *core.Session) { s.Login("ann") })
	token := c.jar[sessionCookie]
	if err := slow.end(200); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(sets(c.last)) != "["+copyCookie+"]" {
		t.Fatalf("the slow page sets %q, so this tests nothing", c.last.setCookie)
	}
	if c.jar[sessionCookie] != token || c.user() != "ann" {
		t.Error("L4: a page that only reads has undone a login")
	}
}

// TestSEC15HybridLogoutLeavesNothing is better-auth #8273: signing out left the cache behind.
func TestSEC15HybridLogoutLeavesNothing(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		h := hybrids(t)
		c := h.ann()
		stolen := c.fork()
		c.method = method
		c.do(func(s *core.Session) { s.Logout() })
		if len(c.jar) != 0 {
			t.Errorf("SEC15: after a logout by %s the client has %v", method, c.jar)
		}
		if h.store.Len() != 0 {
			t.Error("SEC15: the session is still stored")
		}
		delete(stolen.jar, sessionCookie)
		if stolen.user() != "" {
			t.Error("SEC15: a copy alone gives access")
		}
	}
}

// TestSEC11HybridCopies is better-auth #9991: a copy is for its token, its time, its name
// and its purpose, it ends with its session, and what matters does not rely on it.
func TestSEC11HybridCopies(t *testing.T) {
	h := hybrids(t)
	ann, ben := h.ann(), newClient(t, h.m)
	ben.do(func(s *core.Session) { s.Login("ben") })
	copied := ann.jar[copyCookie]
	at, sealedCopy, _ := strings.Cut(copied, ".")
	later := fmt.Sprint(h.clock.now().Add(time.Second).UnixMilli())
	flipped := []byte(sealedCopy)
	flipped[len(flipped)/2] ^= 1
	inCookies := newClient(t, h.manager(core.ClientSide(h.sealer(h.keys))))
	inCookies.do(func(s *core.Session) { s.Login("ann") })
	h.clock.advance(10 * time.Minute)
	inCookies.user()
	h.clock.advance(-10 * time.Minute)
	for name, planted := range map[string]string{
		"another session's": ben.jar[copyCookie],
		"moved in time":     later + "." + sealedCopy,
		"another spelling":  "0" + at + "." + sealedCopy,
		"with a sign":       "+" + at + "." + sealedCopy,
		"flipped":           at + "." + string(flipped),
		"without a time":    sealedCopy,
		"only a time":       at + ".",
		"a client's token":  at + "." + inCookies.jar[sessionCookie],
		"a client's touch":  at + "." + inCookies.jar[sessionCookie+"-touch"],
		"garbage":           "x",
		"far times":         "9223372036854775807." + sealedCopy,
	} {
		c := ann.fork()
		c.jar[copyCookie] = planted
		h.asked.take()
		if user := c.user(); user != "ann" || h.asked.loads != 1 {
			t.Errorf("SEC11: a copy that is %s: user %q, %d loads", name, user, h.asked.loads)
		}
		if fmt.Sprint(sets(c.last)) != "["+copyCookie+"]" {
			t.Errorf("a copy that is %s is not replaced: %q", name, c.last.setCookie)
		}
	}
	for name, edit := range map[string]func(*core.Config){
		"namespace": func(c *core.Config) { c.Namespace = "other" },
		"name":      func(c *core.Config) { c.Cookie.Name = "__Host-other" },
	} {
		c := newClient(t, h.sharing(edit))
		for cookie, value := range ann.jar {
			c.jar[cookie] = value
			c.jar[strings.Replace(cookie, sessionCookie, "__Host-other", 1)] = value
		}
		if c.user() != "" {
			t.Errorf("SEC8: the copy opens under another %s", name)
		}
	}
	old := ann.fork()
	ann.do(func(s *core.Session) { s.Renew() })
	stolen := ann.fork()
	stolen.jar[copyCookie] = old.jar[copyCookie] // the new token with the copy of the old one
	if h.asked.take(); stolen.user() != "ann" || h.asked.loads != 1 {
		t.Error("SEC11: the copy opens with the token after its own")
	}
	cookieCopy := inCookies.fork()
	cookieCopy.jar[sessionCookie] = sealedCopy
	if cookieCopy.user() != "" {
		t.Error("SEC11: a copy is a session of ClientSide")
	}
}

// TestT1HybridExpiredCopies: a copy of an expired session is none, within the window too.
func TestT1HybridExpiredCopies(t *testing.T) {
	h := hybrids(t)
	c := newClient(t, h.m)
	c.do(func(s *core.Session) { s.Login("ann"); s.SetTimeouts(0, 10*time.Second) })
	h.clock.advance(10 * time.Second)
	if c.user() != "" {
		t.Error("T1: a copy outlives its session")
	}
	c = h.ann()
	c.m = h.sharing(func(c *core.Config) { c.NotBefore = h.clock.now().Add(time.Second) })
	if c.user() != "" {
		t.Error("I2: a copy of a session from before Config.NotBefore is served")
	}
}

// TestK1K2HybridWritesFromACopy: a GET that began with a copy loses no update, brings
// nothing back, and its client then has a copy of what was stored: better-auth #8916.
func TestK1K2HybridWritesFromACopy(t *testing.T) {
	for _, settled := range []bool{false, true} {
		h := hybrids(t)
		near := h.ann()
		if settled {
			h.clock.advance(30 * time.Second) // when nobody comes with the token before
			near.method = "POST"
			near.do(func(s *core.Session) { s.Set("x", "1") })
			near.method = "GET"
		}
		far := near.fork()
		far.do(func(s *core.Session) { s.Set("k", "new") })
		near.do(func(s *core.Session) {
			if k, _ := core.Get[string](s, "k"); k != "old" {
				t.Fatalf("k is %q: this is no copy", k)
			}
			s.Set("n", "1")
		})
		h.asked.take()
		if k, n := near.get("k"), near.get("n"); k != "new" || n != "1" || h.asked.take() != 0 {
			t.Errorf("K1: k is %q and n %q in the copy", k, n)
		}
		if k := far.get("n"); k != "" {
			t.Errorf("the other client's copy knows n: %q", k)
		}
		h.clock.advance(copyWindow)
		if k, n := far.get("k"), far.get("n"); k != "new" || n != "1" {
			t.Errorf("K1: k is %q and n %q in the store", k, n)
		}
		if err := h.m.Revoke(t.Context(), near.id()); err != nil {
			t.Fatal(err)
		}
		for name, write := range map[string]func(*core.Session){
			"set":      func(s *core.Session) { s.Set("k", "late") },
			"renew":    func(s *core.Session) { s.Renew() },
			"remember": func(s *core.Session) { s.Remember(true) },
			"timeouts": func(s *core.Session) { s.SetTimeouts(time.Hour, 0) },
			"flash":    func(s *core.Session) { s.Flash("info", "x") },
		} {
			c := near.fork()
			c.do(write)
			if h.store.Len() != 0 || len(sets(c.last)) != 0 || c.jar[copyCookie] != "" {
				t.Errorf("K2: %s from a copy: %d sessions stored, cookies %q", name, h.store.Len(), c.last.setCookie)
			}
		}
	}
}

// TestK1HybridConflict: after a conflict the copy is of what was stored at last.
func TestK1HybridConflict(t *testing.T) {
	h := hybrids(t)
	a := h.ann()
	b := a.fork()
	a.method, b.method = "POST", "POST"
	ra, rb := a.begin(), b.begin()
	ra.s.Set("a", "1")
	rb.s.Set("b", "1")
	if err := errors.Join(ra.end(200), rb.end(200)); err != nil || h.events.count(core.EventConflict) != 1 {
		t.Fatalf("%v, or no conflict", err)
	}
	h.asked.take()
	b.method = "GET"
	if b.get("a") != "1" || b.get("b") != "1" || h.asked.take() != 0 {
		t.Error("K1: the copy lacks what the other request has stored")
	}
}

// TestL4HybridCopiesAreFromWhenTheStoreWasAsked, not from when the response began: else a
// slow page would hand out what is older than the window. Of a touch it is the same.
func TestL4HybridCopiesAreFromWhenTheStoreWasAsked(t *testing.T) {
	h := hybrids(t)
	c := h.ann()
	h.clock.advance(copyWindow)
	slow, other := c.fork(), c.fork()
	r := slow.begin()
	r.s.UserID()
	h.clock.advance(copyWindow / 2)
	other.method = "POST"
	other.do(func(s *core.Session) { s.Set("k", "new") })
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(copyWindow / 2)
	if slow.get("k") != "new" {
		t.Error("L4: what a slow page has handed out is read after the window")
	}
}

// TestT2HybridTouches: a GET from a copy that is due for a touch first fetches the session, so
// that no copy is from a copy, and is then served from the new copy.
func TestT2HybridTouches(t *testing.T) {
	h := hybrids(t, func(c *core.Config) { c.TouchAfter = 40 * time.Second })
	c := h.ann()
	far := c.fork()
	far.method = "POST"
	far.do(func(s *core.Session) { s.Set("k", "new") })
	h.clock.advance(45 * time.Second)
	h.asked.take()
	if k := c.get("k"); k != "old" || h.asked.loads != 1 || h.asked.writes != 1 || fmt.Sprint(sets(c.last)) != "["+copyCookie+"]" {
		t.Fatalf("T2: k is %q, %d loads, %d writes, cookies %q", k, h.asked.loads, h.asked.writes, c.last.setCookie)
	}
	h.asked.take()
	if k := c.get("k"); k != "new" || h.asked.take() != 0 {
		t.Errorf("T2: after the touch, k is %q in the copy", k)
	}
	h.clock.advance(30*time.Minute - time.Second)
	if c.user() != "ann" {
		t.Error("T2: the touch has not moved the expiry")
	}
	// Touched elsewhere: nothing is written, and the copy follows.
	far = c.fork()
	h.clock.advance(45 * time.Second)
	far.user()
	h.asked.take()
	if c.user(); h.asked.loads != 1 || h.asked.writes != 0 {
		t.Errorf("T2: touched elsewhere: %d loads, %d writes", h.asked.loads, h.asked.writes)
	}
	if h.asked.take(); c.user() != "ann" || h.asked.take() != 0 {
		t.Error("T2: each request looks for the touch again")
	}
	// Gone: the page is served, and the copy goes.
	id := c.id()
	h.clock.advance(45 * time.Second)
	if err := h.m.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if c.user(); c.jar[copyCookie] != "" {
		t.Error("K2: the touch found no session, and the client keeps the copy")
	}
}

// TestL3HybridServesReadsWithoutTheStore, within the window, even when calls fail fast.
func TestL3HybridServesReadsWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hybrids(t)
		memory := memstore.New(memstore.Config{SweepInterval: -1, Now: h.clock.now})
		store := &networked{Store: memory}
		h.m = h.manager(core.Hybrid(h.sealer(h.keys), store, copyWindow))
		c := h.ann()
		store.down(refused)
		post := &exchange{ctx: t.Context(), method: "POST", cookies: c.exchange().cookies, response: map[string]string{}}
		for range 20 {
			if _, err := h.m.Load(post); !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("L3: a POST: %v", err)
			}
			time.Sleep(time.Second)
			if c.user() != "ann" {
				t.Fatal("L3: a GET needs the store within the window")
			}
		}
		if h.events.count(core.EventAway) != 1 {
			t.Error("the calls do not fail fast, so half of this tests nothing")
		}
		r := c.begin()
		r.s.Set("k", "v")
		if err := r.end(200); !errors.Is(err, core.ErrUnavailable) || c.jar[copyCookie] == "" {
			t.Errorf("L3: a GET that writes: %v", err)
		}
		h.clock.advance(copyWindow)
		if _, err := h.m.Load(c.exchange()); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("L3: a GET after the window: %v", err)
		}
		store.up()
		time.Sleep(time.Second)
		if c.user() != "ann" {
			t.Error("L3: the outage has ended the session")
		}
	})
}

// TestL1HybridUnknownTokens cost one call, whatever copy comes with them.
func TestL1HybridUnknownTokens(t *testing.T) {
	h := hybrids(t)
	c := h.ann()
	unknown := c.fork()
	unknown.jar[sessionCookie] = strings.Repeat("B", 64)
	if unknown.user() != "" || h.asked.take() != 1 || unknown.jar[sessionCookie] == "" {
		t.Error("L1: an unknown token with another's copy")
	}
	if err := h.m.Revoke(t.Context(), c.id()); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(copyWindow)
	if h.asked.take(); c.user() != "" || h.asked.take() != 1 {
		t.Error("L1: a session that is gone is looked for twice")
	}
}

// TestC7HybridCaching: a copy alone keeps no page out of a cache where it may be.
func TestC7HybridCaching(t *testing.T) {
	for control, want := range map[string]string{
		"":                        "private",
		"no-cache":                "no-cache, private",
		"private, max-age=60":     "private, max-age=60",
		"no-store":                "no-store",
		"public, max-age=60":      "public, max-age=60",
		"Max-Age=60":              "Max-Age=60",
		"s-maxage=60, max-age=10": "s-maxage=60, max-age=10",
	} {
		h := hybrids(t)
		c := h.ann()
		page := func(method string, status int, use func(*core.Session)) *exchange {
			t.Helper()
			h.clock.advance(copyWindow)
			c.method = method
			r := c.begin()
			use(r.s)
			if r.x.response["Cache-Control"] = control; control == "" {
				delete(r.x.response, "Cache-Control")
			}
			if err := r.end(status); err != nil {
				t.Fatal(err)
			}
			return r.x
		}
		x := page("GET", 200, func(s *core.Session) { s.UserID() })
		copies := 1
		if want == control && !strings.Contains(want, "private") && want != "no-store" {
			copies = 0
		}
		if x.response["Cache-Control"] != want || len(x.setCookie) != copies {
			t.Errorf("C7: %q becomes %q, cookies %q", control, x.response["Cache-Control"], x.setCookie)
		}
		if x := page("GET", 200, func(*core.Session) {}); x.response["Cache-Control"] != control || x.response["Vary"] != "" || len(x.setCookie) != 0 {
			t.Errorf("C1 C2: a page without the session: %v, cookies %q", x.response, x.setCookie)
		}
		if x := page("POST", 303, func(s *core.Session) { s.Set("k", "new") }); x.response["Cache-Control"] != "no-store" || fmt.Sprint(sets(x)) != "["+copyCookie+"]" {
			t.Errorf("C7: a write with %q: %q, cookies %q: the old copy would be read", control, x.response["Cache-Control"], x.setCookie)
		}
	}
}

// TestC2HybridPostsThatOnlyRead hand out a copy only if the client has none.
func TestC2HybridPostsThatOnlyRead(t *testing.T) {
	h := hybrids(t)
	c := h.ann()
	c.method = "POST"
	if c.user(); len(c.last.setCookie) != 0 {
		t.Errorf("C2: %q, though the client has a copy", c.last.setCookie)
	}
	delete(c.jar, copyCookie)
	if c.user(); fmt.Sprint(sets(c.last)) != "["+copyCookie+"]" {
		t.Errorf("the client has no copy, and the answer sets %q", c.last.setCookie)
	}
}

// TestF1HybridFlashes: a flash is shown once; showing it is a write, and a template may read
// it after the header would have gone.
func TestF1HybridFlashes(t *testing.T) {
	h := hybrids(t)
	c := h.ann()
	c.method = "POST"
	c.status(303, func(s *core.Session) { s.Flash("info", "x") })
	c.method = "GET"
	h.asked.take()
	for i, want := range []int{1, 0, 0} {
		c.do(func(s *core.Session) {
			if hold := s.HoldBody(200); (hold > 0) != (want > 0) {
				t.Errorf("C6: page %d: %d bytes are held back", i, hold)
			}
			if got := len(s.Flashes()); got != want {
				t.Errorf("F1: page %d shows %d flashes, want %d", i, got, want)
			}
		})
	}
	if h.asked.loads != 1 || h.asked.writes != 1 {
		t.Errorf("three pages: %d loads, %d writes", h.asked.loads, h.asked.writes)
	}
	h.clock.advance(copyWindow)
	c.do(func(s *core.Session) {
		if len(s.Flashes()) != 0 {
			t.Error("F1: the store still has the flash")
		}
	})
}

// TestE2HybridLargeSessions have no copy, and an older one does not stay.
func TestE2HybridLargeSessions(t *testing.T) {
	h := hybrids(t)
	c := h.ann()
	for size, fits := range map[int]bool{1900: true, 2100: false, 20000: false} {
		c.jar = maps.Clone(c.jar)
		c.do(func(s *core.Session) { s.Set("big", strings.Repeat("x", size)); s.Set("k", fmt.Sprint(size)) })
		if has := c.jar[copyCookie] != ""; has != fits || has && len(c.jar[copyCookie]) > 2800 {
			t.Errorf("E2: %d bytes: a copy of %d characters", size, len(c.jar[copyCookie]))
		}
		for range 2 {
			h.asked.take()
			if k := c.get("k"); k != fmt.Sprint(size) || h.asked.loads == 1 == fits || len(c.last.setCookie) != 0 {
				t.Errorf("E2: %d bytes: k is %q, %d loads, cookies %q", size, k, h.asked.loads, c.last.setCookie)
			}
		}
		c.do(func(s *core.Session) { s.Delete("big") })
	}
	if n := h.events.count(core.EventLargeCookie); n != 1 {
		t.Errorf("%d events tell that copies are too large, want 1", n)
	}
}

// TestHybridIsRefused checks what New says of what cannot work.
func TestHybridIsRefused(t *testing.T) {
	h := hybrids(t)
	sealer := h.sealer(h.keys)
	for name, c := range map[string]struct {
		backend core.Backend
		config  core.Config
		says    string
	}{
		"no sealer":       {core.Hybrid(nil, h.store, time.Minute), core.Config{}, "sealed.Cookie"},
		"no keys":         {core.Hybrid(sealed.Cookie(nil), h.store, time.Minute), core.Config{}, "no keys"},
		"no store":        {core.Hybrid(sealer, nil, time.Minute), core.Config{}, "memstore.New"},
		"no window":       {core.Hybrid(sealer, h.store, 0), core.Config{}, "ServerSide"},
		"negative window": {core.Hybrid(sealer, h.store, -time.Second), core.Config{}, "between 1s and 15m"},
		"short window":    {core.Hybrid(sealer, h.store, time.Second-1), core.Config{}, "between 1s and 15m"},
		"long window":     {core.Hybrid(sealer, h.store, 15*time.Minute+1), core.Config{}, "between 1s and 15m"},
		"idle timeout":    {core.Hybrid(sealer, h.store, time.Minute), core.Config{IdleTimeout: 59 * time.Second}, "IdleTimeout"},
		"bearer":          {core.Hybrid(sealer, h.store, time.Minute), core.Config{Carrier: core.Bearer}, "ServerSide"},
		"header":          {core.Hybrid(sealer, h.store, time.Minute), core.Config{Carrier: core.Header("X-Session")}, "ServerSide"},
	} {
		if _, err := core.New(c.backend, c.config); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q in it", name, err, c.says)
		}
	}
	for _, window := range []time.Duration{time.Second, 15 * time.Minute} {
		if m, err := core.New(core.Hybrid(sealer, h.store, window), core.Config{}); err != nil || m.Traits() != (core.Traits{Local: true, Window: window}) {
			t.Errorf("%v: %v", window, err)
		}
	}
}

// TestE3HybridAndServerSide: tokens and entries are the same, both ways.
func TestE3HybridAndServerSide(t *testing.T) {
	h := hybrids(t)
	c := newClient(t, h.manager(core.ServerSide(h.asked)))
	c.do(func(s *core.Session) { s.Login("ann") })
	token := c.jar[sessionCookie]
	plain := c.m
	for i := range 3 {
		for _, m := range []*core.Manager{h.m, plain} {
			c.m = m
			c.method = "POST"
			c.do(func(s *core.Session) { s.Set("k", fmt.Sprint(i)) })
			c.method = "GET"
			if c.user() != "ann" || c.get("k") != fmt.Sprint(i) || c.jar[sessionCookie] != token {
				t.Fatal("E3: the session is lost on the way")
			}
			if m == plain && len(c.last.setCookie) != 0 {
				t.Errorf("ServerSide sets %q", c.last.setCookie)
			}
			h.clock.advance(copyWindow) // ServerSide has not replaced the copy
		}
	}
	c.do(func(s *core.Session) { s.Logout() })
	if c.jar[sessionCookie] != "" {
		t.Error("ServerSide cannot log out what Hybrid began")
	}
}

// TestSEC44HybridKeys: old keys open, new copies are sealed with the first, and without any
// of them the store answers.
func TestSEC44HybridKeys(t *testing.T) {
	h := hybrids(t)
	c := h.ann()
	next := sealed.GenerateKey()
	c.m = h.manager(core.Hybrid(h.sealer(next+","+h.keys), h.asked, copyWindow))
	if c.user() != "ann" || h.asked.take() != 0 {
		t.Error("SEC44: an old key does not open a copy")
	}
	h.clock.advance(copyWindow)
	c.user()
	h.asked.take()
	c.m = h.manager(core.Hybrid(h.sealer(next), h.asked, copyWindow))
	if c.user() != "ann" || h.asked.take() != 0 {
		t.Error("SEC44: a new copy is sealed with an old key")
	}
	c.m = h.manager(core.Hybrid(h.sealer(sealed.GenerateKey()), h.asked, copyWindow))
	if c.user() != "ann" || h.asked.take() != 1 || fmt.Sprint(sets(c.last)) != "["+copyCookie+"]" {
		t.Error("SEC44: without its key a copy is not just absent")
	}
}

// TestK1HybridInAMigration is ServerSide: a copy would not know that its session has moved.
func TestK1HybridInAMigration(t *testing.T) {
	h := hybrids(t)
	for name, m := range map[string]*core.Manager{
		"from": h.manager(core.Migrating(h.back, core.ServerSide(newMemory(t)))),
		"to":   h.manager(core.Migrating(core.ServerSide(newMemory(t)), h.back)),
	} {
		c, other := h.ann(), newClient(t, m)
		if m.Traits().Window != 0 {
			t.Errorf("%s: a migration says that it has a window", name)
		}
		other.jar = c.jar
		h.asked.take()
		if user := other.user(); user != "ann" || h.asked.take() == 0 {
			t.Errorf("%s: user %q, or a copy was read", name, user)
		}
	}
	for _, to := range []core.Backend{core.ServerSide(h.asked), core.Hybrid(h.sealer(h.keys), h.asked, time.Minute)} {
		if _, err := core.New(core.Migrating(h.back, to), core.Config{}); err == nil || !strings.Contains(err.Error(), "same store") {
			t.Errorf("a migration between two backends on one store: %v", err)
		}
	}
}

// TestC6HybridWriteCookie: the copy is among what is written early, and later commits say
// nothing of it.
func TestC6HybridWriteCookie(t *testing.T) {
	h := hybrids(t, func(c *core.Config) { c.Strict = true })
	c := newClient(t, h.m)
	r := c.begin()
	r.s.Login("ann")
	if err := r.s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lines := h.m.WriteCookie(r.s); len(lines) != 2 {
		t.Fatalf("WriteCookie: %q", lines)
	}
	if err := r.end(core.StatusHijacked); err != nil || h.events.count(core.EventTooLate)+h.events.count(core.EventCookieClash) != 0 {
		t.Errorf("%v, or an event", err)
	}
	if h.asked.take(); c.user() != "ann" || h.asked.take() != 0 {
		t.Error("the client has no copy")
	}
	r = c.begin() // what is written once is replaced, not doubled
	r.s.Set("k", "1")
	_ = r.s.Commit(t.Context())
	h.m.WriteCookie(r.s)
	r.s.Set("k", "2")
	if err := r.end(200); err != nil || len(r.x.setCookie) != 1 || c.get("k") != "2" {
		t.Errorf("%v; cookies %q", err, r.x.setCookie)
	}
}

// TestC4HybridFailedCommit: a commit that fails hands out a copy of what an earlier one has
// stored, and otherwise leaves the client's alone.
func TestC4HybridFailedCommit(t *testing.T) {
	for _, early := range []bool{true, false} {
		h := hybrids(t)
		c := h.ann()
		c.method = "POST"
		r := c.begin()
		if early {
			r.s.Set("k", "new")
			if err := r.s.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		r.s.Set("bad", func() {})
		if err := r.end(200); err == nil {
			t.Fatal("the commit did not fail")
		}
		if n := len(sets(r.x)); n > 0 != early {
			t.Errorf("C4: an earlier commit: %t; the error's answer sets %q", early, r.x.setCookie)
		}
		c.method = "GET"
		h.asked.take()
		if want := map[bool]string{true: "new", false: "old"}[early]; c.get("k") != want || h.asked.take() != 0 {
			t.Errorf("C4: k is not %q in the copy", want)
		}
	}
}

// TestK2HybridFailedLoginLeavesNoCopy: a login finds that its session was ended, and fails. The client
// does not go on reading the copy.
func TestK2HybridFailedLoginLeavesNoCopy(t *testing.T) {
	h := hybrids(t)
	c := h.ann()
	r := c.begin()
	c.fork().do(func(s *core.Session) { s.Logout() })
	calls := 0
	h.asked.before = func() error {
		if calls++; calls == 1 {
			return nil // the session is gone
		}
		return core.ErrUnavailable
	}
	r.s.Login("ann")
	if err := r.s.Commit(t.Context()); !errors.Is(err, core.ErrUnavailable) {
		t.Fatalf("the login ended with %v", err)
	}
	h.asked.before = nil
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	if c.get("k") != "" {
		t.Error("K2: the client still has its copy")
	}
}

// TestC7HybridGivesWay: what code inside has set under our name stays, as with a touch.
func TestC7HybridGivesWay(t *testing.T) {
	h := hybrids(t)
	c := h.ann()
	h.clock.advance(copyWindow)
	r := c.begin()
	r.s.UserID()
	r.x.setCookie = []string{sessionCookie + "=inner"}
	if err := r.end(200); err != nil || fmt.Sprint(r.x.setCookie) != "["+sessionCookie+"=inner]" {
		t.Errorf("C7: %v, %q", err, r.x.setCookie)
	}
}

// TestHybridRefresh: what Refresh has fetched is in the next copy, if it is news.
func TestHybridRefresh(t *testing.T) {
	h := hybrids(t)
	near := h.ann()
	far := near.fork()
	near.do(func(s *core.Session) { _ = s.Refresh(t.Context()); s.UserID() })
	if len(near.last.setCookie) != 0 {
		t.Errorf("C2: Refresh found nothing new, and the answer sets %q", near.last.setCookie)
	}
	h.clock.advance(time.Second)
	far.do(func(s *core.Session) { s.Set("k", "new") })
	near.do(func(s *core.Session) { _ = s.Refresh(t.Context()); s.UserID() })
	if h.asked.take(); near.get("k") != "new" || h.asked.take() != 0 {
		t.Error("the copy is older than what Refresh has found")
	}
}

// TestL4HybridOnAStoreWithAWindow: the ages of two copies do not add up.
func TestL4HybridOnAStoreWithAWindow(t *testing.T) {
	h := hybrids(t)
	c := newClient(t, h.manager(core.Hybrid(h.sealer(h.keys), &copies{Store: h.store, window: time.Hour, kept: map[core.ID]core.Entry{}}, copyWindow)))
	c.do(func(s *core.Session) { s.Login("ann"); s.Set("k", "old") })
	h.clock.advance(copyWindow)
	far := c.fork()
	if c.get("k") != "old" {
		t.Fatal("no session")
	}
	far.m = h.m
	far.do(func(s *core.Session) { s.Set("k", "new") })
	h.clock.advance(copyWindow)
	if got := c.get("k"); got != "new" || c.m.Traits().Window != copyWindow {
		t.Errorf("L4: after the window, k is %q", got)
	}
}

// TestHybridFreshReads: with FreshReads, there are no copies.
func TestHybridFreshReads(t *testing.T) {
	h := hybrids(t)
	c := h.ann()
	c.m = h.sharing(func(c *core.Config) { c.FreshReads = true })
	for range 2 {
		if c.user() != "ann" || h.asked.take() != 1 || len(c.last.setCookie) != 0 {
			t.Errorf("FreshReads reads a copy, or sets %q", c.last.setCookie)
		}
	}
	c.do(func(s *core.Session) { s.Logout() })
	if len(c.jar) != 0 {
		t.Errorf("a logout leaves %v", c.jar)
	}
}
