package recipes

import (
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
)

func TestImpersonation(t *testing.T) {
	for _, f := range mounted(routes{
		"POST /impersonate": func(c call) (int, string) {
			if err := impersonate(c.s, c.form("user")); err != nil {
				return 403, err.Error()
			}
			return 303, "/account"
		},
		"POST /stop": func(c call) (int, string) { return 303, stopImpersonating(c.s) },
	}) {
		t.Run(f.name, func(t *testing.T) {
			admin := "admin of " + t.Name()
			admins.set(admin, true)
			sessions := sessiontest.New(t, func(c *core.Config) {
				c.Check = mayImpersonate
				c.Describe = func(core.Exchange) string { return "support" }
			})
			ann, root := sessions.Login("ann"), sessions.Login(admin)
			in(ann, func(s *core.Session) { s.Set("k", "ann's") })
			in(root, func(s *core.Session) { s.Set("k", "root's") })
			b := newBrowser(t, serve(t, f.app(sessions.Manager)), root.Jar())
			for _, user := range []string{admin, "root", ""} { // an administrator, oneself, nobody
				if res := b.post("/impersonate", "user", user); res.status != 403 {
					t.Errorf("impersonating %q: %d", user, res.status)
				}
			}
			root.WantUser(admin)

			b.post("/impersonate", "user", "ann").goes("/account")
			root.WantUser("ann")
			sessiontest.Want(root, impersonator, admin)
			in(root, func(s *core.Session) {
				if _, ok := core.Get[string](s, "k"); ok {
					t.Error("the administrator's values came along")
				}
				if left := s.IdleExpiresAt().Sub(sessions.Now()); left > 5*time.Minute {
					t.Errorf("the session lasts %v", left)
				}
				if list, err := s.List(t.Context()); err != nil || len(list) != 2 || list[1].Label != "support" {
					t.Errorf("ann's devices: %+v, %v", list, err)
				}
			})
			ann.WantUser("ann")
			if res := b.post("/impersonate", "user", "bob"); res.status != 403 {
				t.Errorf("from one user to the next: %d", res.status)
			}

			admins.set(admin, false)
			root.WantAnonymous()
			ann.WantUser("ann")
			b.post("/stop").goes("/account")
		})
	}
}

func TestImpersonationStops(t *testing.T) {
	const admin = "admin"
	admins.set(admin, true)
	sessions := sessiontest.New(t)
	root := sessions.Login(admin)
	in(root, func(s *core.Session) {
		if err := impersonate(s, "ann"); err != nil {
			t.Fatal(err)
		}
	})
	in(root, func(s *core.Session) {
		if to := stopImpersonating(s); to != "/login" {
			t.Errorf("goes to %s", to)
		}
	})
	root.WantAnonymous()
}

// TestImpersonationCounts: with a SessionLimit, an impersonation can end the user's oldest device.
func TestImpersonationCounts(t *testing.T) {
	sessions := sessiontest.New(t, func(c *core.Config) { c.SessionLimit = 1 })
	admins.set("admin of "+t.Name(), true)
	ann, root := sessions.Login("ann"), sessions.Login("admin of "+t.Name())
	in(root, func(s *core.Session) {
		if err := impersonate(s, "ann"); err != nil {
			t.Error(err)
		}
	})
	root.WantUser("ann")
	ann.WantAnonymous()
}
