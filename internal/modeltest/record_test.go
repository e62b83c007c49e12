package modeltest

import (
	"maps"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// record is the model's idea of what is stored of one session.
type record struct {
	values     map[string]int
	flashes    []flash // in the order of adding
	user       string
	created    time.Time
	loggedIn   time.Time
	deadline   time.Time
	expires    time.Time
	remembered bool
	token      int // the live token; tokens are numbered in the order of their making
	before     int // the one that its client had before, 0 for none
	renewed    time.Time
	saved      time.Time
	touched    time.Time

	version core.Version
	gone    bool
	orphan  bool // nobody was ever given its live token
	landed  bool // a login has ended well with it
}

// flash has a text of its own in each schedule.
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

// begun is the time from which the absolute lifetime counts.
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

// expiry is when r ends if it is used now and not again (promise T1).
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
	return idleTimeout-r.expires.Sub(now) >= min(touchAfter, idleTimeout) && r.expiry(now).After(r.expires)
}
