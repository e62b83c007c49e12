package recipes

import (
	"net/http"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
)

var passwordFrameworks = shown(passwordEcho, routes{
	"POST /password": func(c call) (int, string) {
		if err := changePassword(c, c.s, c.form("old"), c.form("new")); err != nil {
			return core.ErrorResponseFor(err).Status, err.Error()
		}
		return http.StatusSeeOther, "/account"
	},
	"POST /reset": func(c call) (int, string) {
		user := mailed(c.form("code"))
		if user == "" {
			return http.StatusForbidden, "this link is no longer valid"
		}
		if err := resetPassword(c, c.sessions, c.s, user, c.form("new")); err != nil {
			return core.ErrorResponseFor(err).Status, err.Error()
		}
		return http.StatusSeeOther, "/account"
	},
})

func TestPassword(t *testing.T) {
	for _, f := range passwordFrameworks {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			ann := "ann of " + f.name
			users.set(ann, "first")
			sessions := sessiontest.New(t)
			base := serve(t, f.app(sessions.Manager))
			here, other, bob := sessions.Login(ann), sessions.Login(ann), sessions.Login("bob")
			b := newBrowser(t, base, here.Jar())

			b.post("/password", "old", "guess", "new", "second").goes("/account")
			here.WantFlashes(flash("error", "That is not your password."))
			other.WantUser(ann)

			before := b.token()
			b.post("/password", "old", "first", "new", "second").goes("/account")
			here.WantUser(ann)
			here.WantFlash("success", "Your password has been changed. All other devices are logged out.")
			other.WantAnonymous()
			bob.WantUser("bob")
			if before == b.token() {
				t.Error("this device has the old token")
			}
			if users.check(ann, "first") || !users.check(ann, "second") {
				t.Error("the password is not changed")
			}
		})
	}
}

func TestPasswordReset(t *testing.T) {
	for _, f := range passwordFrameworks {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			ann := "eve of " + f.name
			sessions := sessiontest.New(t)
			base := serve(t, f.app(sessions.Manager))
			thief, here := sessions.Login(ann), sessions.Visitor()
			b := newBrowser(t, base, here.Jar())
			if res := b.post("/reset", "code", "guess", "new", "third"); res.status != 403 {
				t.Errorf("a guess gets %d", res.status)
			}
			thief.WantUser(ann)
			b.post("/reset", "code", "code-for-"+ann, "new", "third").goes("/account")
			here.WantUser(ann)
			thief.WantAnonymous()
			if !users.check(ann, "third") {
				t.Error("the password is not changed")
			}
		})
	}
}
