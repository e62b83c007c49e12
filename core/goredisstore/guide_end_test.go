package goredisstore_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/nearcache"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// endEverySession runs the guide's command and returns what it printed.
func endEverySession(t *testing.T, env ...string) string {
	t.Helper()
	for _, program := range []string{"redis-cli", "sh", "sed"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: redis-cli comes with redis-server, as redis-tools on Debian", err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "set -e\n"+guideBlock(t, "end every session"))
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// TestGuideEndEverySession runs the guide's command while the application runs.
// The application notices and continues. Other keys in the same Redis stay.
func TestGuideEndEverySession(t *testing.T) {
	t.Parallel()
	operator := strings.Fields("ACL SETUSER operator on >hunter2 ~satchel:* -@all +scan +unlink +echo")
	for _, test := range []struct {
		name, user string
		options    []redistest.Option
		env        []string
	}{
		{"open", "", nil, nil},
		{"with a password", "", []redistest.Option{redistest.Password("hunter2")}, []string{"REDISCLI_AUTH=hunter2"}},
		{"as an operator", "operator:hunter2@", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := redistest.Start(t, test.options...)
			server.MustDo(operator...)
			client, err := goredisstore.NewClient(server.URL())
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(t, client, goredisstore.Config{Prefix: goredisstore.DefaultPrefix, Timeout: patience},
				core.Config{CommitTimeout: patience, LoadTimeout: patience})
			server.MustDo("SET", "other:satchel:1", "stays")
			ann := r.loggedIn("ann")
			r.browser().ok("/set", "key", "k", "value", "anonymous")
			for i := range 1500 { // takes several steps of SCAN
				s := r.manager.NewSession(t.Context())
				s.Login(fmt.Sprint("user-", i))
				if err := s.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			before := len(r.keys(server))

			out := endEverySession(t, append(test.env, "REDIS_URL=redis://"+test.user+server.Addr())...)
			var replies int // SCAN may name a key more than once
			_, counts, _ := strings.Cut(out, "errors: 0, replies: ")
			if _, err := fmt.Sscan(counts, &replies); err != nil || replies < before {
				t.Errorf("printed %q, want no errors and at least %d replies", out, before)
			}
			if keys := server.Strings("KEYS", "*"); !slices.Equal(keys, []string{"other:satchel:1"}) {
				t.Errorf("left: %d keys, such as %q", len(keys), keys[:min(len(keys), 3)])
			}
			ann.anonymous()
			if again := r.loggedIn("ann").ok("/user"); again != "ann" {
				t.Errorf("a new login has the user %q", again)
			}
		})
	}
}

// TestGuideEndEverySessionOnCluster runs it on each master, as the guide says.
func TestGuideEndEverySessionOnCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	r := newRig(t, clusterClient(cluster), goredisstore.Config{Prefix: goredisstore.DefaultPrefix}, core.Config{})
	for i := range 60 {
		s := r.manager.NewSession(t.Context())
		s.Login(fmt.Sprint("user-", i))
		if err := s.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, master := range cluster.Masters {
		if len(r.keys(master)) == 0 {
			t.Error("a master without sessions: nothing to show")
		}
		if out := endEverySession(t, "REDIS_URL="+master.URL()); !strings.Contains(out, "errors: 0,") {
			t.Errorf("printed %q", out)
		}
		if keys := r.keys(master); len(keys) != 0 {
			t.Errorf("%d keys are left", len(keys))
		}
	}
}

// The program in the guide is the one that compiles here.
func TestGuideRevokeAll(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(guideBlock(t, "revoke all")) {
		if line = strings.TrimSpace(line); !strings.Contains(string(example), "\t"+line+"\n") {
			t.Errorf("the example lacks %q", line)
		}
	}
}

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
