package scsstore

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// steps returns a site that scs has served, and the steps that follow.
func steps(t testing.TB, edit func(*core.Config)) (before, ready, moving, after *site, store *memory) {
	t.Helper()
	store = newMemory()
	old := newOld(store)
	before = &site{t: t, old: old, now: time.Now(), cookies: map[string]string{}}
	ready, moving, after = migrating(t, before, ourKeys, edit)
	store.now = func() time.Time { return before.now }
	return before, ready, moving, after, store
}

func TestMigrationOfALogin(t *testing.T) {
	before, ready, moving, after, store := steps(t, nil)
	before.loginSCS("ann")
	before.scs(func(ctx context.Context) { before.old.Put(ctx, "flash", "Welcome.") })
	token := before.cookies["session"]
	ready.has("ann", "v")
	before.scs(func(ctx context.Context) {
		if before.old.GetString(ctx, "user") != "ann" {
			t.Error("scs does not know who is logged in")
		}
	})
	moving.has("ann", "v")
	if before.cookies["session"] == token {
		t.Error("the client keeps its token")
	}
	moving.has("ann", "v")
	after.do(func(x *core.Session) {
		if got := x.Flashes(); x.UserID() != "ann" || !slices.Equal(got, []core.Flash{{Kind: "flash", Text: "Welcome."}}) {
			t.Errorf("user %q, flashes %v", x.UserID(), got)
		}
		// It is in the new backend's index.
		if list, err := x.List(t.Context()); err != nil || len(list) != 1 {
			t.Errorf("%d sessions are listed: %v", len(list), err)
		}
	})
	before.cookies["session"] = token // scs has nothing under the old one
	before.scs(func(ctx context.Context) {
		if got := before.old.Keys(ctx); len(got) > 1 {
			t.Errorf("scs still has %v", got)
		}
	})
	before.now = before.now.Add(25 * time.Hour)
	if _, ok, _ := store.Find(token); ok {
		t.Error("the rest of the old session stays for longer than it would have lasted")
	}
}

func TestK2LogoutAfterTheMoveIsFinal(t *testing.T) {
	for _, presented := range []string{"old", "new"} {
		before, ready, moving, after, _ := steps(t, nil)
		before.loginSCS("ann")
		old := maps.Clone(before.cookies)
		moving.has("ann", "v")
		if presented == "old" { // the answer was lost
			maps.Copy(before.cookies, old)
		}
		moving.do(func(x *core.Session) { x.Logout() })
		for _, s := range []*site{moving, ready, after} {
			maps.Copy(before.cookies, old)
			s.do(func(x *core.Session) {
				if x.UserID() != "" {
					t.Errorf("%s token: the session lives after its logout", presented)
				}
			})
		}
		maps.Copy(before.cookies, old)
		before.scs(func(ctx context.Context) {
			if got := before.old.GetString(ctx, "user"); got != "" {
				t.Errorf("%s token: %q is logged in with scs", presented, got)
			}
		})
	}
}

// Whatever becomes of the first answer, the old token is good until the new one is shown.
func TestL2ALostAnswerLogsNobodyOut(t *testing.T) {
	before, _, moving, after, _ := steps(t, nil)
	before.loginSCS("ann")
	old := maps.Clone(before.cookies)
	for range 3 {
		maps.Copy(before.cookies, old)
		moving.has("ann", "v")
		before.now = before.now.Add(5 * time.Hour)
	}
	maps.Copy(before.cookies, old)
	moving.has("ann", "v")
	after.has("ann", "v")
}

func TestK1OverlappingRequestsWithTheOldToken(t *testing.T) {
	before, _, moving, after, store := steps(t, func(c *core.Config) { c.CommitTimeout, c.LoadTimeout = time.Minute, time.Minute })
	before.loginSCS("ann")
	const n = 16
	clients := make([]*site, n)
	var arrived, all sync.WaitGroup
	arrived.Add(n)
	for i := range clients {
		clients[i] = &site{t: t, m: moving.m, cookies: maps.Clone(before.cookies)}
		all.Go(func() {
			clients[i].do(func(x *core.Session) {
				arrived.Done()
				arrived.Wait() // all have loaded it
				if x.UserID() != "ann" {
					t.Errorf("a request is %q's", x.UserID())
				}
				core.Update(x, "n", func(n int) int { return n + 1 })
			})
		})
	}
	all.Wait()
	for _, c := range clients {
		after.cookies = c.cookies
		moving.cookies = c.cookies
		moving.do(func(x *core.Session) {
			if got, _ := core.Get[int](x, "n"); got != n || x.UserID() != "ann" {
				t.Errorf("%d of %d changes, user %q", got, n, x.UserID())
			}
		})
	}
	if got := len(store.content()); got != 1 {
		t.Errorf("scs has %d sessions", got)
	}
}

// A login here of a session that scs began, and back.
func TestMigrationAndBack(t *testing.T) {
	before, ready, moving, _, _ := steps(t, nil)
	before.scs(func(ctx context.Context) { before.old.Put(ctx, "k", "v") })
	moving.do(func(x *core.Session) {
		x.Login("ann")
		x.Set("n", 3)
		x.Flash("flash", "Hello.")
	})
	ready.do(func(x *core.Session) { x.Set("m", 4) })
	ready.has("ann", "v")
	before.scs(func(ctx context.Context) {
		o := before.old
		if o.GetString(ctx, "user") != "ann" || o.GetInt(ctx, "n") != 3 || o.GetInt(ctx, "m") != 4 || o.PopString(ctx, "flash") != "Hello." {
			t.Errorf("scs has %v", o.Keys(ctx))
		}
	})
	before.scs(func(ctx context.Context) {
		if err := before.old.Destroy(ctx); err != nil {
			t.Fatal(err)
		}
	})
	ready.has("", "")
}

// What scs does with what is left of a session gets nobody into the one that has moved.
func TestSEC2SCSUsesWhatWasLeft(t *testing.T) {
	before, _, moving, _, _ := steps(t, nil)
	before.loginSCS("ann")
	old := maps.Clone(before.cookies)
	moving.has("ann", "v")
	maps.Copy(before.cookies, old)
	for _, renew := range []bool{false, true} {
		before.scs(func(ctx context.Context) {
			if renew {
				if err := before.old.RenewToken(ctx); err != nil {
					t.Fatal(err)
				}
			}
			before.old.Put(ctx, "user", "eve")
		})
		moving.do(func(x *core.Session) {
			if k, _ := core.Get[string](x, "k"); x.UserID() == "ann" || k != "" {
				t.Errorf("renewed %v: user %q with k %q", renew, x.UserID(), k)
			}
		})
	}
}

// In a rolling deployment, requests reach both steps; answers of the later one get lost.
func TestL2K1ReadyAndMovingSideBySide(t *testing.T) {
	for seed := range uint64(20) {
		before, ready, moving, _, _ := steps(t, nil)
		before.loginSCS("ann")
		random, n := rand.New(rand.NewPCG(seed, 1)), 0
		add := func(x *core.Session) {
			if x.UserID() != "ann" {
				t.Fatalf("seed %d: request %d is %q's", seed, n, x.UserID())
			}
			n++
			core.Update(x, "n", func(n int) int { return n + 1 })
		}
		for range 40 {
			old := maps.Clone(before.cookies)
			switch random.IntN(3) {
			case 0:
				ready.do(add)
			case 1:
				moving.do(add)
			case 2:
				moving.do(add)
				maps.Copy(before.cookies, old)
			}
			before.now = before.now.Add(time.Duration(random.IntN(20)) * time.Second)
		}
		moving.do(func(x *core.Session) {
			if got, _ := core.Get[int](x, "n"); got != n {
				t.Errorf("seed %d: %d of %d changes", seed, got, n)
			}
		})
	}
}
