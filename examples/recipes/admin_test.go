package recipes

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
)

// adminRoutes are adminEcho's.
func adminRoutes() routes {
	forAdmins := func(do func(call) (int, string)) func(call) (int, string) {
		return func(c call) (int, string) {
			if !isAdmin(c.s.UserID()) {
				return http.StatusForbidden, "for administrators"
			}
			return do(c)
		}
	}
	r := routes{"POST /admin/end": forAdmins(func(c call) (int, string) {
		end(c, c.sessions, c.s, c.form("session"), c.form("user"))
		return http.StatusSeeOther, "/admin/users/" + url.PathEscape(c.form("of"))
	})}
	for _, user := range []string{"ann", "bob"} {
		r["GET /admin/users/"+user] = forAdmins(func(c call) (int, string) {
			devices, err := c.sessions.List(c, user)
			if err != nil {
				return core.ErrorResponseFor(err).Status, err.Error()
			}
			return http.StatusOK, asJSON(map[string]any{"devices": devices, "flashes": c.s.Flashes()})
		})
	}
	return r
}

func TestAdmin(t *testing.T) {
	for _, f := range shown(adminEcho, adminRoutes()) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			sessions := sessiontest.New(t)
			base := serve(t, f.app(sessions.Manager))
			phone, laptop, bob := sessions.Login("ann"), sessions.Login("ann"), sessions.Login("bob")
			root := newBrowser(t, base, sessions.Login("root").Jar())
			// devices returns what the page shows, and checks its one message.
			devices := func(flash string) (ids []core.ID) {
				t.Helper()
				var shown struct {
					Devices []core.Info
					Flashes []core.Flash
				}
				if err := json.Unmarshal([]byte(root.get("/admin/users/ann").body), &shown); err != nil {
					t.Fatal(err)
				}
				if flash != "" && (len(shown.Flashes) != 1 || shown.Flashes[0].Text != flash) {
					t.Errorf("the page says %v, want %q", shown.Flashes, flash)
				}
				for _, d := range shown.Devices {
					ids = append(ids, d.ID)
				}
				return ids
			}

			shown := devices("")
			if len(shown) != 2 || shown[0] != phone.Session().ID() || shown[1] != laptop.Session().ID() {
				t.Fatalf("the page shows %v", shown)
			}
			root.post("/admin/end", "session", shown[0].String(), "of", "ann").goes("/admin/users/ann")
			phone.WantAnonymous()
			laptop.WantUser("ann")
			if left := devices("Ended."); len(left) != 1 {
				t.Errorf("the page shows %v", left)
			}
			for _, gone := range []string{shown[0].String(), "nonsense", ""} {
				root.post("/admin/end", "session", gone, "of", "ann")
				devices("There is no such session.")
			}

			annAgain := newBrowser(t, base, laptop.Jar())
			for _, res := range []reply{annAgain.get("/admin/users/bob"), annAgain.post("/admin/end", "user", "bob")} {
				if res.status != 403 {
					t.Errorf("a user who is not an administrator gets %d", res.status)
				}
			}
			bob.WantUser("bob")

			root.post("/admin/end", "user", "ann", "of", "ann")
			laptop.WantAnonymous()
			bob.WantUser("bob")
			if left := devices("Ended."); len(left) != 0 {
				t.Errorf("the page shows %v", left)
			}
		})
	}
}
