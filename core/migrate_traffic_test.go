package core_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// surfer is a client whose requests overlap.
type surfer struct {
	*testing.T
	mu  sync.Mutex
	jar map[string]string

	flashed map[string]int // text of each flash that was shown: how often
}

func newSurfer(c *client) *surfer {
	return &surfer{T: c.t, jar: c.jar, flashed: map[string]int{}}
}

// request runs a whole request on m.
func (b *surfer) request(m *core.Manager, handler func(*core.Session)) {
	c := newClient(b.T, m)
	b.mu.Lock()
	maps.Copy(c.jar, b.jar)
	b.mu.Unlock()
	x := c.exchange()
	s, err := m.Load(x)
	if err != nil {
		b.Errorf("load: %v", err)
		return
	}
	handler(s)
	if err := m.Commit(x, s, 200); err != nil {
		b.Errorf("commit: %v", err)
	}
	m.Finish(s)
	b.mu.Lock()
	defer b.mu.Unlock()
	c.jar = b.jar
	c.take(x)
}

// traffic is what many browsers do at the same time.
type traffic struct {
	browsers, lanes, requests int
	manager                   func(n int) *core.Manager // for the nth request of all
}

// run has each lane of each surfer set markers, count and add flashes, and one
// lane read the flashes. It returns how many requests each surfer has made.
func (tr traffic) run(browsers []*surfer, round string) {
	var all sync.WaitGroup
	var n atomic.Int64
	for _, b := range browsers {
		for lane := range tr.lanes {
			all.Go(func() {
				for i := range tr.requests {
					b.request(tr.manager(int(n.Add(1))), func(s *core.Session) {
						if s.UserID() != "ann" {
							b.Errorf("round %s, lane %d, request %d: logged out", round, lane, i)
						}
						mark := fmt.Sprintf("%s-%d-%d", round, lane, i)
						s.Set(mark, mark)
						s.Flash("info", mark)
						if lane == 0 {
							for _, f := range s.Flashes() {
								b.flashed[f.Text]++
							}
						}
					})
					b.request(tr.manager(int(n.Add(1))), func(s *core.Session) {
						hits.Update(s, func(n int) int { return n + 1 })
					})
				}
			})
		}
	}
	all.Wait()
}

var hits = core.NewKey[int]("hits")

// check looks for everything that run wrote in the given rounds.
func (tr traffic) check(browsers []*surfer, m *core.Manager, rounds ...string) {
	for _, b := range browsers {
		b.request(m, func(s *core.Session) {
			for _, f := range s.Flashes() {
				b.flashed[f.Text]++
			}
		})
		b.request(m, func(s *core.Session) {
			if f := s.Flashes(); len(f) > 0 {
				b.Errorf("flashes were shown and are still there: %v", f)
			}
			for _, round := range rounds {
				for lane := range tr.lanes {
					for i := range tr.requests {
						mark := fmt.Sprintf("%s-%d-%d", round, lane, i)
						if got, _ := core.Get[string](s, mark); got != mark {
							b.Errorf("K1: %s was lost", mark)
						}
						if b.flashed[mark] != 1 {
							b.Errorf("the flash of %s was shown %d times", mark, b.flashed[mark])
						}
					}
				}
			}
			if n, want := hitsOf(s), len(rounds)*tr.lanes*tr.requests; n != want {
				b.Errorf("K1: %d hits were counted, want %d", n, want)
			}
		})
	}
}

func roomy(c *core.Config) {
	c.CommitTimeout, c.MaxFlashes, c.MaxBytes = time.Minute, 1000, 1<<20
}

// logins returns browsers that are logged in on m.
func logins(t *testing.T, m *core.Manager, n int) []*surfer {
	browsers := make([]*surfer, n)
	for i := range browsers {
		c := newClient(t, m)
		c.do(func(s *core.Session) { s.Login("ann") })
		browsers[i] = newSurfer(c)
	}
	return browsers
}

// TestK1MigratingUnderTraffic moves sessions while their clients send
// overlapping requests.
func TestK1MigratingUnderTraffic(t *testing.T) {
	for _, pair := range []string{"memory to memory", "cookie to memory", "foreign to memory"} {
		t.Run(pair, func(t *testing.T) {
			v := newMove(t, pair, roomy)
			browsers := logins(t, v.before, 20)
			tr := traffic{lanes: 4, requests: 8, manager: func(int) *core.Manager { return v.during }}
			tr.run(browsers, "a")
			tr.check(browsers, v.after, "a")
			if s := v.stats.Stats(); s.Moved != 20 || s.Failed != 0 {
				t.Errorf("stats %+v, want 20 moves", s)
			}
		})
	}
}

// TestK1MigratingBothWays is a deployment, its rollback in the middle of the
// traffic, and another deployment: processes of both directions run side by side.
func TestK1MigratingBothWays(t *testing.T) {
	v := newMove(t, "memory to memory", roomy)
	browsers := logins(t, v.before, 12)
	var share atomic.Int64 // of 100 requests, those that go to the new direction
	tr := traffic{lanes: 4, requests: 8, manager: func(int) *core.Manager {
		if rand.Int64N(100) < share.Load() {
			return v.during
		}
		return v.back
	}}
	for i, percent := range []int64{0, 50, 100, 50, 0, 30, 100} {
		share.Store(percent)
		tr.run(browsers, string(rune('a'+i)))
	}
	tr.check(browsers, v.after, "a", "b", "c", "d", "e", "f", "g")
	t.Logf("%+v", v.stats.Stats())
}

func hitsOf(s *core.Session) int {
	n, _ := hits.Get(s)
	return n
}
