package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// clusterSlots is how many slots a Redis cluster has.
const clusterSlots = 16384

// Cluster is a running Redis cluster.
type Cluster struct {
	// Masters hold the slots in equal ranges, in this order.
	Masters []*Server
	// Replicas follow the masters in turn: the first follows the first master.
	Replicas []*Server

	tb testing.TB
}

// Replicas is the option of [StartCluster] that adds n replicas of each master. A
// killed master is then replaced after a few seconds; without replicas, its slots
// are gone.
func Replicas(n int) ClusterOption {
	return func(s *clusterSettings) { s.replicas = n }
}

// Nodes is the option of [StartCluster] that starts each node with options.
func Nodes(opts ...Option) ClusterOption {
	return func(s *clusterSettings) { s.nodes = opts }
}

// ClusterOption changes how a cluster is started.
type ClusterOption func(*clusterSettings)

type clusterSettings struct {
	replicas int
	nodes    []Option
}

// StartCluster starts a cluster of masters, which together hold all slots, and
// waits until it is ready. It ends with tb. If one node is killed, the others
// still serve their own slots.
func StartCluster(tb testing.TB, masters int, opts ...ClusterOption) *Cluster {
	tb.Helper()
	var set clusterSettings
	for _, o := range opts {
		o(&set)
	}
	c := &Cluster{tb: tb}
	node := append([]Option{Args(
		"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "1500",
		"--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0")}, set.nodes...)
	for range masters {
		c.Masters = append(c.Masters, Start(tb, node...))
	}
	for range masters * set.replicas {
		c.Replicas = append(c.Replicas, Start(tb, node...))
	}
	for i, m := range c.Masters {
		m.MustDo(append([]string{"CLUSTER", "ADDSLOTS"}, slots(i*clusterSlots/masters, (i+1)*clusterSlots/masters)...)...)
		m.MustDo("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	first := c.Masters[0]
	for _, s := range c.nodes()[1:] {
		s.MustDo("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(first.Port()))
	}
	c.await("all nodes know each other", func(s *Server) bool { return c.knows(s) == len(c.nodes()) })
	for i, r := range c.Replicas {
		r.MustDo("CLUSTER", "REPLICATE", c.id(c.Masters[i%masters]))
	}
	c.await("the cluster is ready", func(s *Server) bool {
		info, _ := s.MustDo("CLUSTER", "INFO").(string)
		return lineValue(info, "cluster_state") == "ok" && lineValue(info, "cluster_slots_ok") == strconv.Itoa(clusterSlots)
	})
	for _, r := range c.Replicas {
		until(tb, "a replica is in step", func() bool { return r.Info("master_link_status") == "up" })
	}
	return c
}

func slots(from, to int) []string {
	list := make([]string, 0, to-from)
	for slot := from; slot < to; slot++ {
		list = append(list, strconv.Itoa(slot))
	}
	return list
}

func (c *Cluster) nodes() []*Server {
	return append(append([]*Server(nil), c.Masters...), c.Replicas...)
}

// Addrs returns the addresses of all nodes, masters first.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, s := range c.nodes() {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Slot returns the slot of key.
func (c *Cluster) Slot(key string) int {
	c.tb.Helper()
	slot, _ := c.Masters[0].MustDo("CLUSTER", "KEYSLOT", key).(int64)
	return int(slot)
}

// Owner returns the node of Masters that key belonged to at the start.
func (c *Cluster) Owner(key string) *Server {
	c.tb.Helper()
	for i := range c.Masters {
		if c.Slot(key) < (i+1)*clusterSlots/len(c.Masters) {
			return c.Masters[i]
		}
	}
	c.tb.Fatalf("redistest: no node owns the slot of %q", key)
	return nil
}

// BeginMigration opens slot for a move. Then from answers ASK for keys that it no
// longer has, and commands on several keys get TRYAGAIN while some of them have
// moved.
func (c *Cluster) BeginMigration(slot int, from, to *Server) {
	c.tb.Helper()
	to.MustDo("CLUSTER", "SETSLOT", strconv.Itoa(slot), "IMPORTING", c.id(from))
	from.MustDo("CLUSTER", "SETSLOT", strconv.Itoa(slot), "MIGRATING", c.id(to))
}

// MoveKeys moves the given keys of slot, or all of its keys if none is given.
func (c *Cluster) MoveKeys(slot int, from, to *Server, keys ...string) {
	c.tb.Helper()
	if len(keys) == 0 {
		keys = from.Strings("CLUSTER", "GETKEYSINSLOT", strconv.Itoa(slot), "100000")
	}
	for _, k := range keys {
		from.MustDo("MIGRATE", "127.0.0.1", strconv.Itoa(to.Port()), k, "0", "5000")
	}
}

// EndMigration gives slot to its new owner: the old one answers MOVED.
func (c *Cluster) EndMigration(slot int, to *Server) {
	c.tb.Helper()
	id := c.id(to)
	to.MustDo("CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", id)
	for _, m := range c.Masters {
		if m != to {
			m.MustDo("CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", id)
		}
	}
}

func (c *Cluster) id(s *Server) string {
	c.tb.Helper()
	id, _ := s.MustDo("CLUSTER", "MYID").(string)
	return id
}

// knows counts the nodes that s is connected to, itself included.
func (c *Cluster) knows(s *Server) int {
	c.tb.Helper()
	text, _ := s.MustDo("CLUSTER", "NODES").(string)
	n := 0
	for line := range strings.Lines(text) {
		if strings.Contains(line, " connected") && !strings.Contains(line, "handshake") {
			n++
		}
	}
	return n
}

// await polls until ok holds for all nodes.
func (c *Cluster) await(what string, ok func(*Server) bool) {
	c.tb.Helper()
	for _, s := range c.nodes() {
		until(c.tb, fmt.Sprintf("%s, says %s", what, s.Addr()), func() bool { return ok(s) })
	}
}

// until polls until ok holds, and fails tb if it takes too long.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("redistest: waited in vain until %s", what)
		}
	}
}
