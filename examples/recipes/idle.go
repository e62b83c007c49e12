package recipes

import (
	"context"
	"math"
	"time"

	"github.com/satchel-go/satchel/core"
)

//recipe:shared

// remaining answers GET /session: how many seconds the session has left, rounded up, since
// a page that is reloaded before its session is over keeps it alive. Asking is no activity.
func remaining(s *core.Session, now time.Time) map[string]int {
	s.SkipTouch()
	if s.UserID() == "" {
		return map[string]int{"seconds": 0}
	}
	return map[string]int{"seconds": int(math.Ceil(s.IdleExpiresAt().Sub(now).Seconds()))}
}

// extend answers POST /session, the button "Stay signed in".
func extend(ctx context.Context, s *core.Session, now time.Time) (map[string]int, error) {
	if s.UserID() == "" { // asking is use, and so moves the expiry at the commit
		return map[string]int{"seconds": 0}, nil
	}
	err := s.Commit(ctx) // now, to know the new time
	return map[string]int{"seconds": int(math.Ceil(s.IdleExpiresAt().Sub(now).Seconds()))}, err
}

//recipe:end
