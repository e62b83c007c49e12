package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// swift is the pace of tests.
var swift = pace{write: time.Millisecond, retry: time.Millisecond, slack: 64 << 10}

// openSim opens a store on a simulated disk.
func openSim(t testing.TB, d files) *Store {
	t.Helper()
	s, err := openFiles(d, "/sim", Config{Logger: quiet, SweepInterval: -1}, swift)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the disk may be gone
	return s
}

// state is what a client knows of one session. Data is "" if it is gone.
type state struct {
	Data    string
	User    string
	Version core.Version
	Listed  bool // Confirm has returned nil
}

// client works on sessions of its own, one call at a time, until a call fails. So it
// knows what the store holds, but for the call in flight.
type client struct {
	name     string
	store    *Store
	ids      []core.ID
	known    map[core.ID]state
	inFlight core.ID
	maybe    state // of inFlight, if the last call was stored
	calls    int
	err      error
	tell     func(report) // nil, or told before and after each call
}

// report is what a client in another process tells.
type report struct {
	Client int
	ID     int // its place in the client's IDs
	Maybe  state
	Done   bool // the call has returned
}

func newClient(n int) *client {
	c := &client{name: fmt.Sprintf("client %d", n), known: map[core.ID]state{}}
	for i := range 8 {
		c.ids = append(c.ids, core.ID{1, byte(n), byte(i), 15: byte(n*8 + i)})
	}
	return c
}

// run makes calls until one fails.
func (c *client) run(r *rand.Rand) {
	c.err = nil
	for c.err == nil {
		c.inFlight = c.ids[r.IntN(len(c.ids))]
		before := c.known[c.inFlight]
		c.maybe = before
		c.step(r, c.inFlight, before)
		if c.err == nil {
			c.known[c.inFlight] = c.maybe
			c.calls++
			c.report(true)
		}
	}
}

func (c *client) report(done bool) {
	if c.tell != nil {
		c.tell(report{Client: int(c.inFlight[1]), ID: int(c.inFlight[2]), Maybe: c.maybe, Done: done})
	}
}

func (c *client) step(r *rand.Rand, id core.ID, now state) {
	ctx := context.Background()
	if now.Data != "" && r.IntN(4) == 0 {
		c.maybe = state{}
		c.report(false)
		c.err = c.store.Delete(ctx, id)
		return
	}
	if now.Data != "" && !now.Listed && now.User != "" {
		c.maybe.Listed = true
		c.report(false)
		c.err = c.store.Confirm(ctx, now.User, id, time.Time{})
		if errors.Is(c.err, core.ErrNotFound) { // the reservation ended with a process: undo the login
			c.maybe = state{}
			c.report(false)
			c.err = c.store.Delete(ctx, id)
		}
		return
	}
	next := state{Data: fmt.Sprintf("%s %d %0*d", c.name, c.calls, r.IntN(1500), 0), User: now.User, Listed: now.Listed}
	if now.Data == "" && r.IntN(2) == 0 {
		next.User = c.name
		if _, c.err = c.store.Reserve(ctx, next.User, id, 0, core.EndOldest); c.err != nil {
			return
		}
	}
	c.maybe = next
	c.report(false)
	c.maybe.Version, c.err = c.store.Save(ctx, id, core.Entry{Data: []byte(next.Data), User: next.User, Expires: time.Now().Add(time.Hour)}, now.Version)
	if now.Version != 0 && r.IntN(4) == 0 && c.err == nil {
		c.err = c.store.Touch(ctx, id, c.maybe.Version, time.Now().Add(2*time.Hour))
	}
}

// check compares s, opened after a crash, with what was known. It takes over what the
// call in flight has stored.
func (c *client) check(t *testing.T, s *Store) {
	t.Helper()
	for _, id := range c.ids {
		e, err := s.Load(t.Context(), id)
		if err != nil && !errors.Is(err, core.ErrNotFound) {
			t.Fatalf("Load: %v", err)
		}
		want := c.known[id]
		if id == c.inFlight && string(e.Data) == c.maybe.Data && e.User == c.maybe.User {
			want = c.maybe
			want.Version = e.Version // Save did not tell it
		}
		if string(e.Data) != want.Data || e.User != want.User || e.Version != want.Version {
			t.Fatalf("%s has %.20q of %q at %d after the crash; %.20q of %q at %d was acknowledged, %.20q in flight (this ID: %v)",
				c.name, e.Data, e.User, e.Version, want.Data, want.User, want.Version, c.maybe.Data, id == c.inFlight)
		}
		ids, err := s.List(t.Context(), c.name)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		listed := slices.Contains(ids, id)
		if id == c.inFlight && c.maybe.Listed != c.known[id].Listed {
			want.Listed = listed
		}
		if listed && want.Data == "" || !listed && want.Listed {
			t.Fatalf("%s: session is listed: %v, want %v", c.name, listed, want.Listed)
		}
		c.known[id] = want
	}
}

// TestK2PowerCut cuts the power while sessions are saved, ended and listed and while
// snapshots are made, and looks at what the next start finds; again and again on the
// same disk.
func TestK2PowerCut(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 60
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	var clients []*client
	for n := range 4 {
		clients = append(clients, newClient(n))
	}
	d, calls, kept := newSimDisk(), 0, 0
	for round := range rounds {
		s, err := openFiles(d, "/sim", Config{Logger: quiet, SweepInterval: -1}, swift)
		if err != nil {
			t.Fatalf("round %d: Open: %v", round, err)
		}
		var wg sync.WaitGroup
		for _, c := range clients {
			if round > 0 {
				c.check(t, s)
			}
			c.store = s
			seed := r.Uint64()
			wg.Go(func() { c.run(rand.New(rand.NewPCG(seed, 1))) })
		}
		for range r.IntN(4) {
			time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
			wake(s.grown)
		}
		time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
		d = d.powerCut(r)
		wg.Wait()
		_ = s.Close() // on a disk that is gone
		calls = 0
		for _, c := range clients {
			calls += c.calls
		}
		kept = max(kept, s.Len())
	}
	if calls < rounds || kept == 0 {
		t.Errorf("only %d calls in %d rounds, at most %d sessions", calls, rounds, kept)
	}
	t.Logf("%d calls, %d power cuts", calls, rounds)
}

// TestK2KillThenPowerCut: a process was killed after it had written that a session ended,
// and before that was synced. Once the next one has said that the session is gone, a
// power cut does not bring it back.
func TestK2KillThenPowerCut(t *testing.T) {
	id := core.ID{15: 1}
	first := newSimDisk()
	s := openSim(t, first)
	if _, err := s.Save(t.Context(), id, core.Entry{Data: []byte("x"), Expires: time.Now().Add(time.Hour)}, 0); err != nil {
		t.Fatal(err)
	}
	before := len(first.content(logName(1)))
	if err := s.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	log := first.content(logName(1))
	for seed := range uint64(20) {
		d := newSimDisk()
		d.put(logName(1), log[:before])
		f, err := d.Append(logName(1))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write(log[before:]) // never fails
		s := openSim(t, d)
		if err := s.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		s = openSim(t, d.powerCut(rand.New(rand.NewPCG(seed, 1))))
		if _, err := s.Load(t.Context(), id); !errors.Is(err, core.ErrNotFound) {
			t.Fatalf("seed %d: the session is back: %v", seed, err)
		}
	}
}

// TestK2PowerCutWhileOpening cuts the power at each operation of a start that has
// something to clean up.
func TestK2PowerCutWhileOpening(t *testing.T) {
	whole, _ := grown(t, 4)
	log := whole.content(logName(1))
	s := openSim(t, whole)
	snap(t, s)
	shut(t, s)
	for opened, at := false, 0; !opened; at++ {
		d := newSimDisk()
		if at%2 == 0 { // in the middle of a snapshot
			d.put(snapName(2)+tempSuffix, []byte("half"))
			d.put(logName(2), whole.content(logName(2))[:headerSize])
		} else { // and after it
			d.put(snapName(2), whole.content(snapName(2)))
			d.put(logName(2), whole.content(logName(2))[:headerSize+7])
		}
		d.put(logName(1), log[:len(log)-1])
		ops := 0
		d.failing(func(string, string) error {
			if ops++; ops > at/2 {
				return errCut
			}
			return nil
		})
		if s, err := openFiles(d, "/sim", Config{Logger: quiet, SweepInterval: -1}, swift); err == nil {
			opened = at%2 == 1
			defer s.Close() //nolint:errcheck // its disk is gone
		}
		want := 3 + at%2
		s := openSim(t, d.powerCut(rand.New(rand.NewPCG(uint64(at), 7))))
		if found := there(t, s, 4); len(found) != want {
			t.Fatalf("after operation %d: sessions %v, want the first %d", at/2, found, want)
		}
	}
}

// TestC3DiskFailures does the same with a disk that fails now and then: what it has not
// stored was not acknowledged, and when it works again, so does the store.
func TestC3DiskFailures(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	clients := []*client{newClient(0), newClient(1)}
	d, failures := newSimDisk(), 0
	broken := func(op, _ string) error {
		if op != "write" && op != "sync" {
			return nil
		}
		failures++
		return fmt.Errorf("%s: input/output error", op)
	}
	for round := range rounds {
		s := openSim(t, d)
		for part := range 3 {
			var wg sync.WaitGroup
			for _, c := range clients {
				if round > 0 && part == 0 {
					c.check(t, s)
				}
				c.store = s
				seed := r.Uint64()
				wg.Go(func() { c.run(rand.New(rand.NewPCG(seed, 1))) })
			}
			time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
			if part == 2 { // after it has recovered twice
				if r.IntN(2) == 0 {
					d.failing(broken)
					time.Sleep(time.Duration(r.IntN(3000)) * time.Microsecond)
				}
				d = d.powerCut(r)
				wg.Wait()
				break
			}
			d.failing(broken)
			wg.Wait()
			d.failing(nil)
			eventually(t, "the store works again", func() bool { return s.log.check() == nil })
			for _, c := range clients {
				c.settle(t)
			}
		}
	}
	if failures == 0 {
		t.Error("nothing failed")
	}
}

// settle learns what became of the call that failed. The store has gone on, and has
// stored it all, so it can be asked.
func (c *client) settle(t *testing.T) {
	t.Helper()
	e, err := c.store.Load(t.Context(), c.inFlight)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		t.Fatalf("Load: %v", err)
	}
	before := c.known[c.inFlight]
	switch string(e.Data) {
	case c.maybe.Data:
		c.maybe.Version = e.Version
		c.maybe.Listed = before.Listed && c.maybe.Data != ""
		c.known[c.inFlight] = c.maybe
	case before.Data:
	default:
		t.Fatalf("%s: %.20q is neither %.20q nor %.20q", c.name, e.Data, before.Data, c.maybe.Data)
	}
}

// eventually waits until f is true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 seconds: %s", what)
		}
	}
}
