package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// Sentinel is a master and a replica, watched by three sentinels. Two of them must
// agree that the master is down.
type Sentinel struct {
	// Master and Replica are the servers in their roles; [Sentinel.Failover]
	// exchanges them.
	Master, Replica *Server
	// Sentinels are the watchers.
	Sentinels []*Server

	tb testing.TB
}

const masterName = "satchel"

// StartSentinel starts a master, its replica and three sentinels, and waits until
// they all know each other. They end with tb. The options apply to the master and
// the replica.
func StartSentinel(tb testing.TB, opts ...Option) *Sentinel {
	tb.Helper()
	opts = append([]Option{Args("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")}, opts...)
	s := &Sentinel{tb: tb, Master: Start(tb, opts...)}
	s.Replica = Start(tb, append(opts, Args("--replicaof", "127.0.0.1", strconv.Itoa(s.Master.Port())))...)
	// Sentinels ask a master for its replicas only every ten seconds.
	until(tb, "the replica is in step", func() bool { return s.Replica.Info("master_link_status") == "up" })
	for range 3 {
		s.Sentinels = append(s.Sentinels, s.startWatcher())
	}
	for _, w := range s.Sentinels {
		until(tb, "the sentinels know each other and the replica", func() bool {
			state := w.fields("SENTINEL", "MASTER", masterName)
			return state["num-other-sentinels"] == "2" && state["num-slaves"] == "1"
		})
	}
	return s
}

func (s *Sentinel) startWatcher() *Server {
	s.tb.Helper()
	dir := s.tb.TempDir()
	config := func(set *settings) {
		set.args = append(set.args, "--sentinel")
		set.file = func(port int) (string, error) {
			path := filepath.Join(dir, "sentinel.conf")
			return path, os.WriteFile(path, fmt.Appendf(nil, `port %d
bind 127.0.0.1
dir "%s"
daemonize no
sentinel monitor %[3]s 127.0.0.1 %[4]d 2
sentinel down-after-milliseconds %[3]s 500
sentinel failover-timeout %[3]s 3000
sentinel parallel-syncs %[3]s 1
`, port, dir, masterName, s.Master.Port()), 0o600)
		}
	}
	return Start(s.tb, config)
}

// MasterName is the name by which the sentinels know the master.
func (s *Sentinel) MasterName() string { return masterName }

// Addrs returns the addresses of the sentinels.
func (s *Sentinel) Addrs() []string {
	var addrs []string
	for _, w := range s.Sentinels {
		addrs = append(addrs, w.Addr())
	}
	return addrs
}

// Failover kills the master and waits until the replica has taken over and all
// sentinels say so. Master is then the new master, and Replica the dead one.
func (s *Sentinel) Failover() {
	s.tb.Helper()
	s.Master.Kill()
	s.AwaitFailover()
}

// AwaitFailover waits until the replica has taken over from a master that was
// stopped or killed by other means.
func (s *Sentinel) AwaitFailover() {
	s.tb.Helper()
	next := []string{"127.0.0.1", strconv.Itoa(s.Replica.Port())}
	for _, w := range s.Sentinels {
		until(s.tb, "the sentinels name the new master", func() bool {
			return slices.Equal(w.Strings("SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName), next)
		})
	}
	until(s.tb, "the replica is the master", func() bool { return s.Replica.Role() == "master" })
	s.Master, s.Replica = s.Replica, s.Master
}

// fields parses an answer that lists names and values in turn.
func (s *Server) fields(args ...string) map[string]string {
	s.tb.Helper()
	list := s.Strings(args...)
	m := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}
