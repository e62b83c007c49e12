package recipes

import (
	"testing"

	"github.com/satchel-go/satchel/core/sessiontest"
)

func TestPassword(t *testing.T) {
	for _, f := range frameworks(passwordNetHTTP, passwordEcho, passwordGin, passwordFiber) {
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
	for _, f := range frameworks(passwordNetHTTP, passwordEcho, passwordGin, passwordFiber) {
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
