package core

import (
	"context"
	"fmt"
	"time"
)

// Backend turns a token into a [Record] and back. [ServerSide] and
// [ClientSide] make one from a [Store] or a [Sealer]; implement Backend only for
// something that is neither. A Backend is safe for concurrent use.
//
// Its errors mean:
//
//   - [ErrNotFound]: there is no session. The token was never issued, was tampered
//     with, or its session expired or was revoked.
//   - [ErrCorrupt], [ErrNewerVersion]: there is a session, but it cannot be read.
//   - [ErrConflict]: the session has changed; the core reloads it and re-applies.
//   - Any other error: the backend is unavailable.
//
// Optional abilities are [Registry], [Watcher], [Leaver], [Configurable] and [Validator].
type Backend interface {
	// Traits returns the backend's traits, which never change.
	Traits() Traits

	// Load returns the session that presented gives access to, with the expiry that
	// its touches have moved. The core checks the times in the record.
	Load(ctx context.Context, scope Scope, presented Tokens) (LoadResult, error)

	// Reload returns the newest state of the session behind handle. ErrNotFound
	// means that it is gone, or that handle's token is no longer the current one. If
	// that token is the previous one, Reload may say so as Load does.
	Reload(ctx context.Context, scope Scope, handle Handle) (LoadResult, error)

	// Save stores r and returns its new handle. The caller must not change r
	// afterwards.
	//
	//   - A nil base creates the session r.ID: ErrConflict if that ID is taken.
	//   - Otherwise ErrConflict if the session has changed since base, ErrNotFound
	//     if it is gone. Save never re-creates a session.
	//
	// Save returns a new token, which replaces the old one, if it creates the
	// session, if renew is true, or if the token itself carries the record.
	// Otherwise the token is "".
	Save(ctx context.Context, scope Scope, r *Record, base Handle, renew bool) (Handle, string, error)

	// Touch stores only r.Expires, and returns the session's new handle. If the
	// session has changed since base, it stores nothing and returns a handle to base's
	// state. It returns what the client is to carry from now on, and "" for what it
	// keeps. A client-side backend returns a touch and never a session token: that
	// would undo what other requests have written. [ErrConflict] means that no touch is
	// needed after all.
	Touch(ctx context.Context, scope Scope, r *Record, base Handle) (Handle, Tokens, error)

	// Delete ends the session behind handle, whatever its version or token.
	// Deleting an absent session is not an error.
	Delete(ctx context.Context, handle Handle) error
}

// Tokens are what a client carries of a session, each in a cookie or header of its own.
type Tokens struct {
	// Session is the token that gives access to the session.
	Session string

	// Touch moves the expiry of a client-side session. It means something only with
	// the very token that it was made for.
	Touch string
}

// Format implements [fmt.Formatter]. With every verb, no token is printed.
func (Tokens) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "core.Tokens") }

// Handle is a backend's own reference to what it loaded or saved. It is opaque
// to the core.
type Handle any

// LoadResult is a session as a [Backend] found it.
type LoadResult struct {
	Record Record
	Handle Handle

	// Superseded means that the token is the one before the current one, and was
	// replaced less than 30 seconds ago: the request was late, while another logged
	// in or renewed. Record then has neither values nor flashes, and the core uses
	// Handle for nothing but Delete, in a Logout. Without Handle, a Logout does
	// nothing.
	Superseded bool

	// Refresh asks for a new token at the next opportunity, because this one belongs
	// to a backend that is being retired. A client-side session waits for a write.
	Refresh bool
}

// Traits describe what a [Backend] can promise and what it needs.
type Traits struct {
	// ClientSide means that the token carries the record: every write needs a
	// Set-Cookie, the last write wins, and a copied token lives until it expires.
	// Touches travel in a cookie of their own.
	ClientSide bool

	// Local means that no call waits for a network, so none needs a deadline.
	Local bool

	// Window is how old the state may be at most that Load returns without [Fresh], or that
	// a client has a copy of ([Hybrid]). The core then uses Fresh for requests with a method other than GET, HEAD, OPTIONS and
	// TRACE (RFC 9110 section 9.2.1), and again where Load finds no session. Reload and
	// all that is done by ID return the newest state by themselves, and Save and Touch
	// compare with it. Zero means that Load does, too.
	Window time.Duration
}

// Registry is the optional ability of a [Backend] to reach sessions by ID,
// without their tokens.
type Registry interface {
	// LoadID returns the session id; saving with its handle keeps its token.
	LoadID(ctx context.Context, id ID) (LoadResult, error)

	// DeleteID ends the session id. Deleting an absent session is not an error.
	DeleteID(ctx context.Context, id ID) error

	// Users returns the index of users' sessions, or nil if there is none.
	Users() UserIndex

	// DeleteAll ends all sessions, or returns ErrUnsupported.
	DeleteAll(ctx context.Context) error
}

// Leaver is the optional ability of a [Backend] on a store that other software uses, too:
// once [Migrating] has moved a session away to a [ServerSide], that software must not find it.
type Leaver interface {
	// Leave ends the session behind base, even if it has changed since, and keeps of r who
	// it was until r.Expires. ErrNotFound means that it was gone already.
	Leave(ctx context.Context, scope Scope, r *Record, base Handle) error

	// LoadLeft returns the record that Leave has kept for a token, without values and
	// flashes. It is no session: no other method finds it.
	LoadLeft(ctx context.Context, scope Scope, presented Tokens) (*Record, error)
}

// idleGrace is how long a store keeps a session that has expired by idleness, so that
// requests which began before can still commit.
const idleGrace = time.Minute

// KeepUntil returns until when a backend should keep r: a minute beyond r.Expires,
// so that a request which began before can still save it. As r.Deadline comes near,
// it is half of the time that is left; then r.Expires can be told from the result.
// Beyond r.Deadline it only tells when the session was last used: seconds, and minutes
// where the idle timeout is a year. The core refuses whoever loads an expired session.
func (r *Record) KeepUntil() time.Time {
	grace := idleGrace
	if !r.Deadline.IsZero() {
		grace = max(0, min(grace, r.Deadline.Sub(r.Expires)/2))
	}
	return r.storedExpiry().Add(grace)
}

// setKept sets r.Expires to that of which KeepUntil is kept.
func (r *Record) setKept(kept time.Time) {
	grace := idleGrace
	if !r.Deadline.IsZero() {
		grace = max(0, min(grace, r.Deadline.Sub(kept)))
	}
	r.setStoredExpiry(kept.Add(-grace))
}

// seenStep is how exactly a stored expiry that the deadline caps tells of the last use.
const seenStep = time.Minute

// storedExpiry returns r.Expires as it is stored. It shows when the session was last
// used, unless the deadline caps it. Then a touch stores an expiry beyond the deadline, by
// a millisecond for each minute from the use to the deadline. A deadline that only
// today's lifetime has moved caps nothing that is stored, so that it can move back.
func (r *Record) storedExpiry() time.Time {
	switch {
	case !r.capped():
		return r.Expires
	case !r.uncut.IsZero():
		return r.uncut
	case r.seen.IsZero():
		return r.Expires
	}
	steps := (r.Deadline.Sub(r.seen) + seenStep - 1) / seenStep
	return r.Deadline.Add(max(0, steps) * time.Millisecond)
}

// setStoredExpiry sets r.Expires to that of which storedExpiry is stored, and r.seen.
func (r *Record) setStoredExpiry(stored time.Time) {
	r.Expires, r.seen, r.uncut = stored, time.Time{}, time.Time{}
	steps := stored.Sub(r.Deadline) / time.Millisecond
	if r.Deadline.IsZero() || steps <= 0 || steps > foreverIdle/seenStep { // the last: no deadline has capped it, or another
		return
	}
	r.Expires, r.seen = r.Deadline, r.Deadline.Add(-steps*seenStep)
}

// capped reports whether r ends with its lifetime, however it is used.
func (r *Record) capped() bool { return !r.Deadline.IsZero() && r.Expires.Equal(r.Deadline) }

// expired reports whether r has ended by now.
func (r *Record) expired(now time.Time) bool {
	return !now.Before(r.Expires) || r.outlived(now)
}

// outlived reports whether r's lifetime has ended by now.
func (r *Record) outlived(now time.Time) bool { return !r.Deadline.IsZero() && !now.Before(r.Deadline) }

// lost reports whether by now r can no longer be saved, even by a request that has
// loaded it in time.
func (r *Record) lost(now time.Time) bool { return !now.Before(r.KeepUntil()) || r.outlived(now) }
