package core

import (
	"context"
	"time"
)

// Backend turns a token into a [Record] and back. [ServerSide] and
// [ClientSide] make one of a [Store] or a [Sealer]; implement Backend only for
// something that is neither. A Backend is safe for concurrent use.
//
// Errors: [ErrNotFound] means that there is no session (never issued, tampered
// with, expired, revoked), [ErrCorrupt] and [ErrNewerVersion] that there is one
// which cannot be read; [ErrConflict] asks the core to Reload and re-apply.
// Every other error means unavailable.
//
// Optional abilities are [Directory] and [Watcher].
type Backend interface {
	// Traits says what the backend is like. The answer never changes.
	Traits() Traits

	// Load returns the session that token gives the right to. The core checks
	// the times in the record.
	Load(ctx context.Context, scope Scope, token string) (Loaded, error)

	// Reload returns the newest state of the session behind handle. ErrNotFound
	// means that it is gone, or that handle's token is no longer the current one.
	Reload(ctx context.Context, scope Scope, handle Handle) (Loaded, error)

	// Save stores r, which must not be changed afterwards, and returns its new handle. A
	// nil base creates the session r.ID: ErrConflict if that ID is taken.
	// Otherwise ErrConflict if the session changed since base, ErrNotFound if it
	// is gone; it is never re-created. With renew (always on creation), or if the
	// token itself carries the record, Save returns the token that from now on is
	// the only one; else "".
	Save(ctx context.Context, scope Scope, r *Record, base Handle, renew bool) (Handle, string, error)

	// Touch stores r.Expires alone, with the results of Save. It has no effect
	// if the session has changed since base, and returns base then.
	Touch(ctx context.Context, scope Scope, r *Record, base Handle) (Handle, string, error)

	// Delete ends the session behind handle, whatever its version or token.
	// Deleting the absent is no error.
	Delete(ctx context.Context, handle Handle) error
}

// Handle is a backend's own note of what it loaded or saved: opaque to the core.
type Handle any

// Loaded is a session as a [Backend] found it.
type Loaded struct {
	Record Record
	Handle Handle

	// Superseded means that the token is the one before the current: of a
	// request that was late while another logged in or renewed. Record is empty.
	Superseded bool

	// Refresh asks for a new token at the next opportunity, because this one
	// was made with a key, or belongs to a backend, that is being retired.
	Refresh bool
}

// Traits tell the core what a [Backend] can promise and what it needs.
type Traits struct {
	// ClientSide means that the token carries the record: every write needs a
	// Set-Cookie, the last response wins, and a copied token lives until it expires.
	ClientSide bool

	// InProcess means that no call waits for a network, so that none needs a deadline.
	InProcess bool
}

// Directory is the optional ability of a [Backend] to reach sessions by ID,
// without their tokens.
type Directory interface {
	// LoadID returns the session id; saving with its handle keeps its token.
	LoadID(ctx context.Context, id ID) (Loaded, error)

	// DeleteID ends the session id. Deleting the absent is no error.
	DeleteID(ctx context.Context, id ID) error

	// Users returns the index of users' sessions, or nil if there is none.
	Users() UserIndex

	// DeleteAll ends all sessions, or returns ErrUnsupported.
	DeleteAll(ctx context.Context) error
}

// starter is the optional ability of a [Backend] to be given what the
// Manager's Config holds.
type starter interface {
	start(c *Config) (Backend, error)
}

// started returns the backend that a Manager with c uses for b.
func started(b Backend, c *Config) (Backend, error) {
	switch b := b.(type) {
	case starter:
		return b.start(c)
	case ConfigurableBackend:
		return b.WithConfig(*c)
	}
	return b, nil
}

// expired reports whether r has ended by now.
func (r *Record) expired(now time.Time) bool {
	return !now.Before(r.Expires) || !r.Deadline.IsZero() && !now.Before(r.Deadline)
}
