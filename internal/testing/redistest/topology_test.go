package redistest

import (
	"fmt"
	"strings"
	"testing"
)

func TestCluster(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3)
	if len(c.Addrs()) != 3 {
		t.Fatalf("addresses: %v", c.Addrs())
	}
	seen := map[*Server]int{}
	for i := range 30 {
		key := fmt.Sprint("key-", i)
		owner := c.Owner(key)
		owner.MustDo("SET", key, "v")
		seen[owner]++
	}
	if len(seen) != 3 {
		t.Errorf("30 keys on %d nodes, want 3", len(seen))
	}

	key := "moved"
	from := c.Owner(key)
	to := c.Masters[0]
	if from == to {
		to = c.Masters[1]
	}
	from.MustDo("SET", key, "v")
	slot := c.Slot(key)
	c.BeginMigration(slot, from, to)
	c.MoveKeys(slot, from, to, key)
	if _, err := from.Do("GET", key); err == nil || !strings.HasPrefix(err.Error(), "ASK ") {
		t.Errorf("a key that has moved ahead of its slot: %v", err)
	}
	c.EndMigration(slot, to)
	if got := to.MustDo("GET", key); got != "v" {
		t.Errorf("moved: %v", got)
	}
	if _, err := from.Do("GET", key); err == nil || !strings.HasPrefix(err.Error(), "MOVED ") {
		t.Errorf("the old owner: %v", err)
	}
	to.Kill()
	if _, err := from.Do("PING"); err != nil {
		t.Errorf("another node after a kill: %v", err)
	}
}

func TestClusterWithReplicas(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3, Replicas(1))
	c.Masters[0].Kill()
	until(t, "the replica has taken over", func() bool { return c.Replicas[0].Info("role") == "master" })
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t)
	old := s.Master
	old.MustDo("SET", "k", "v")
	old.AwaitReplica(s.Replica)
	s.Failover()
	if s.Master == old || s.Replica != old {
		t.Error("the roles are as before")
	}
	if got := s.Master.MustDo("GET", "k"); got != "v" {
		t.Errorf("after the failover: %v", got)
	}
	if len(s.Addrs()) != 3 || s.MasterName() == "" {
		t.Errorf("sentinels %v of %q", s.Addrs(), s.MasterName())
	}
}
