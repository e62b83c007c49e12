package core_test

import (
	"context"
	"errors"
	"flag"
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

var (
	hybridOps  = flag.Int("hybrid.ops", 20_000, "how many operations TestK1K2L4HybridModel checks")
	hybridSeed = flag.Uint64("hybrid.seed", 1, "its seed")
)

// hybridModel runs overlapping requests of a few clients on two instances of a Hybrid, whose
// clocks differ, and checks each against what the store has seen. The session's value n counts
// the requests that have added one.
type hybridModel struct {
	*testing.T
	core.Store
	random    *rand.Rand
	clock     *clock
	instances [2]*core.Manager
	jars      []map[string]string
	pending   []*hybridRequest
	nested    int
	commits   *hybridRequest // the one that is committing
	sessions  map[core.ID]*hybridSession
	replaced  map[string]time.Time // when a token was
	done      int
	seen      map[string]int // what was provoked
}

// hybridSession is what the store has seen of a session.
type hybridSession struct {
	versions []hybridVersion
	ended    time.Time
	begun    *hybridRequest // that has created it, perhaps with what an ended session had
	added    int            // by requests that were told so, and what it began with
}

type hybridVersion struct {
	n     int
	since time.Time
}

func (s *hybridSession) n() int { return s.versions[len(s.versions)-1].n }

// hybridRequest is a request under way.
type hybridRequest struct {
	*request
	token string
	act   string
}

func (m *hybridModel) Unwrap() core.Store { return m.Store }

// interrupted lets other requests commit in the middle of a call.
func (m *hybridModel) interrupted() {
	if m.nested < 2 && len(m.pending) > 0 && m.random.IntN(4) == 0 {
		m.nested++
		m.finish()
		m.nested--
	}
}

func (m *hybridModel) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	m.interrupted()
	return m.Store.Load(ctx, id)
}

func (m *hybridModel) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	m.interrupted()
	version, err := m.Store.Save(ctx, id, e, base)
	if err != nil {
		return version, err
	}
	r, parseErr := core.ParseEntry(id, e)
	if parseErr != nil {
		m.Fatal(parseErr)
	}
	n := 0
	for key, raw := range r.Values() {
		if key == "n" {
			n, _ = strconv.Atoi(string(raw))
		}
	}
	s := m.sessions[id]
	switch {
	case s == nil && base == 0:
		s = &hybridSession{begun: m.commits, added: n}
		m.sessions[id] = s
	case s == nil || base == 0:
		m.Fatalf("K2: session %s was created twice", id)
	case !s.ended.IsZero():
		m.Fatalf("K2: session %s was written after its end", id)
	case n != s.n() && n != s.n()+1:
		m.Fatalf("K1: n goes from %d to %d", s.n(), n)
	}
	s.versions = append(s.versions, hybridVersion{n, m.clock.now()})
	return version, nil
}

func (m *hybridModel) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	m.interrupted()
	return m.Store.Touch(ctx, id, base, expires)
}

func (m *hybridModel) Delete(ctx context.Context, id core.ID) error {
	m.interrupted()
	err := m.Store.Delete(ctx, id)
	if s := m.sessions[id]; s != nil && err == nil && s.ended.IsZero() {
		s.ended = m.clock.now()
	}
	return err
}

// begin starts a request of any client on any instance, and checks what it reads.
func (m *hybridModel) begin() {
	c := newClient(m.T, m.instances[m.random.IntN(2)])
	c.jar = m.jars[m.random.IntN(len(m.jars))]
	if m.random.IntN(40) == 0 { // another browser with the same cookies
		m.jars[m.random.IntN(len(m.jars))] = maps.Clone(c.jar)
	}
	if other := m.jars[m.random.IntN(len(m.jars))][copyCookie]; other != "" && m.random.IntN(20) == 0 { // a copy that is not its own
		c.jar[copyCookie] = other
	}
	c.method = []string{"GET", "GET", "GET", "POST"}[m.random.IntN(4)]
	token, method, bound := c.jar[sessionCookie], c.method, time.Duration(0)
	if method == "GET" {
		bound = copyWindow + 5*time.Second
	}
	latest := map[core.ID]int{} // versions there were before the load
	for id, s := range m.sessions {
		latest[id] = len(s.versions)
	}
	ended, now := map[core.ID]time.Time{}, m.clock.now()
	for id, s := range m.sessions {
		ended[id] = s.ended
	}
	replaced, was := m.replaced[token]
	r := &hybridRequest{request: c.begin(), token: token}
	m.pending = append(m.pending, r)
	m.done++
	id := r.s.ID()
	if id.IsZero() {
		m.seen["no session"]++
		return
	}
	n, _ := core.Get[int](r.s, "n")
	old := func(at time.Time) bool { return now.Sub(at) >= bound }
	s := m.sessions[id]
	if n > s.n() {
		m.Fatalf("SEC11: a %s reads n=%d, which the session never was", method, n)
	}
	if e := ended[id]; !e.IsZero() {
		if m.seen["read after the end"]++; old(e) {
			m.Fatalf("K2: a %s reads a session %v after its end", method, now.Sub(e))
		}
	}
	if was {
		if m.seen["read with a replaced token"]++; old(replaced) {
			m.Fatalf("I1: a %s reads with a token %v after it was replaced", method, now.Sub(replaced))
		}
	}
	for i := latest[id] - 1; i > 0 && s.versions[i].n > n; i-- {
		if m.seen["old read"]++; old(s.versions[i].since) {
			m.Fatalf("L4: a %s reads n=%d, which was replaced %v ago", method, n, now.Sub(s.versions[i].since))
		}
	}
}

// finish lets one of the requests do something and commit.
func (m *hybridModel) finish() {
	i := m.random.IntN(len(m.pending))
	r := m.pending[i]
	m.pending = append(m.pending[:i], m.pending[i+1:]...)
	adds := false
	switch act := m.random.IntN(20); {
	case act < 8:
		r.s.UserID()
	case act < 15:
		adds = true
		core.Update(r.s, "n", func(n int) int { return n + 1 })
	case act < 16:
		r.s.Login([]string{"ann", "ben"}[m.random.IntN(2)])
	case act < 17:
		r.s.Renew()
	case act < 18:
		r.s.Logout()
	case act < 19:
		r.s.SetTimeouts(30*time.Minute, 0)
	}
	outer := m.commits
	m.commits = r
	err := r.end(200)
	m.commits = outer
	if err != nil && !errors.Is(err, core.ErrEnded) {
		m.Fatalf("commit: %v", err)
	} else if s := m.sessions[r.s.ID()]; err == nil && adds && s != nil && s.begun != r && !r.s.Ended() {
		s.added++
	}
	for _, name := range sets(r.x) {
		m.seen["sets "+name]++
		if name == sessionCookie && r.token != "" {
			m.replaced[r.token] = m.clock.now()
		}
	}
	m.done++
}

// step does one thing.
func (m *hybridModel) step() {
	switch n := m.random.IntN(40); {
	case n < 2:
		m.clock.advance(time.Duration(m.random.Int64N(int64(copyWindow) * 2 / 3)))
	case n == 2 && len(m.sessions) > 0:
		for id, s := range m.sessions {
			if s.ended.IsZero() && m.random.IntN(4) == 0 {
				if err := m.instances[0].Revoke(m.Context(), id); err != nil && !errors.Is(err, core.ErrNotFound) {
					m.Fatal(err)
				}
				m.seen["revoked"]++
				break
			}
		}
		m.done++
	case n < 18 && len(m.pending) < 6:
		m.begin()
	case len(m.pending) > 0:
		m.finish()
	}
}

// settle lets all requests finish, and checks that every session has what was added to it.
func (m *hybridModel) settle() {
	for len(m.pending) > 0 {
		m.finish()
	}
	for id, s := range m.sessions {
		if s.n() != s.added {
			m.Fatalf("K1: %d requests were told that they added one to %s, and n is %d", s.added, id, s.n())
		}
	}
	clear(m.sessions) // the next world
	clear(m.replaced)
	for _, jar := range m.jars {
		clear(jar)
	}
}

// TestK1K2L4HybridModel: no update is lost, nothing is written after an end, and no read is
// older than the window and the difference of the clocks.
func TestK1K2L4HybridModel(t *testing.T) {
	clock := newClock()
	m := &hybridModel{
		T: t, Store: newMemoryAt(t, clock), clock: clock, random: rand.New(rand.NewPCG(*hybridSeed, 1)),
		sessions: map[core.ID]*hybridSession{}, replaced: map[string]time.Time{}, seen: map[string]int{},
	}
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	for i, off := range []time.Duration{-2 * time.Second, 2 * time.Second} {
		c := core.Config{Now: func() time.Time { return clock.now().Add(off) }, TouchAfter: 20 * time.Second, Codec: core.JSON()}
		c.Observer = func(_ context.Context, e core.Event) {
			if m.seen[string(e.Kind)]++; e.Kind == core.EventLoaded && e.Detail != "" {
				m.seen["from a copy"]++
			}
		}
		if m.instances[i], err = core.New(core.Hybrid(sealed.Cookie(keys), m, copyWindow), c); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		m.jars = append(m.jars, map[string]string{})
	}
	for m.done < *hybridOps {
		for range 400 {
			m.step()
		}
		m.settle()
	}
	t.Logf("%d operations: %v", m.done, m.seen)
	for _, what := range []string{"from a copy", "old read", "read after the end", "read with a replaced token", "revoked", "conflict", "touched", "dropped", "logout", "renewed"} {
		if m.seen[what] < *hybridOps/5000 {
			t.Errorf("%q was seen %d times: too seldom to show anything", what, m.seen[what])
		}
	}
}
