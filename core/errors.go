package core

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Errors to branch on with [errors.Is]. They travel wrapped, with the layer
// that failed in front; none of them ever carries a token, a key or a value.
var (
	// ErrNotFound means that there is no such session, value or user: it never
	// existed, expired, was ended or, for a user's own calls, is not theirs.
	ErrNotFound = errors.New("not found")

	// ErrConflict means that a session changed between load and save. Stores
	// return it; the core answers it by re-applying a request's changes to the
	// newest record, and passes it on only when the commit's deadline is over.
	ErrConflict = errors.New("changed by another request")

	// ErrUnavailable means that the backend could not answer, so nobody knows
	// whether the session exists. It is never treated as "no session". A store
	// may return any other error for this; the core wraps it.
	ErrUnavailable = errors.New("session backend unavailable")

	// ErrTooLarge means that a session does not fit its backend. See
	// [SizeError] for the sizes.
	ErrTooLarge = errors.New("session too large")

	// ErrTooLate means that a change came when it could no longer be kept:
	// it needs a cookie and the response header has gone, or the request is over.
	ErrTooLate = errors.New("too late: the response has started or the request is over")

	// ErrEnded means that the session was ended or renewed by another request
	// while this one ran; what this one wrote is dropped.
	ErrEnded = errors.New("session was ended or renewed by another request")

	// ErrReadOnly means a write to a session that cannot be written: one
	// served while the backend was unavailable, or one inside [Manager.View].
	ErrReadOnly = errors.New("session is read-only")

	// ErrSessionLimit means that a login was refused because the user has as
	// many sessions as [Config.SessionLimit] allows.
	ErrSessionLimit = errors.New("too many sessions for this user")

	// ErrUnsupported means that the backend cannot do what was asked, such as
	// listing sessions that only their clients hold.
	ErrUnsupported = errors.New("not supported by this session backend")

	// ErrCorrupt means bytes that are not a record. Requests with such a
	// record are served as if without a session, and an event tells.
	ErrCorrupt = errors.New("corrupt session record")

	// ErrNewerVersion means a record written by a newer release. It is treated
	// as no session and is never overwritten.
	ErrNewerVersion = errors.New("session record of a newer version")
)

// SizeError says which session did not fit, and by how much. It matches
// [ErrTooLarge].
type SizeError struct {
	Key   string // the largest value's key, "" if flashes or nothing stands out
	Bytes int    // that value's encoded size
	Total int    // the whole session as it would have been stored, in bytes
	Limit int    // the most that the backend takes, in bytes
}

// Error implements error.
func (e *SizeError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%v: %d bytes, limit %d", ErrTooLarge, e.Total, e.Limit)
	}
	return fmt.Sprintf("%v: %d bytes, limit %d; the largest value, %q, has %d", ErrTooLarge, e.Total, e.Limit, shorten(e.Key, maxShown), e.Bytes)
}

// Is reports whether target is [ErrTooLarge].
func (e *SizeError) Is(target error) bool { return target == ErrTooLarge }

// maxShown is how much of a key an error shows: clients may have chosen it.
const maxShown = 64

// shorten cuts s to at most limit bytes, between runes.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// ValueError says which value could not be encoded or decoded.
type ValueError struct {
	Key  string // the value's key
	Type string // the Go type that was written or asked for
	Size int    // the stored value's size in bytes; zero if it was to be encoded
	Err  error  // what the codec said
}

// Error implements error.
func (e *ValueError) Error() string {
	if e.Size > 0 {
		return fmt.Sprintf("session value %q: decode %d bytes into %s: %v", shorten(e.Key, maxShown), e.Size, e.Type, e.Err)
	}
	return fmt.Sprintf("session value %q: encode %s: %v", shorten(e.Key, maxShown), e.Type, e.Err)
}

// Unwrap returns what the codec said.
func (e *ValueError) Unwrap() error { return e.Err }
