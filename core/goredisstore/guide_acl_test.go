package goredisstore_test

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/nearcache"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// rules returns the guide's rules, for the user app with this password.
func rules(t *testing.T, block, password string) []string {
	t.Helper()
	line := guideBlock(t, block)
	if strings.Contains(line, "\n") || !strings.Contains(line, ">PASSWORD") {
		t.Fatalf("docs/operations.md: want one line with >PASSWORD, have %q", line)
	}
	return strings.Fields(strings.ReplaceAll(line, "PASSWORD", password))
}

// allowed returns a store on client, whose rules must allow everything it does.
func allowed(t *testing.T, client redis.UniversalClient) *goredisstore.Store {
	t.Helper()
	store := goredisstore.New(client, goredisstore.Config{})
	if err := store.Validate(); err != nil {
		t.Fatal(err)
	}
	exercise(t, store)
	watch(t, store)
	return store
}

// TestACL uses the rules from the guide on operations.
func TestACL(t *testing.T) {
	server := redistest.Start(t)
	server.MustDo(rules(t, "acl", "right")...)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Username: "app", Password: "right"})
	defer func() { _ = client.Close() }()
	store := allowed(t, client)
	_, err := nearcache.New(store, nearcache.Config{})
	wantAdvice(t, err, "&__redis__:invalidate")
	server.MustDo(strings.Fields(guideBlock(t, "acl for copies"))...)
	allowedCopies(t, store)
	if err := client.Set(t.Context(), "elsewhere", "x", 0).Err(); err == nil {
		t.Error("the rules let the application write other keys")
	}
	server.MustDo("ACL", "SETUSER", "app", "-eval", "-evalsha")
	wantAdvice(t, start(client, goredisstore.Config{}), "may not run scripts")
	server.MustDo("ACL", "SETUSER", "app", "+eval", "+evalsha", "-publish", "-info")
	if err := store.Validate(); err != nil {
		t.Errorf("without INFO: %v", err)
	}
	exercise(t, store) // without publishing
}

// allowedCopies checks what copies need according to the guide.
func allowedCopies(t *testing.T, store *goredisstore.Store) {
	t.Helper()
	near, err := nearcache.New(store, nearcache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := near.Stats().Err; err != nil {
		t.Error(err)
	}
	_ = near.Close()
}

// TestACLOnCluster adds what a cluster needs according to the guide.
func TestACLOnCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	for _, node := range cluster.Masters {
		node.MustDo(rules(t, "acl", "right")...)
		node.MustDo(strings.Fields(guideBlock(t, "acl on a cluster"))...)
		node.MustDo(strings.Fields(guideBlock(t, "acl for copies"))...)
		node.MustDo("ACL", "SETUSER", "default", "off") // no user gets around the rules
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: cluster.Addrs(), Username: "app", Password: "right", ContextTimeoutEnabled: true,
	})
	defer func() { _ = client.Close() }()
	allowedCopies(t, allowed(t, client))
}
