package gorillastore

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// arrivals makes records of what a store has: of Satchel's sessions and of
// those that gorilla wrote by itself, which become Satchel's at their first use.
type arrivals struct {
	now            func() time.Time
	idle, lifetime time.Duration
	maxAge         time.Duration // of gorilla's sessions; zero if only the store knows
	begun          time.Time     // when this process began, for sessions of unknown age
}

func newArrivals() arrivals {
	return arrivals{now: time.Now, idle: 30 * time.Minute, lifetime: 12 * time.Hour, begun: time.Now()}
}

func (a *arrivals) configure(c core.Config) {
	a.now, a.idle, a.lifetime, a.begun = c.Now, c.IdleTimeout, c.Lifetime, c.Now()
}

// arrival is what is known of a session beside its values.
type arrival struct {
	id    string // the store's own
	token string
	left  time.Duration // until the store drops it; zero if it does not say
}

// head returns the head of the session that has these values, and whether it
// had none. What is for another scope does not exist.
func (a *arrivals) head(scope core.Scope, values map[any]any, from arrival) (r *core.Record, adopted bool, err error) {
	absent := fmt.Errorf("gorillastore: load: %w", core.ErrNotFound)
	if v, ok := values[headerKey]; ok {
		r, err := parseNamed(scope, v)
		if errors.Is(err, errNotOurs) {
			err = absent
		}
		return r, false, err
	}
	if scope.Namespace != "" || scope.Purpose != purposeSession {
		return nil, false, absent // it does not say what it is for
	}
	if r = a.adopt(from); !a.now().Before(r.Expires) {
		return nil, false, absent
	}
	return r, true, nil
}

// adopt returns the head of a session that gorilla wrote by itself. Nobody
// knows when it was used last: that is now.
func (a *arrivals) adopt(from arrival) *core.Record {
	now := a.now()
	hash := sha256.Sum256([]byte("satchel gorilla session\x00" + from.id))
	r := &core.Record{
		ID:        core.ID(hash[:16]), // the same in all requests, until Satchel has saved it
		CreatedAt: a.begun, SavedAt: now,
	}
	if a.lifetime > 0 {
		r.Deadline = now.Add(a.lifetime)
	}
	if written, err := writtenAt(from.token); err == nil {
		r.CreatedAt = written
		if a.maxAge > 0 {
			r.Deadline = sooner(r.Deadline, written.Add(a.maxAge))
		}
	}
	if r.CreatedAt.After(now) {
		r.CreatedAt = now
	}
	idle := a.idle
	if idle <= 0 {
		idle = defaultMaxAge
	}
	r.Expires = sooner(r.Deadline, now.Add(idle))
	if from.left > 0 {
		r.Expires = sooner(r.Expires, now.Add(from.left))
	}
	return r
}

// sooner returns the earlier of two times; zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// named is scope for the headers of stores which, other than securecookie, do
// not bind a session to the name of its cookie. No two are equal, so that no
// state of a session is like one that it had before.
func named(scope core.Scope) core.Scope {
	var nonce [6]byte
	_, _ = rand.Read(nonce[:]) // never fails
	scope.Purpose += "\x00" + scope.Name + "\x00" + base64.RawURLEncoding.EncodeToString(nonce[:])
	return scope
}

// parseNamed reads a header that was made for named.
func parseNamed(scope core.Scope, v any) (*core.Record, error) {
	found, record, err := splitHeader(v)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(found.Purpose, scope.Purpose+"\x00"+scope.Name+"\x00") || found.Namespace != scope.Namespace {
		return nil, errNotOurs
	}
	return core.ParseRecord(record)
}
