package goredisstore_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

func clusterClient(c *redistest.Cluster) *redis.ClusterClient {
	return redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), ContextTimeoutEnabled: true})
}

// The whole suite runs on three masters.
func TestStoreOnCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	storetest.Run(t, func(t *testing.T) core.Store {
		client := clusterClient(cluster)
		t.Cleanup(func() { _ = client.Close() })
		return goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t)})
	})
	storetest.RunLosing(t, func(t *testing.T) (core.Store, func(string)) {
		client := clusterClient(cluster)
		t.Cleanup(func() { _ = client.Close() })
		store := goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t)})
		return store, func(user string) { client.Del(t.Context(), store.UserKey(user)) }
	})
}

// onCluster returns an application on a cluster, with a session of a different
// user on each master. A user's index lies on another master than the session.
func onCluster(t *testing.T, c *redistest.Cluster) (*rig, map[*redistest.Server]*browser) {
	t.Helper()
	r := newRig(t, clusterClient(c), goredisstore.Config{}, core.Config{CommitTimeout: 5 * time.Second})
	users := map[*redistest.Server]*browser{}
	for i := 0; len(users) < len(c.Masters) && i < 500; i++ {
		user := fmt.Sprint("user-", i)
		b := r.loggedIn(user)
		session, index := c.Owner(r.store.Key(r.sessions(user)[0])), c.Owner(r.store.UserKey(user))
		if session != index && users[session] == nil {
			users[session] = b
		} else {
			b.ok("/logout")
		}
	}
	if len(users) != len(c.Masters) {
		t.Fatalf("sessions on %d masters, want all %d", len(users), len(c.Masters))
	}
	return r, users
}

// Session and index lie on different nodes. With one node down, sessions on the
// others are served, and users whose session cannot be loaded stay logged in.
func TestL3ClusterNodeKilled(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3)
	r, users := onCluster(t, c)
	dead := c.Masters[1]
	dead.Kill()
	for node, b := range users {
		user := ""
		if node == dead {
			b.refused("/get", "key", "k")
			b.refused("/set", "key", "k", "value", "lost")
			continue
		}
		b.shows("on a live node", "v", "/get", "key", "k")
		b.ok("/set", "key", "k", "value", "w")
		user = b.ok("/user")
		if c.Owner(r.store.UserKey(user)) != dead {
			continue
		}
		// The index cannot be reached, but the session has ended, and the index heals
		// later.
		stolen := b.copied()
		b.ok("/logout")
		stolen.shows("after a logout without the index", "", "/user")
	}
	var some, refused int
	for i := range 30 { // logins succeed or are refused, whichever nodes they need
		b := r.browser()
		a := b.do("/login", "user", fmt.Sprint("new-", i))
		switch {
		case a.err == nil && a.status == http.StatusOK:
			some++
			b.shows("after a login", fmt.Sprint("new-", i), "/user")
		case a.err == nil && a.status == http.StatusServiceUnavailable && !a.set:
			refused++
		default:
			t.Errorf("login: status %d (%v), cookie set: %v", a.status, a.err, a.set)
		}
		r.soon(a.took, "a login")
	}
	if some == 0 || refused == 0 {
		t.Errorf("%d logins succeeded, %d were refused; want some of each", some, refused)
	}
}

// When a replica replaces a node, the node's sessions are there again.
func TestL3ClusterFailover(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, redistest.Replicas(1))
	_, users := onCluster(t, c)
	for i, m := range c.Masters {
		m.AwaitReplica(c.Replicas[i])
	}
	c.Masters[0].Kill()
	for _, b := range users {
		until(t, "the session is served again", func() bool {
			a := b.do("/get", "key", "k")
			if a.err == nil && a.status == http.StatusOK && a.body != "v" {
				t.Fatalf("the value is %q", a.body)
			}
			return a.status == http.StatusOK
		})
		until(t, "the session can be written again", func() bool { return b.do("/set", "key", "k", "value", "v").status == http.StatusOK })
	}
}

// Moving slots under load, to nodes that do not know the scripts, costs neither a
// request nor a count.
func TestK1SlotsMoveUnderLoad(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3)
	r, users := onCluster(t, c)
	const clients, requests = 4, 25
	var load sync.WaitGroup
	for _, b := range users {
		for range clients {
			other := b.copied()
			load.Go(func() {
				for range requests {
					other.ok("/incr")
				}
			})
		}
	}
	done := make(chan struct{})
	go func() { load.Wait(); close(done) }()
	var slots []int
	for _, b := range users {
		user := b.ok("/user")
		slots = append(slots, c.Slot(r.store.Key(r.sessions(user)[0])), c.Slot(r.store.UserKey(user)))
	}
	at := map[int]int{}
	for _, slot := range slots {
		at[slot] = slices.Index(c.Masters, ownerOf(c, slot))
	}
	moves := 0
	for busy := true; busy; {
		for _, slot := range slots {
			next := (at[slot] + 1) % len(c.Masters)
			from, to := c.Masters[at[slot]], c.Masters[next]
			c.BeginMigration(slot, from, to)
			time.Sleep(2 * time.Millisecond) // requests find the slot half moved
			c.MoveKeys(slot, from, to)
			time.Sleep(2 * time.Millisecond)
			c.EndMigration(slot, to)
			to.MustDo("SCRIPT", "FLUSH")
			at[slot] = next
			moves++
		}
		select {
		case <-done:
			busy = false
		default:
		}
	}
	for _, b := range users {
		b.shows("after all requests", fmt.Sprint(clients*requests), "/visits")
	}
	if moves < len(slots) {
		t.Errorf("%d moves, want every slot moved", moves)
	}
}

// ownerOf returns the master to which slot belonged at the start.
func ownerOf(c *redistest.Cluster, slot int) *redistest.Server {
	return c.Masters[min(slot*len(c.Masters)/16384, len(c.Masters)-1)]
}
