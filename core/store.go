package core

import (
	"context"
	"time"
)

// Version marks one state of a stored entry. The store chooses it; the core
// only compares it for equality. Zero means "no entry".
type Version uint64

// Entry is what a [Store] keeps for one session.
type Entry struct {
	// Data is the sealed-off record. Its bytes are immutable: after Load or
	// Save neither side changes them, so nobody needs to copy.
	Data []byte

	// Expires is when the session ends if nothing touches it. A store may
	// drop the entry from then on, and must not return it.
	Expires time.Time

	// User is the user that the session is bound to, "" for an anonymous one.
	User string

	// Version is set by Load and ignored by Save.
	Version Version
}

// Store keeps server-side sessions: ID to [Entry]. Implementations are safe
// for concurrent use, respect the context's deadline and pass
// [github.com/satchel-go/satchel/core/storetest.Run].
//
// Errors are told apart by sentinel: [ErrNotFound] and [ErrConflict] as said
// below; every other error means that the store could not answer, and the
// core turns it into [ErrUnavailable]. A store never returns ErrNotFound
// because it could not be reached: that would log users out.
//
// Further abilities are optional interfaces: [UserIndex], [AllDeleter],
// [Sweeper], [Watcher], [InProcess]. A store that wraps another has a method
// Unwrap() Store, and the core finds the abilities of what it wraps.
type Store interface {
	// Load returns the entry of id. ErrNotFound means absent or expired.
	Load(ctx context.Context, id ID) (Entry, error)

	// Save stores e and returns its new version, which differs from base.
	//
	// With base zero the entry must not exist: ErrConflict if it does (an
	// expired one does not). Otherwise the entry must still be at base:
	// ErrConflict if it has changed since, ErrNotFound if it is gone. Save
	// never re-creates what is gone. Checking and storing are one atomic step.
	// A store that retries internally recognises its own first attempt.
	Save(ctx context.Context, id ID, e Entry, base Version) (Version, error)

	// Touch moves the entry's expiry and leaves its version alone. It has no
	// effect, and returns nil, if the entry is no longer at base; ErrNotFound
	// if it is gone.
	Touch(ctx context.Context, id ID, base Version, expires time.Time) error

	// Delete removes the entry. Deleting the absent is no error.
	Delete(ctx context.Context, id ID) error
}

// LimitPolicy says what happens to a login beyond [Config.SessionLimit].
type LimitPolicy int

const (
	// EndOldest ends the user's oldest sessions to make room, just before the
	// new one is stored: if that fails, they are gone all the same.
	EndOldest LimitPolicy = iota
	// RefuseLogin fails the commit with [ErrSessionLimit].
	RefuseLogin
)

// UserIndex is the optional ability of a [Store] to find a user's sessions.
//
// A login runs Reserve, ends the sessions that Reserve named, saves the
// session, runs Confirm, and only then hands out the token. So the index never
// misses a live session, and a limit is exact under concurrency: a session
// whose reservation was taken away in between fails at Confirm and is undone.
type UserIndex interface {
	// Reserve enters id for user. If limit is above zero and user would have
	// more than limit members, reserved ones included and vanished or expired
	// ones not, then with [EndOldest] it takes the members that were entered first out of the
	// index and returns them for the caller to delete, and with [RefuseLogin]
	// it enters nothing and returns ErrSessionLimit. An id that is already
	// a member counts once and becomes the newest.
	//
	// Whoever was to delete them may die before: so a store either deletes what
	// it takes out in the same step, or names it again in later calls, of List
	// too, until it is deleted or released.
	//
	// A reservation that is neither confirmed nor released (its process died)
	// lapses after a time of the store's choosing, at least a minute.
	Reserve(ctx context.Context, user string, id ID, limit int, policy LimitPolicy) (end []ID, err error)

	// Confirm makes the reservation permanent for as long as the entry lives,
	// at most until the given time (zero: no bound known). ErrNotFound if it
	// is no longer there.
	Confirm(ctx context.Context, user string, id ID, until time.Time) error

	// Release takes id out of user's members. Releasing the absent is no error.
	Release(ctx context.Context, user string, id ID) error

	// List returns user's members, reserved ones included, oldest first.
	// It may name sessions that are gone by now.
	List(ctx context.Context, user string) ([]ID, error)
}

// AllDeleter is the optional ability of a [Store] to delete every entry and
// every reservation in it.
type AllDeleter interface {
	DeleteAll(ctx context.Context) error
}

// Sweeper is the optional ability of a [Store] without expiry of its own to
// remove expired entries; it returns how many it removed.
type Sweeper interface {
	Sweep(ctx context.Context) (int, error)
}

// Watcher is the optional ability of a [Store] that processes share to tell
// when another process deletes entries. A [Backend] may have it too, and
// returns [ErrUnsupported] if what lies behind it has not.
type Watcher interface {
	// Watch calls ended with the ID of each entry that anybody deletes, by
	// whichever method, until ctx is done, and returns then. What expires need
	// not be told.
	//
	// The zero ID means that many may have ended, or that Watch was deaf for a
	// while: look again at all. So it is also the first that Watch tells, as
	// soon as it listens, and the first after every lost connection.
	//
	// Several may watch at the same time. Ended returns at once and is safe for
	// concurrent use; Watch does not call it after it has returned. An error
	// means that it cannot listen (any more); it is called again after a while.
	Watch(ctx context.Context, ended func(ID)) error
}

// InProcess is the optional ability of a [Store] never to wait for a network
// or a disk. Calls then need no deadline of the core's.
type InProcess interface {
	InProcess() bool
}

// scopedUser is what stores know a user by: users of different applications
// on one store are different users.
func scopedUser(namespace, user string) string {
	if namespace == "" || user == "" {
		return user
	}
	return namespace + "\x00" + user
}

// scopedIndex is a UserIndex for the users of one namespace.
type scopedIndex struct {
	UserIndex
	namespace string
}

func scopedUsers(index UserIndex, namespace string) UserIndex {
	if index == nil || namespace == "" {
		return index
	}
	return scopedIndex{index, namespace}
}

func (x scopedIndex) Reserve(ctx context.Context, user string, id ID, limit int, policy LimitPolicy) ([]ID, error) {
	return x.UserIndex.Reserve(ctx, scopedUser(x.namespace, user), id, limit, policy)
}

func (x scopedIndex) Confirm(ctx context.Context, user string, id ID, until time.Time) error {
	return x.UserIndex.Confirm(ctx, scopedUser(x.namespace, user), id, until)
}

func (x scopedIndex) Release(ctx context.Context, user string, id ID) error {
	return x.UserIndex.Release(ctx, scopedUser(x.namespace, user), id)
}

func (x scopedIndex) List(ctx context.Context, user string) ([]ID, error) {
	return x.UserIndex.List(ctx, scopedUser(x.namespace, user))
}

// storeAs finds an optional ability of store, or of what it wraps. This is
// the one place where abilities are asserted.
func storeAs[T any](store Store) (T, bool) {
	for store != nil {
		if t, ok := store.(T); ok {
			return t, true
		}
		w, ok := store.(interface{ Unwrap() Store })
		if !ok {
			break
		}
		store = w.Unwrap()
	}
	var none T
	return none, false
}
