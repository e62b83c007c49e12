package gorillastore

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

// adopter reads the records of Satchel's sessions, and makes records for sessions
// that gorilla created. Those become Satchel's at their first use.
type adopter struct {
	now        func() time.Time
	ordinary   core.Timeouts
	remembered core.Timeouts
	maxAge     time.Duration // of gorilla's sessions; zero if only the store knows it
	started    time.Time     // of this process; stands in for an unknown age
}

func newAdopter() adopter {
	return adopter{
		now: time.Now, started: time.Now(), ordinary: core.Timeouts{Idle: 30 * time.Minute, Lifetime: 12 * time.Hour},
		remembered: core.Timeouts{Idle: 14 * 24 * time.Hour, Lifetime: 30 * 24 * time.Hour},
	}
}

func (a *adopter) configure(c core.Config) {
	a.now, a.started = c.Now, c.Now()
	a.ordinary, a.remembered = core.Timeouts{Idle: c.IdleTimeout, Lifetime: c.Lifetime}, c.Remembered
}

// origin is what the store knows about a session besides its values.
type origin struct {
	id         string // the store's own
	token      string
	left       time.Duration // until the store drops it; zero if unknown
	persistent bool          // its cookie outlives the browser
}

// head returns the head of the session with these values: a record without their
// content. If gorilla created the session, adopted is true and the head is new. A
// session of another scope is absent.
func (a *adopter) head(scope core.Scope, values map[any]any, from origin) (r *core.Record, adopted bool, err error) {
	if v, ok := values[headerKey]; ok {
		r, err := inplace.ParseNamed(scope, v)
		if errors.Is(err, errNotOurs) {
			err = errAbsent
		}
		return r, false, err
	}
	if scope.Namespace != "" || scope.Purpose != purposeSession || left(values) != nil {
		return nil, false, errAbsent // gorilla's sessions carry no scope
	}
	if r = a.adopt(from); !a.now().Before(r.Expires) {
		return nil, false, errAbsent
	}
	return r, true, nil
}

// adopt returns a new head for a session that gorilla created. Its last use is
// unknown and counts as now. One whose cookie outlives the browser is remembered.
func (a *adopter) adopt(from origin) *core.Record {
	now, timeouts := a.now(), a.ordinary
	if from.persistent {
		timeouts = a.remembered
	}
	r := &core.Record{ID: adoptedID(from.id), CreatedAt: a.started, SavedAt: now, Remembered: from.persistent}
	if timeouts.Lifetime > 0 {
		r.Deadline = now.Add(timeouts.Lifetime)
	}
	if written, err := writtenAt(from.token); err == nil {
		r.CreatedAt = written
		if a.maxAge > 0 {
			r.Deadline = earlier(r.Deadline, written.Add(a.maxAge))
		}
	}
	if r.CreatedAt.After(now) {
		r.CreatedAt = now
	}
	idle := timeouts.Idle
	if idle <= 0 {
		idle = defaultMaxAge
	}
	r.Expires = earlier(r.Deadline, now.Add(idle))
	if from.left > 0 {
		r.Expires = earlier(r.Expires, now.Add(from.left))
	}
	r.KeepTimes()
	return r
}

// adoptedID returns an ID for the session that gorilla knows by name. It stays the
// same in all requests until Satchel saves the session.
func adoptedID(name string) core.ID {
	hash := sha256.Sum256([]byte("satchel gorilla session\x00" + name))
	return core.ID(hash[:16])
}

// earlier returns the earlier of two times. Zero a means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
