package goredisstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// start makes a Manager, as an application does at its start.
func start(client redis.UniversalClient, c goredisstore.Config) error {
	_, err := core.New(core.ServerSide(goredisstore.New(client, c)), core.Config{})
	return err
}

// wantAdvice checks that err says what to change, and shows no password.
func wantAdvice(t *testing.T, err error, advice string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), advice) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("core.New: %v; want advice with %q", err, advice)
	}
}

func TestStartWithWrongPassword(t *testing.T) {
	server := redistest.Start(t, redistest.Password("right"))
	addr := server.Addr()
	for password, advice := range map[string]string{"": "set the client's Password", "hunter2": "correct the client's Username and Password"} {
		client := redis.NewClient(&redis.Options{Addr: addr, Password: password})
		wantAdvice(t, start(client, goredisstore.Config{}), advice)
		_ = client.Close()
	}
	client := redis.NewClient(&redis.Options{Addr: addr, Password: "right"})
	defer func() { _ = client.Close() }()
	if err := start(client, goredisstore.Config{}); err != nil {
		t.Errorf("with the right password: %v", err)
	}
}

func TestStartWithoutServer(t *testing.T) {
	proxy := redistest.StartProxy(t, redistest.Shared(t).Addr())
	proxy.Refuse()
	client := newClient(t, proxy.Addr())
	began := time.Now()
	wantAdvice(t, start(client, goredisstore.Config{}), "does not answer")
	unreachable := start(newClient(t, "127.0.0.1:1"), goredisstore.Config{})
	wantAdvice(t, unreachable, "the server at 127.0.0.1:1 cannot be reached")
	wantAdvice(t, unreachable, "connection refused")
	if d := time.Since(began); d > 8*time.Second {
		t.Errorf("it took %v to say so", d)
	}
	if err := start(client, goredisstore.Config{SkipChecks: true}); err != nil {
		t.Errorf("with SkipChecks: %v", err)
	}
}

func TestStartWithEvictingServer(t *testing.T) {
	server := redistest.Start(t, redistest.Args("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"))
	client := newClient(t, server.Addr())
	err := start(client, goredisstore.Config{})
	wantAdvice(t, err, "maxmemory-policy noeviction")
	quoted := strings.Join(strings.Fields(strings.ReplaceAll(guide(t), "\n> ", " ")), " ")
	if err != nil && !strings.Contains(quoted, err.Error()) {
		t.Errorf("the guide on operations does not quote %q", err)
	}
	if err := start(client, goredisstore.Config{AllowEviction: true}); err != nil {
		t.Errorf("with AllowEviction: %v", err)
	}
	for _, policy := range []string{"allkeys-random", "volatile-lru", "volatile-ttl"} { // all our keys expire
		server.MustDo("CONFIG", "SET", "maxmemory-policy", policy)
		wantAdvice(t, start(client, goredisstore.Config{}), policy)
	}
	server.MustDo("CONFIG", "SET", "maxmemory-policy", "noeviction")
	if err := start(client, goredisstore.Config{}); err != nil {
		t.Errorf("with noeviction: %v", err)
	}
	server.MustDo("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	server.MustDo("CONFIG", "SET", "maxmemory", "0")
	if err := start(client, goredisstore.Config{}); err != nil {
		t.Errorf("without a limit nothing is evicted: %v", err)
	}
}

func TestStartWithOldServer(t *testing.T) {
	proxy := redistest.StartProxy(t, redistest.Shared(t).Addr())
	for _, version := range []string{"5.0.14", "6.0.16"} {
		client := newClient(t, proxy.Addr())
		client.AddHook(oldServer{version: version})
		wantAdvice(t, start(client, goredisstore.Config{}), "the server is version "+version+": upgrade it to 6.2 or later")
	}
	for _, version := range []string{"6.2.0", "7.0.1", "10.0.0"} {
		client := newClient(t, proxy.Addr())
		client.AddHook(oldServer{version: version})
		if err := start(client, goredisstore.Config{}); err != nil {
			t.Errorf("version %s: %v", version, err)
		}
	}
}

// oldServer makes a server report an old version, for want of a real old server.
type oldServer struct {
	redis.Hook

	version string
}

func (oldServer) DialHook(next redis.DialHook) redis.DialHook { return next }

func (oldServer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (o oldServer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if c, ok := cmd.(*redis.StringCmd); ok && cmd.Name() == "info" {
			c.SetVal("# Server\r\nredis_version:" + o.version + "\r\n")
		}
		return err
	}
}

func TestStartWithReplica(t *testing.T) {
	master, replica := redistest.Start(t), redistest.Start(t)
	host, port, _ := strings.Cut(master.Addr(), ":")
	replica.MustDo("REPLICAOF", host, port)
	wantAdvice(t, start(newClient(t, replica.Addr()), goredisstore.Config{}), "is a replica")
}

func TestStartWithWrongClient(t *testing.T) {
	addr := []string{redistest.Shared(t).Addr()}
	for name, test := range map[string]struct {
		client redis.UniversalClient
		config goredisstore.Config
		advice string
	}{
		"none":             {nil, goredisstore.Config{}, "New(nil)"},
		"nil":              {(*redis.Client)(nil), goredisstore.Config{}, "nil client"},
		"nil cluster":      {(*redis.ClusterClient)(nil), goredisstore.Config{}, "nil client"},
		"nil ring":         {(*redis.Ring)(nil), goredisstore.Config{}, "nil client"},
		"cluster replicas": {redis.NewClusterClient(&redis.ClusterOptions{Addrs: addr, ReadOnly: true}), goredisstore.Config{}, "reads from replicas"},
		"nearest replicas": {redis.NewClusterClient(&redis.ClusterOptions{Addrs: addr, RouteByLatency: true}), goredisstore.Config{}, "reads from replicas"},
		"random replicas":  {redis.NewClusterClient(&redis.ClusterOptions{Addrs: addr, RouteRandomly: true}), goredisstore.Config{}, "reads from replicas"},
		"negative timeout": {newClient(t, addr[0]), goredisstore.Config{Timeout: -1}, "Timeout is negative"},
	} {
		t.Run(name, func(t *testing.T) { wantAdvice(t, start(test.client, test.config), test.advice) })
	}
}

// exercise calls every operation of a store.
func exercise(t *testing.T, store *goredisstore.Store) {
	t.Helper()
	ctx, id, e := t.Context(), core.ID{7}, core.Entry{Data: []byte("x"), User: "ann", Expires: time.Now().Add(time.Hour)}
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := store.Reserve(ctx, "ann", id, 1, core.EndOldest)
	do("Reserve", err)
	v, err := store.Save(ctx, id, e, 0)
	do("Save", err)
	do("Confirm", store.Confirm(ctx, "ann", id, e.Expires))
	v, err = store.Save(ctx, id, e, v)
	do("Save again", err)
	do("Touch", store.Touch(ctx, id, v, e.Expires.Add(time.Minute)))
	do("TouchAndMend", store.TouchAndMend(ctx, "ann", id, v, e.Expires.Add(2*time.Minute)))
	do("Mend", store.Mend(ctx, "ann", id, e.Expires.Add(3*time.Minute)))
	if ids, err := store.Search(ctx, "ann"); err != nil || len(ids) != 1 {
		t.Errorf("Search: %v, %v", ids, err)
	}
	for i := range 70 { // more than a login reads
		_, err := store.Reserve(ctx, "bob", core.ID{9, byte(i)}, 0, core.EndOldest)
		do("Reserve one of many", err)
	}
	_, err = store.Load(ctx, id)
	do("Load", err)
	if ids, err := store.List(ctx, "ann"); err != nil || len(ids) != 1 {
		t.Errorf("List: %v, %v", ids, err)
	}
	_, err = store.Reserve(ctx, "ann", core.ID{8}, 1, core.EndOldest)
	do("Reserve beyond the limit", err)
	do("Release", store.Release(ctx, "ann", id))
	do("Delete", store.Delete(ctx, id))
	do("DeleteAll", store.DeleteAll(ctx))
}

// watch checks that the store may subscribe to the ends of sessions.
func watch(t *testing.T, store *goredisstore.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	listening := false
	if err := store.Watch(ctx, func(core.ID) { listening = true; cancel() }); err != nil || !listening {
		t.Errorf("Watch: %v, listening: %v", err, listening)
	}
}

// startAt is start with a URL.
func startAt(t *testing.T, url string) error {
	t.Helper()
	client, err := goredisstore.NewClient(url)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	return start(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t)})
}

func TestStartWithWrongKindOfServer(t *testing.T) {
	single := redistest.Shared(t).Addr()
	wantAdvice(t, startAt(t, "redis://"+single+"/99"), "no database with this number")
	wantAdvice(t, startAt(t, "redis-cluster://"+single), "is not a cluster")

	// Each node would have a third of the sessions, and one node has the key that
	// the checks use.
	for _, node := range redistest.StartCluster(t, 3).Addrs() {
		wantAdvice(t, startAt(t, "redis://"+node), "redis-cluster://")
		wantAdvice(t, startAt(t, "redis://"+node+"/1"), "redis-cluster://")
	}

	sentinel := redistest.StartSentinel(t)
	wantAdvice(t, startAt(t, "redis://"+sentinel.Addrs()[0]), "redis-sentinel://")
	wantAdvice(t, startAt(t, "redis-sentinel://"+sentinel.Addrs()[0]+"/nope"), "know no master of this name")
}

func TestStartWithWrongSentinels(t *testing.T) {
	closed := redistest.Start(t, redistest.Password("right"))
	for advice, o := range map[string]*redis.FailoverOptions{
		"know no master of this name":  {MasterName: "other", SentinelAddrs: redistest.StartSentinel(t).Addrs()},
		"sentinel_password in the URL": {MasterName: "m", SentinelAddrs: []string{closed.Addr()}, SentinelPassword: "hunter2"},
		"no Sentinel can be reached":   {MasterName: "m", SentinelAddrs: []string{"127.0.0.1:1"}},
	} {
		o.ContextTimeoutEnabled = true
		client := redis.NewFailoverClient(o)
		wantAdvice(t, start(client, goredisstore.Config{}), advice)
		_ = client.Close()
	}
}
