package core

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Errors to test for with [errors.Is]. They are returned wrapped, with the layer
// that failed in front. None ever carries a token, a cryptographic key or a value.
var (
	// ErrNotFound means that there is no such session, value or user. It never
	// existed, has expired, was ended or, in calls for a user, is not theirs.
	ErrNotFound = errors.New("not found")

	// ErrConflict means that a session changed between load and save. When a store
	// returns it, the core re-applies the request's changes to the newest record.
	// The core returns it only when the commit's deadline has passed.
	ErrConflict = errors.New("changed by another request")

	// ErrUnavailable means that the backend could not answer, so it is unknown
	// whether the session exists. It is never treated as "no session". A store
	// may return any other error for this; the core wraps it.
	ErrUnavailable = errors.New("session backend unavailable")

	// ErrTooLarge means that a session is larger than [Config.MaxBytes] or its
	// backend allows. See [SizeError] for the sizes.
	ErrTooLarge = errors.New("session too large")

	// ErrTooLate means that a change came too late to be kept: it needs a new token
	// and the response header has been sent, or the request is over.
	ErrTooLate = errors.New("too late: the response has started or the request is over")

	// ErrEnded means that the session ended while this request ran: another one
	// ended or renewed it, or it expired. What this request wrote is dropped.
	ErrEnded = errors.New("session ended, or was renewed by another request")

	// ErrReadOnly means that a session cannot be written: it was served while the
	// backend was unavailable, or belongs to [Manager.View].
	ErrReadOnly = errors.New("session is read-only")

	// ErrSessionLimit means that a login was refused because the user has as
	// many sessions as [Config.SessionLimit] allows.
	ErrSessionLimit = errors.New("too many sessions for this user")

	// ErrUnsupported means that the backend does not support the call, such as
	// listing sessions that only their clients hold.
	ErrUnsupported = errors.New("not supported")

	// ErrCorrupt means that a record cannot be read. A request with such a record
	// is served as if it had no session, and an event reports it.
	ErrCorrupt = errors.New("corrupt session record")

	// ErrNewerVersion means that a newer release wrote the record. It is treated
	// as no session and is never overwritten.
	ErrNewerVersion = errors.New("session record of a newer version")
)

// unsupported is the error of a call that this backend cannot serve. It names those that can.
func unsupported(call string) error {
	return fmt.Errorf("core: %s: %w by this session backend: use core.ServerSide with memory, files, Redis or SQL", call, ErrUnsupported)
}

// SizeError says by how much a session is too large, and which value is the
// largest. It matches [ErrTooLarge].
type SizeError struct {
	Key   string // the largest value's key, "" if the session has no values
	Bytes int    // that value's encoded size
	Total int    // the whole session as it would have been stored, in bytes
	Limit int    // the largest size that is allowed, in bytes
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

// maxShown is how many bytes of a key an error shows: clients may have chosen it.
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

// ValueError says which value could not be encoded or decoded, and why.
type ValueError struct {
	Key  string // the value's key
	Type string // the Go type that was written or asked for
	Size int    // the stored value's size in bytes; zero if encoding failed
	Err  error  // the codec's error, or that of a [ReadOld]
}

// Error implements error.
func (e *ValueError) Error() string {
	if e.Size > 0 {
		return fmt.Sprintf("session value %q: decode %d bytes into %s: %v: Set or Delete it, or give its key the option ReadOld or ReplaceUnreadable", shorten(e.Key, maxShown), e.Size, e.Type, e.Err)
	}
	return fmt.Sprintf("session value %q: encode %s: %v", shorten(e.Key, maxShown), e.Type, e.Err)
}

// Unwrap returns Err.
func (e *ValueError) Unwrap() error { return e.Err }
