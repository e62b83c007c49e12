package recipes

import (
	"time"

	"github.com/satchel-go/satchel/core"
)

//recipe:shared

// sudoFor is how long a password counts for what needs it.
const sudoFor = 10 * time.Minute

var confirmFor = core.NewKey[string]("confirm_for")

// confirmed reports whether the user has given the password recently. If not, send them
// to /confirm: page is where they come back to, by GET.
func confirmed(s *core.Session, page string, now time.Time) bool {
	if s.UserID() != "" && now.Sub(s.AuthenticatedAt()) < sudoFor {
		return true
	}
	if ours(page) {
		confirmFor.Set(s, page)
	}
	return false
}

// confirm checks the password again and returns where to go next.
func confirm(s *core.Session, password string) string {
	if s.UserID() == "" {
		return "/login"
	}
	if !users.check(s.UserID(), password) { // limit attempts, as at the login
		s.Flash("error", "Wrong password.")
		return "/confirm"
	}
	s.Reauthenticate() // a new token; "remember me" and timeouts stay
	if page, ok := confirmFor.Pop(s); ok {
		return page
	}
	return "/account"
}

//recipe:end
