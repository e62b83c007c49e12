package goredisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The oldest supported Redis. Older versions no longer get security fixes.
const (
	oldestMajor = 6
	oldestMinor = 2
)

// checkAttempts is how often the check asks a server: the first connection can
// take longer than a command may.
const checkAttempts = 4

// Validate implements [core.Validator]; [core.New] calls it. It reports
//
//   - a client that cannot work, or is of the wrong kind;
//   - a server that does not answer, refuses the password, is too old, or is a
//     replica;
//   - scripts that the user may not run;
//   - a memory policy that evicts sessions.
//
// It does not check what the server does not let its user see.
func (s *Store) Validate() error {
	if s.err != nil || s.config.SkipChecks {
		return s.err
	}
	ctx := context.Background()
	err := s.Within(ctx, s.ping)
	for range checkAttempts - 1 {
		if !errors.Is(err, context.DeadlineExceeded) {
			break
		}
		err = s.Within(ctx, s.ping)
	}
	if err != nil {
		err = s.cause(ctx, err)
		return fmt.Errorf("goredisstore: %s: %w", diagnose(err, s.address()), err)
	}
	var info string
	err = s.Within(ctx, func(ctx context.Context) (err error) {
		info, err = s.client.Info(ctx).Result()
		return err
	})
	if err == nil {
		if err := s.checkInfo(parseInfo(info)); err != nil {
			return err
		}
	}
	err = s.Within(ctx, func(ctx context.Context) error {
		return s.client.Eval(ctx, "return redis.call('EXISTS', KEYS[1])", []string{s.config.Prefix + "check"}).Err()
	})
	if err != nil && redis.HasErrorPrefix(err, "MOVED") { // the user may not run INFO
		return fmt.Errorf("goredisstore: %s: %w", isClusterNode, err)
	}
	if err != nil {
		return fmt.Errorf("goredisstore: the user may not run scripts on the keys %s*, which every save needs; the guide on operations lists sufficient ACL rules: %w",
			s.config.Prefix, err)
	}
	return nil
}

func (s *Store) ping(ctx context.Context) error { return s.client.Ping(ctx).Err() }

// isClusterNode is for clients that know only one node. That node may happen to
// have the key used here, but it never has all sessions.
const isClusterNode = "the server is a node of a cluster: connect with redis.NewClusterClient, or redis-cluster:// in a URL"

func (s *Store) checkInfo(info map[string]string) error {
	_, simple := s.client.(*redis.Client)
	switch mode := info["redis_mode"]; {
	case mode == "sentinel":
		return errors.New("goredisstore: the server is a Sentinel, which keeps no data: connect with redis.NewFailoverClient, or redis-sentinel:// in a URL")
	case mode == "cluster" && simple:
		return errors.New("goredisstore: " + isClusterNode)
	}
	if version, ok := info["redis_version"]; ok && tooOld(version) {
		return fmt.Errorf("goredisstore: the server is version %s: upgrade it to %d.%d or later", short(version), oldestMajor, oldestMinor)
	}
	if info["role"] == "slave" {
		return errors.New("goredisstore: the server is a replica, where nothing can be stored: connect to its master, or through Sentinel")
	}
	policy, limit := info["maxmemory_policy"], info["maxmemory"]
	if s.config.AllowEviction || policy == "" || policy == "noeviction" || limit == "0" || limit == "" {
		return nil
	}
	return fmt.Errorf("goredisstore: when its memory is full the server throws sessions away (maxmemory-policy %s), and users are logged out: "+
		"CONFIG SET maxmemory-policy noeviction, or accept it with Config.AllowEviction", short(policy))
}

// short bounds text from the server, for an error.
func short(text string) string {
	const most = 40
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// address returns where s.client connects to, as " at …", or "" if it does not tell.
func (s *Store) address() string {
	switch c := s.client.(type) {
	case *redis.Client:
		if addr := c.Options().Addr; addr != "FailoverClient" { // go-redis's name for one that asks Sentinels
			return " at " + addr
		}
	case *redis.ClusterClient:
		return " at " + strings.Join(c.Options().Addrs, ", ")
	}
	return ""
}

// cause returns why nothing has come back in time. go-redis tries to connect again
// and again until then, and does not say why it failed.
func (s *Store) cause(ctx context.Context, err error) error {
	c, ok := s.client.(*redis.Client)
	if !ok || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkAttempts*s.config.Timeout)
	defer cancel()
	conn, dialErr := c.Options().Dialer(ctx, c.Options().Network, c.Options().Addr)
	if dialErr != nil {
		return dialErr
	}
	_ = conn.Close() // something is there, and does not answer
	return err
}

// diagnose returns what to change, given an error of the first command to the server
// at an address.
func diagnose(err error, at string) string {
	text := err.Error()
	var network net.Error
	sentinel := strings.HasPrefix(text, noSentinel)
	switch {
	case sentinel && strings.Contains(text, redis.Nil.Error()):
		return "the Sentinels know no master of this name: correct the client's MasterName, or the path of the URL"
	case sentinel && (strings.Contains(text, "NOAUTH") || strings.Contains(text, "WRONGPASS") || strings.Contains(text, "invalid password")):
		return "the Sentinels want another password: set the client's SentinelPassword, or sentinel_password in the URL"
	case strings.Contains(text, "WRONGPASS"), strings.Contains(text, "invalid password"), strings.Contains(text, "invalid username-password"):
		return "the server refuses the user name or the password: correct the client's Username and Password"
	case strings.Contains(text, "NOAUTH"):
		return "the server wants a password: set the client's Password"
	case strings.Contains(text, "NOPERM"):
		return "the user may not even send PING: the guide on operations lists sufficient ACL rules"
	case strings.Contains(text, "DB index"):
		return "the server has no database with this number: choose another, or raise databases in its configuration"
	case strings.Contains(text, "SELECT is not allowed"):
		return isClusterNode
	case strings.Contains(text, "cluster support disabled"):
		return "the server is not a cluster: connect with redis.NewClient, or redis:// in a URL"
	case strings.Contains(text, "LOADING"):
		return "the server is still loading its data: start when it has finished"
	case strings.Contains(text, "CLUSTERDOWN"):
		return "the cluster is down or not complete"
	case strings.Contains(text, "tls:"), strings.Contains(text, "x509:"):
		return "no secure connection: correct the client's TLSConfig"
	case sentinel:
		return "no Sentinel can be reached: check that they run, and their addresses"
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), errors.Is(err, redis.ErrClosed):
		return "the server" + at + " cannot be reached: check that it runs, its address, whether it uses TLS, and for Sentinel the name of the master"
	}
	return "the server does not answer like Redis"
}

func parseInfo(text string) map[string]string {
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[key] = value
		}
	}
	return info
}

func tooOld(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if errA != nil || errB != nil {
		return false // not a number that we understand
	}
	return a < oldestMajor || a == oldestMajor && b < oldestMinor
}
