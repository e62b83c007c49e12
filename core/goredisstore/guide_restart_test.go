package goredisstore_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// These tests run what the guide on operations says about servers that keep their
// data on disk or elsewhere.

// killed ends server like a crash and waits until it serves b again.
func killed(t *testing.T, server *redistest.Server, b *browser) {
	t.Helper()
	server.Restart()
	until(t, "Redis serves again", func() bool { return b.do("/user").status == 200 })
}

func TestGuideRestartWithAppendOnlyFile(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Args("--appendonly", "yes", "--appendfsync", "always"))
	r := newRig(t, redis.NewClient(&redis.Options{Addr: server.Addr()}), goredisstore.Config{}, core.Config{})
	ann, bob := r.loggedIn("ann"), r.loggedIn("bob")
	stolen := bob.copied()
	bob.ok("/logout")
	killed(t, server, ann)
	if user := ann.ok("/user"); user != "ann" {
		t.Errorf("after the restart the user is %q", user)
	}
	stolen.anonymous()
}

// A snapshot brings back everything in it, even ended sessions, and
// Config.NotBefore ends them.
func TestGuideRestartFromSnapshot(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	now := &shiftedClock{}
	client := func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: server.Addr()}) }
	config := goredisstore.Config{Prefix: redistest.UniquePrefix(t)}
	r := newRig(t, client(), config, core.Config{Now: now.now})
	ann, bob := r.loggedIn("ann"), r.loggedIn("bob")
	server.MustDo("SAVE")
	stolen := bob.copied()
	bob.ok("/logout")
	late := r.loggedIn("late")
	killed(t, server, ann)

	if user := ann.ok("/user"); user != "ann" {
		t.Errorf("a session of the snapshot has the user %q", user)
	}
	late.anonymous()
	if user := stolen.ok("/user"); user != "bob" {
		t.Errorf("a session that ended after the snapshot has the user %q: the guide says that it is back", user)
	}

	now.advance(time.Second)
	after := newRig(t, client(), config, core.Config{Now: now.now, NotBefore: now.now()})
	for _, b := range []*browser{ann, stolen} {
		b.r = after
		b.anonymous()
	}
	now.advance(time.Second)
	if user := after.loggedIn("ann").ok("/user"); user != "ann" {
		t.Errorf("a new login has the user %q", user)
	}
}

// For Redis, loads are writes, so that replicas refuse them. A master that takes
// no writes refuses them too.
func TestGuideMasterThatTakesNoWrites(t *testing.T) {
	t.Parallel()
	t.Run("too few replicas", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t)
		r := newRig(t, redis.NewClient(&redis.Options{Addr: server.Addr()}), goredisstore.Config{}, core.Config{})
		ann := r.loggedIn("ann")
		server.MustDo("CONFIG", "SET", "min-replicas-to-write", "1")
		ann.refused("/user")
		ann.refused("/logout")
		server.MustDo("CONFIG", "SET", "min-replicas-to-write", "0")
		if user := ann.ok("/user"); user != "ann" {
			t.Errorf("afterwards the user is %q", user)
		}
	})
	t.Run("snapshots fail", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "gone")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		server := redistest.Start(t, redistest.Args("--dir", dir, "--save", "3600 1"))
		r := newRig(t, redis.NewClient(&redis.Options{Addr: server.Addr()}), goredisstore.Config{}, core.Config{})
		ann := r.loggedIn("ann")
		if err := os.RemoveAll(dir); err != nil { // has the same effect as a full disk
			t.Fatal(err)
		}
		server.MustDo("BGSAVE")
		until(t, "the snapshot has failed", func() bool { return server.Info("rdb_last_bgsave_status") == "err" })
		ann.refused("/user")
		server.MustDo("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
		if user := ann.ok("/user"); user != "ann" {
			t.Errorf("afterwards the user is %q", user)
		}
	})
}
