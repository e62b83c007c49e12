package recipes

import (
	"time"

	"github.com/satchel-go/satchel/core"
)

//recipe:shared

// remaining answers GET /session: how many seconds the session has left. Asking is no
// activity.
func remaining(s *core.Session, now time.Time) map[string]int {
	s.SkipTouch()
	if s.UserID() == "" {
		return map[string]int{"seconds": 0}
	}
	return map[string]int{"seconds": int(s.IdleExpiresAt().Sub(now).Seconds())}
}

// extend answers POST /session, the button "Stay signed in".
func extend(s *core.Session, now time.Time) map[string]int {
	if s.UserID() == "" {
		return map[string]int{"seconds": 0}
	}
	// Using it moves the expiry, if a tenth of the timeout has passed.
	return map[string]int{"seconds": int(s.IdleExpiresAt().Sub(now).Seconds())}
}

//recipe:end
