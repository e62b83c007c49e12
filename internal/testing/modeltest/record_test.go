package modeltest

import (
	"maps"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// record is the model's idea of a stored session.
type record struct {
	values     map[string]int
	flashes    []flash // in the order in which they were added
	user       string
	created    time.Time
	loggedIn   time.Time
	deadline   time.Time
	expires    time.Time
	remembered bool
	token      int // the live token; tokens are numbered as they are made
	before     int // its client's previous one, 0 for none
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
	until      time.Time
}

func (f flash) String() string { return "{" + f.kind + " " + f.text + "}" }

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
	return r.expires.Add(min(idleGrace, r.deadline.Sub(r.expires)/2))
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

func (r *record) timeouts() (idleTimeout, life time.Duration) {
	if r.remembered {
		return longIdle, longLifetime
	}
	return idle, lifetime
}

// expiry returns when r ends if it is used now and not again (promise T1).
func (r *record) expiry(now time.Time) time.Time {
	idleTimeout, _ := r.timeouts()
	if expires := now.Add(idleTimeout); expires.Before(r.deadline) {
		return expires
	}
	return r.deadline
}

// touchDue reports whether using r now is worth a touch (promise T2).
func (r *record) touchDue(now time.Time) bool {
	idleTimeout, _ := r.timeouts()
	after := min(touchAfter, idleTimeout)
	if r.capped() {
		return r.user != "" && now.Sub(r.seen()) >= after
	}
	return idleTimeout-r.expires.Sub(now) >= after && r.expiry(now).After(r.expires)
}

// capped reports whether r ends with its lifetime, however it is used.
func (r *record) capped() bool { return r.expires.Equal(r.deadline) }

// touch notes what a touch stores. Where the deadline caps the expiry, that tells of
// the use to a minute (promise I2).
func (r *record) touch(at time.Time) {
	r.expires, r.touched = r.expiry(at), at
	if r.capped() {
		left := r.deadline.Sub(at) + time.Minute - 1
		r.touched = r.deadline.Add(-left.Truncate(time.Minute))
	}
}

// seen returns when r was last used, as far as what is stored can tell.
func (r *record) seen() time.Time {
	idleTimeout, _ := r.timeouts()
	seen := r.saved
	for _, at := range []time.Time{r.touched, r.expires.Add(-idleTimeout)} {
		if at.After(seen) {
			seen = at
		}
	}
	return seen
}
