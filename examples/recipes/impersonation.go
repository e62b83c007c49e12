package recipes

import (
	"context"
	"errors"
	"time"

	"github.com/satchel-go/satchel/core"
)

//recipe:shared

// impersonator is the administrator behind a session of somebody else.
var impersonator = core.NewKey[string]("impersonator")

var errNotAllowed = errors.New("impersonation is not allowed")

// impersonate lets an administrator see what user sees. The session is short, and the
// user's list of devices shows it: set Config.Describe, with label.
func impersonate(s *core.Session, user string) error {
	admin := s.UserID()
	_, nested := impersonator.Get(s)
	if nested || !isAdmin(admin) || isAdmin(user) || user == "" {
		return errNotAllowed
	}
	s.Login(user) // another user's session: it begins empty, and the administrator's ends
	impersonator.Set(s, admin)
	s.SetTimeouts(5*time.Minute, 30*time.Minute)
	return nil
}

// mayImpersonate is for Config.Check. Revoking the administrator's sessions does not end
// this one, which is the user's: so each request asks.
func mayImpersonate(_ context.Context, s *core.Session) error {
	if admin, ok := impersonator.Get(s); ok && !isAdmin(admin) {
		return errNotAllowed
	}
	return nil
}

// stopImpersonating ends it. The administrator logs in again.
func stopImpersonating(s *core.Session) string {
	if _, ok := impersonator.Get(s); !ok {
		return "/account"
	}
	s.Logout()
	return "/login"
}

//recipe:end
