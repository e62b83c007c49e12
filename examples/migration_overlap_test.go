package examples_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// losses are what visitors miss in the end.
type losses struct {
	visitors, out int            // how many there are, and are logged out
	marks, lost   map[string]int // for each step, of those that are not
	flashes       int            // that were not shown once
}

// TestMigratingOverlapWithRedisCompatible shows what requests of one browser lose if they overlap
// while its session moves to RedisCompatible, or while both directions run. Requests one after the
// other lose nothing, see TestMigrationsUnderTraffic.
func TestMigratingOverlapWithRedisCompatible(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	forward := func(d deployed) ([]step, fleet) { steps, _ := d.steps(); return steps, d.after }
	rollback := func(d deployed) ([]step, fleet) { _, steps := d.steps(); return steps, d.before }
	apart := func(d deployed) ([]step, fleet) { return d.apart(), d.before }
	into, out := "RedisCompatible to redis", "redis to RedisCompatible"
	for _, c := range []struct {
		name, pair string
		deploy     func(deployed) ([]step, fleet)
		loses      string // the steps that lose changes
	}{
		{"apart", into, apart, "s"},
		{"apart", out, apart, "d"},
		{"forward", into, forward, "cd"},
		{"forward", out, forward, "cd"},
		{"rollback", into, rollback, "cdrs"},
		{"rollback", out, rollback, "cdrs"},
	} {
		t.Run(c.pair+", "+c.name, func(t *testing.T) {
			together := c.name != "apart"
			limit := func(id, reason string) { t.Logf("promise-limit: migrating-redis-compatible %s %s", id, reason) }
			limit("K1", "of requests that overlap while a session moves to RedisCompatible, or while both directions run, the last counts")
			limit("K3", "each of them makes a copy of the session, with a token of its own")
			if together {
				limit("L4", "while both directions run, a browser may be left with a token that was replaced")
			}
			m := migrations[c.pair](t, client)
			m.overlap = true
			d := m.deploy(t)
			steps, last := c.deploy(d)
			l := losses{marks: map[string]int{}, lost: map[string]int{}}
			for _, v := range m.visit(t, d, steps, last) {
				l.add(v, last)
			}
			t.Logf("%+v", l)
			if l.out > 0 && !together {
				t.Errorf("%d of %d visitors are logged out", l.out, l.visitors)
			}
			for s, n := range l.lost {
				if !strings.Contains(c.loses, s) {
					t.Errorf("step %s has lost %d changes", s, n)
				}
			}
			if l.out == 0 && len(l.lost) == 0 {
				t.Error("nothing is lost: say so in the documentation")
			}
		})
	}
}

// add counts what v misses.
func (l *losses) add(v *visitor, at fleet) {
	l.visitors++
	a := v.ask(at, http.MethodGet, "/look", "marks", strings.Join(v.marks, ","))
	if a.User != v.user {
		l.out++
		return
	}
	for _, m := range v.marks {
		l.marks[m[:1]]++
		if v.shown[m] != 1 {
			l.flashes++
		}
	}
	for _, m := range a.Missing {
		l.lost[m[:1]]++
	}
}
