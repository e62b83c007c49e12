package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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

// inStep waits until the replica has its master's writes; it may have been the master before,
// and just after it has taken over all data, it lacks what was written meanwhile. An error is
// also a failover that came by itself: then nobody knows when writes were lost.
func inStep(master, replica *redistest.Server) error {
	if role := master.Role(); role != "master" {
		return fmt.Errorf("the master is %q by itself: the machine is too slow for a verdict", role)
	}
	want := int64(0)
	return within(30*time.Second, "the replica follows its master", func() bool {
		if want == 0 {
			want = offset(master)
		}
		return want > 0 && replica.Role() == "connected" && offset(replica) >= want
	})
}

// offset is the last write that a server has, 0 if there is no answer.
func offset(srv *redistest.Server) (n int64) {
	answer, _ := srv.Do("ROLE")
	switch list, _ := answer.([]any); len(list) {
	case 3: // of a master
		n, _ = list[1].(int64)
	case 5: // of a replica
		n, _ = list[4].(int64)
	}
	return n
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
	w.behind(tb, s.Master, s.Replica)
	watchers := w.behind(tb, s.Sentinels...)
	w.launch(tb, program, []string{"nethttp", "echo5", "fiber3"}, "redis-sentinel://"+strings.Join(watchers, ",")+"/"+s.MasterName())
	w.keepsRedis(func() []*redistest.Server { return []*redistest.Server{s.Master} })
	// ready waits until every sentinel would make the replica the master: the one that has
	// made it a replica has cut the others' connections.
	ready := func() error {
		err := inStep(s.Master, s.Replica)
		for _, watcher := range s.Sentinels {
			err = errors.Join(err, within(30*time.Second, "a sentinel would promote the replica", func() bool {
				replicas, _ := watcher.Do("SENTINEL", "REPLICAS", s.MasterName())
				return err != nil || strings.Contains(fmt.Sprint(replicas), " flags slave ")
			}))
		}
		return err
	}
	// over has writes lost only once they are paused no longer, and up to a second of them
	// by the old master (docs/operations.md). It leaves that alone, since sentinels take ten
	// seconds to make it a replica.
	over := func(paused time.Duration, begin func() error) (bool, error) {
		old := s.Master
		if err := ready(); err != nil {
			return false, err
		}
		end := w.mayLose(paused)
		if err := begin(); err != nil {
			end(0)
			return false, nil
		}
		s.AwaitFailover()
		end(time.Second)
		if _, err := old.Do("PING"); err != nil {
			old.Restart()
		}
		return true, nil
	}
	planned := func() error {
		_, err := s.Sentinels[0].Do("SENTINEL", "FAILOVER", s.MasterName())
		return err
	}
	w.faults = slices.Concat(w.instances(), w.network(), commands(func() *redistest.Server { return s.Master }))
	w.faults = append(w.faults,
		Fault{Name: "planned failover", run: func() (bool, error) { return over(0, planned) }},
		Fault{Name: "planned failover, writes paused", run: func() (bool, error) { // as docs/operations.md recommends
			return over(4*time.Second, func() error {
				s.Master.MustDo("CLIENT", "PAUSE", "4000", "WRITE")
				if err := inStep(s.Master, s.Replica); err != nil {
					return err
				}
				return planned()
			})
		}},
		Fault{Name: "master killed", run: func() (bool, error) { return over(0, func() error { s.Master.Kill(); return nil }) }})
	return w
}

// newCluster is a Redis Cluster of three masters with a replica each.
func newCluster(tb testing.TB, program string) *World {
	tb.Helper()
	c := redistest.StartCluster(tb, 3, redistest.Replicas(1), redistest.Nodes(redistest.Args("--cluster-node-timeout", busy)))
	w := &World{Store: "Redis Cluster"}
	nodes := w.behind(tb, slices.Concat(c.Masters, c.Replicas)...)
	w.launch(tb, program, []string{"gin", "echo", "fiber"}, "redis-cluster://"+strings.Join(nodes, ","))
	w.keepsRedis(func() []*redistest.Server { return c.Masters })
	// over makes a replica take over from its master.
	over := func(begin func(master, replica *redistest.Server) (taken func())) (bool, error) {
		i := rand.IntN(len(c.Masters))
		old, next := c.Masters[i], c.Replicas[i]
		if err := inStep(old, next); err != nil {
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
		return true, inStep(next, old) // before it slots must not move: it might follow who has its last
	}
	w.faults = slices.Concat(w.instances(), w.network(), commands(func() *redistest.Server { return c.Masters[rand.IntN(len(c.Masters))] }))
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
