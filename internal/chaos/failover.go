package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// busy is how long a node may be silent before others take it for dead: longer than by
// default in tests, since a busy machine is not dead.
const busy = "3000"

// within polls until ok holds.
func within(d time.Duration, what string, ok func() bool) error {
	for until := time.Now().Add(d); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			return fmt.Errorf("waited in vain until %s", what)
		}
	}
	return nil
}

// follows waits until a server that was the master is a replica in step.
func follows(old *redistest.Server) error {
	return within(30*time.Second, "the old master follows the new one", func() bool { return old.Role() == "connected" })
}

// leads is an error if a failover came by itself: then nobody knows when writes were lost.
func leads(master *redistest.Server) error {
	if role := master.Role(); role != "master" {
		return fmt.Errorf("the master is %q by itself: the machine is too slow for a verdict", role)
	}
	return nil
}

// newSentinel is a master and a replica under Sentinel, which moves the role when it is
// told to, or when the master dies.
func newSentinel(tb testing.TB, program string) *World {
	tb.Helper()
	s := redistest.StartSentinel(tb)
	for _, watcher := range s.Sentinels {
		watcher.MustDo("SENTINEL", "SET", s.MasterName(), "down-after-milliseconds", busy)
	}
	w := &World{Store: "Redis under Sentinel"}
	w.launch(tb, program, []string{"nethttp", "echo5", "fiber3"}, "redis-sentinel://"+strings.Join(s.Addrs(), ",")+"/"+s.MasterName())
	w.keepsRedis(func() []*redistest.Server { return []*redistest.Server{s.Master} })
	// over has writes lost only once they are paused no longer, and up to a second of them
	// by the old master (docs/operations.md).
	over := func(paused time.Duration, begin func()) (bool, error) {
		old := s.Master
		if err := leads(old); err != nil {
			return false, err
		}
		end := w.mayLose(paused)
		begin()
		s.AwaitFailover()
		end(time.Second)
		if _, err := old.Do("PING"); err != nil {
			old.Restart()
		}
		return s.Master != old, follows(old)
	}
	planned := func() { s.Sentinels[0].MustDo("SENTINEL", "FAILOVER", s.MasterName()) }
	w.faults = append(w.instances(), w.commands(func() *redistest.Server { return s.Master })...)
	w.faults = append(w.faults,
		Fault{Name: "planned failover", run: func() (bool, error) { return over(0, planned) }},
		Fault{Name: "planned failover, writes paused", run: func() (bool, error) { // as docs/operations.md recommends
			return over(2500*time.Millisecond, func() {
				s.Master.MustDo("CLIENT", "PAUSE", "2500", "WRITE")
				planned()
			})
		}},
		Fault{Name: "master killed", run: func() (bool, error) { return over(0, s.Master.Kill) }})
	return w
}

// newCluster is a Redis Cluster of three masters with a replica each.
func newCluster(tb testing.TB, program string) *World {
	tb.Helper()
	c := redistest.StartCluster(tb, 3, redistest.Replicas(1))
	for _, node := range append(c.Masters[:3:3], c.Replicas...) {
		node.MustDo("CONFIG", "SET", "cluster-node-timeout", busy)
	}
	w := &World{Store: "Redis Cluster"}
	w.launch(tb, program, []string{"gin", "echo", "fiber"}, "redis-cluster://"+strings.Join(c.Addrs(), ","))
	w.keepsRedis(func() []*redistest.Server { return c.Masters })
	// over makes a replica take over from its master.
	over := func(begin func(master, replica *redistest.Server) (taken func())) (bool, error) {
		i := rand.IntN(len(c.Masters))
		old, next := c.Masters[i], c.Replicas[i]
		if err := leads(old); err != nil {
			return false, err
		}
		taken := begin(old, next)
		if err := within(30*time.Second, "the replica is the master", func() bool { return next.Role() == "master" }); err != nil {
			return false, err
		}
		taken()
		c.Masters[i], c.Replicas[i] = next, old
		if _, err := old.Do("PING"); err != nil {
			old.Restart()
		}
		return true, follows(old)
	}
	w.faults = append(w.instances(), w.commands(func() *redistest.Server { return c.Masters[rand.IntN(len(c.Masters))] })...)
	w.faults = append(w.faults,
		Fault{Name: "planned failover", run: func() (bool, error) { // replica and master agree on the last write
			return over(func(_, replica *redistest.Server) func() {
				replica.MustDo("CLUSTER", "FAILOVER")
				return func() {}
			})
		}},
		Fault{Name: "master killed", run: func() (bool, error) {
			return over(func(master, _ *redistest.Server) func() {
				end := w.mayLose(0)
				master.Kill()
				return func() { end(0) }
			})
		}},
		Fault{Name: "slots migrated", run: func() (bool, error) { return migrate(c), nil }})
	return w
}

// migrate moves some slots with keys from one master to another, and reports whether
// there were any.
func migrate(c *redistest.Cluster) bool {
	order := rand.Perm(len(c.Masters))
	from, to := c.Masters[order[0]], c.Masters[order[1]]
	slots := map[int]bool{}
	for _, key := range from.Strings("KEYS", "*") {
		if slots[c.Slot(key)] = true; len(slots) == 20 {
			break
		}
	}
	for slot := range slots {
		c.BeginMigration(slot, from, to)
		time.Sleep(10 * time.Millisecond) // for keys that are made meanwhile
		c.MoveKeys(slot, from, to)
		time.Sleep(10 * time.Millisecond)
		c.EndMigration(slot, to)
	}
	return len(slots) > 0
}
