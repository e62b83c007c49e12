package modeltest

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// record is the model's idea of a stored session.
type record struct {
	values     map[string]int
	flashes    []flash // in the order in which they were added
	flashed    bool    // it has had some
	user       string
	created    time.Time
	loggedIn   time.Time
	deadline   time.Time
	expires    time.Time
	remembered bool
	own        core.Timeouts // of SetTimeouts
	token      int           // the live token; tokens are numbered as they are made
	before     int           // its client's previous one, 0 for none
	renewed    time.Time
	saved      time.Time
	touched    time.Time

	version core.Version
	gone    bool
	orphan  bool // no client was ever given its live token
	landed  bool // a login has succeeded with it
}

// flash has a unique text in each schedule.
type flash struct {
	kind, text string
	typed      bool // kind is the name of a FlashKey
	until      time.Time
}

func (r *record) clone() record {
	c := *r
	c.values, c.flashes = maps.Clone(r.values), slices.Clone(r.flashes)
	if c.values == nil {
		c.values = map[string]int{}
	}
	return c
}

func (r *record) live(now time.Time) bool { return !r.gone && now.Before(r.expires) }

// kept returns until when a request that has loaded r in time may still save it
// (promise T1).
func (r *record) kept() time.Time {
	if r.deadline.IsZero() {
		return r.expires.Add(idleGrace)
	}
	return r.expires.Add(max(0, min(idleGrace, r.deadline.Sub(r.expires)/2)))
}

// lingers reports whether the store may still have r for the seconds after its deadline
// in which the expiry tells of its last use. Until then it has a place in the index.
func (r *record) lingers(now time.Time) bool {
	return r.capped() && now.Sub(r.deadline) < time.Second
}

// unread returns the flashes of r that may still be shown.
func unread(flashes []flash, now time.Time) []flash {
	var left []flash
	for _, f := range flashes {
		if now.Before(f.until) {
			left = append(left, f)
		}
	}
	return left
}

// begun returns the time from which the absolute lifetime counts.
func (r *record) begun() time.Time {
	if r.loggedIn.IsZero() {
		return r.created
	}
	return r.loggedIn
}

// timeouts returns those that apply to r: its own, those of remembered sessions or the ordinary ones.
func (r *record) timeouts() core.Timeouts {
	t := core.Timeouts{Idle: idle, Lifetime: lifetime}
	if r.remembered {
		t = core.Timeouts{Idle: longIdle, Lifetime: longLifetime}
	}
	t.Idle, t.Lifetime = cmp.Or(r.own.Idle, t.Idle), cmp.Or(r.own.Lifetime, t.Lifetime)
	if t.Idle == core.NoTimeout {
		t.Idle = forever
	}
	return t
}

// cookieUntil returns until when a browser keeps r's cookie if it gets it now, and zero
// if it forgets it when it ends (promise T3).
func (r *record) cookieUntil(now time.Time) time.Time {
	limit := now.Add(forever)
	switch {
	case !r.remembered:
		return time.Time{}
	case r.deadline.IsZero() || r.deadline.After(limit):
		return limit
	}
	return r.deadline
}

// expiry returns when r ends if it is used now and not again (promise T1).
func (r *record) expiry(now time.Time) time.Time {
	if expires := now.Add(r.timeouts().Idle); r.deadline.IsZero() || expires.Before(r.deadline) {
		return expires
	}
	return r.deadline
}

// touchDue reports whether using r now is worth a touch (promise T2).
func (r *record) touchDue(now time.Time) bool {
	idleTimeout, after := r.timeouts().Idle, touchAfter
	if after >= idleTimeout {
		after = idleTimeout / 10
	}
	if r.capped() {
		return r.user != "" && now.Sub(r.seen()) >= max(after, time.Minute)
	}
	return idleTimeout-r.expires.Sub(now) >= after && r.expiry(now).After(r.expires)
}

// capped reports whether r ends with its lifetime, however it is used.
func (r *record) capped() bool { return r.expires.Equal(r.deadline) }

// touch notes what a touch stores. Where the deadline caps the expiry, that tells of
// the use to a minute (promise I2).
func (r *record) touch(at time.Time) {
	r.expires, r.touched = r.expiry(at), at
	r.roundTouch()
}

func (r *record) roundTouch() {
	if r.capped() && !r.touched.IsZero() {
		left := r.deadline.Sub(r.touched) + time.Minute - 1
		r.touched = r.deadline.Add(-left.Truncate(time.Minute))
	}
}

// seen returns when r was last used, as far as what is stored can tell.
func (r *record) seen() time.Time {
	seen := r.saved
	for _, at := range []time.Time{r.touched, r.expires.Add(-r.timeouts().Idle)} {
		if at.After(seen) {
			seen = at
		}
	}
	return seen
}
