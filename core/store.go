package core

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Version marks one state of a stored entry. The store chooses it; the core
// only compares it for equality. Zero means "no entry".
type Version uint64

// Entry is what a [Store] keeps for one session.
type Entry struct {
	// Data is the encoded record; stores treat it as opaque. Its bytes are
	// immutable: after Load or Save neither side changes them, and neither copies.
	Data []byte

	// Expires is when the entry ends unless it is touched. From then on a store
	// must not return it, and may drop it. A store keeps it to the millisecond. The core
	// chooses a minute after the session's idle expiry, which it enforces itself, or at
	// most seconds after its lifetime, which then tell when the session was last used.
	Expires time.Time

	// User is the user that the session is bound to; "" if it is anonymous. Data does not
	// repeat it, so Load returns it as it was saved, byte for byte.
	User string

	// Version is set by Load and ignored by Save.
	Version Version
}

// Store keeps server-side sessions, one [Entry] for each ID. Implementations
// are safe for concurrent use, respect the context's deadline and pass
// [github.com/satchel-go/satchel/core/storetest.Run].
//
// Methods return [ErrNotFound] and [ErrConflict] as described below, and
// [ErrCorrupt] or [ErrNewerVersion] for an entry that cannot be read. Any other
// error means that the store could not answer; the core turns it into
// [ErrUnavailable]. A store that cannot be reached must not return ErrNotFound:
// that would log users out.
//
// Further abilities are optional interfaces: [UserIndex], [Mender], [TouchMender],
// [AllDeleter], [Sweeper], [Counter], [UserNamer], [Watcher], [PulseWatcher], [Invalidator],
// [Local], [Windowed], [Configurable] and [Validator]. A store that wraps another has a
// method Unwrap() Store, and the core finds the abilities of what it wraps.
type Store interface {
	// Load returns the entry of id, or ErrNotFound if it is absent or expired.
	Load(ctx context.Context, id ID) (Entry, error)

	// Save stores e and returns its new version, which differs from base.
	//
	//   - If base is zero, the entry must not exist: ErrConflict if it does. An
	//     expired entry counts as gone.
	//   - Otherwise the entry must still be at base: ErrConflict if it has
	//     changed since, ErrNotFound if it is gone.
	//
	// Save never re-creates an entry that is gone. It checks and stores in one
	// atomic step. A store that retries internally recognises its own first attempt.
	Save(ctx context.Context, id ID, e Entry, base Version) (Version, error)

	// Touch moves the entry's expiry and leaves its version alone. If the entry
	// is no longer at base, Touch changes nothing and returns nil. If the entry
	// is gone, it returns ErrNotFound.
	Touch(ctx context.Context, id ID, base Version, expires time.Time) error

	// Delete removes the entry. Deleting an absent entry is not an error.
	Delete(ctx context.Context, id ID) error
}

// LimitPolicy says what happens to a login beyond [Config.SessionLimit].
type LimitPolicy int

const (
	// EndOldest ends the user's oldest sessions to make room, just before the
	// new one is stored. If storing it fails, they are still gone.
	EndOldest LimitPolicy = iota
	// RefuseLogin fails the commit with [ErrSessionLimit].
	RefuseLogin
	// Ceiling is EndOldest for a limit that need not be exact: vanished and expired
	// members may count. It is no choice for [Config.LimitPolicy]; stores are given
	// it with [Config.MaxUserSessions]. A store may treat it as EndOldest.
	Ceiling
)

// UserIndex is the optional ability of a [Store] to find a user's sessions.
//
// A login calls Reserve, ends the sessions that Reserve returned, saves the
// session, calls Confirm, and only then hands out the token. The index therefore
// never misses a live session. A limit is exact under concurrency: a session that
// loses its reservation in between fails at Confirm and is undone.
type UserIndex interface {
	// Reserve enters id as user's newest member. An id that is already a member
	// counts once.
	//
	// A limit above zero bounds user's members: reserved ones count, vanished and
	// expired ones do not. If id would exceed the limit, policy decides:
	//
	//   - With [EndOldest], Reserve takes the members that were entered first out
	//     of the index and returns them for the caller to delete.
	//   - With [RefuseLogin], it enters nothing and returns ErrSessionLimit.
	//   - With [Ceiling], it does as with EndOldest, but may count more members, and
	//     may leave some of many for later logins to take out.
	//
	// Without a limit, or below a Ceiling, Reserve should cost the same however many
	// members there are.
	//
	// The caller may die before it deletes them. A store therefore either deletes
	// them in the same step, or returns them again from later calls of Reserve and
	// List until they are deleted or released. With a Ceiling, List is enough.
	//
	// A reservation that is neither confirmed nor released, because its process
	// died, lapses after a time that the store chooses, at least a minute.
	Reserve(ctx context.Context, user string, id ID, limit int, policy LimitPolicy) (end []ID, err error)

	// Confirm makes the reservation permanent for as long as the entry lives,
	// whatever touches and saves extend it. It returns ErrNotFound if the
	// reservation is gone.
	//
	// Until is when the entry expires unless it is extended; zero means that the caller
	// knows no bound, and that one that was given before still holds, also for a member
	// that Reserve had taken out. Only an index that is a [Mender] may make use of it, and
	// forget the member a few minutes after the latest time that it was given. Any
	// other is always given zero.
	Confirm(ctx context.Context, user string, id ID, until time.Time) error

	// Release removes id from user's members. Releasing an absent id is not an
	// error.
	Release(ctx context.Context, user string, id ID) error

	// List returns user's members, reserved ones included, oldest first. Some of
	// them may be gone already. A [Mender] may return them with an [IncompleteError].
	List(ctx context.Context, user string) ([]ID, error)
}

// Mender is the optional ability of a [UserIndex] that can lose members, or that
// lets them go by the clock: its members can be put back. The core looks for it in
// the UserIndex itself, not in what that wraps, for a wrapper may name users
// otherwise.
type Mender interface {
	// Mend makes id a confirmed member of user if it is none and its entry lives,
	// as far as the index can tell. It changes nothing that is there: a member
	// keeps its place, a reservation still waits for its Confirm, and what Reserve
	// has taken out stays so.
	//
	// A member was missing, so others may be. In the step that enters one, Mend
	// therefore marks user's index as incomplete, unless it is marked. The mark lasts
	// at least as long as what Mend entered would, whatever is released meanwhile.
	// While it is there, List returns an [IncompleteError].
	//
	// Until is when the entry expires. A member is kept for at least a few minutes
	// longer; an earlier time than before shortens nothing. The core calls Mend
	// after touches, and when a save has moved the expiry by some minutes.
	Mend(ctx context.Context, user string, id ID, until time.Time) error

	// Search returns every entry of these users that the store has, in any order,
	// whether or not the index names it. It looks at all entries. If it could not,
	// it returns an error.
	Search(ctx context.Context, users ...string) ([]ID, error)

	// Forgetful reports whether the store drops parts of the index at will, for
	// example when its memory is full. RevokeUser and UpdateUser then search.
	Forgetful() bool
}

// IncompleteError is what List of a [Mender] returns beside user's members while the
// index is marked: others may be missing. The core then searches the whole store.
type IncompleteError struct {
	// Restored takes the mark away, unless it has been taken away and set again since
	// that List. The core calls it once a search that began after the List has put
	// back all that it found.
	Restored func(ctx context.Context) error
}

// Error implements error.
func (e *IncompleteError) Error() string { return "the index of the user's sessions has lost some" }

// listed returns the members of user in index, and how they are incomplete, if so.
func listed(ctx context.Context, index UserIndex, user string) (ids []ID, lost *IncompleteError, err error) {
	ids, err = index.List(ctx, user)
	if errors.As(err, &lost) {
		err = nil
	}
	return ids, lost, err
}

// TouchMender is the optional ability of a [Store] that is a [Mender] on a network
// to touch and mend in one round trip. A store that embeds one and has its own Touch
// must have its own TouchAndMend too: the core calls that instead.
type TouchMender interface {
	// TouchAndMend is Touch of an entry of user's, then Mend until expires, unless
	// the entry is gone. The error is Touch's.
	TouchAndMend(ctx context.Context, user string, id ID, base Version, expires time.Time) error
}

// AllDeleter is the optional ability of a [Store] to delete every entry and
// every reservation in it.
type AllDeleter interface {
	DeleteAll(ctx context.Context) error
}

// Sweeper is the optional ability of a [Store] that has no expiry of its own to
// remove expired entries. Sweep returns how many it removed.
type Sweeper interface {
	Sweep(ctx context.Context) (int, error)
}

// Counter is the optional ability of a [Store] to count its entries at a cost that a
// metric read every few seconds may have: no walk over the data of them all. Count
// returns how many entries live, whichever Manager they belong to. Entries that have
// expired do not count, also where they are not removed yet.
type Counter interface {
	Count(ctx context.Context) (int, error)
}

// UserNamer is the optional ability of a [UserIndex] that wraps another and knows users by
// other names there, for [Manager.StoredUsers].
type UserNamer interface {
	// StoredUsers returns the names under which entries of user may be stored.
	StoredUsers(user string) []string
}

// Watcher is the optional ability of a shared [Store] to report entries that
// other processes delete. A [Backend] may have it too, and returns
// [ErrUnsupported] if its store does not.
type Watcher interface {
	// Watch calls ended with the ID of each deleted entry, whichever process and
	// method deleted it. It returns when ctx is done. It need not report entries
	// that expire.
	//
	// The zero ID means that many entries may have ended, or that Watch has missed
	// some: the receiver looks again at every session. Watch therefore reports it
	// first, as soon as it listens, and first after every lost connection.
	//
	// Watch may run several times at once. The function ended returns at once and is
	// safe for concurrent use; Watch does not call it after returning. An error
	// means that Watch cannot listen, or no longer can; the core tries again later.
	Watch(ctx context.Context, ended func(ID)) error
}

// PulseWatcher is the optional ability of a [Watcher] to tell that it still hears.
// While it does, [Manager.Done] looks only once a minute whether a session has ended.
type PulseWatcher interface {
	Watcher

	// WatchPulse is Watch. Besides, it calls alive whenever it has just been shown that
	// what the store tells still arrives: every few seconds, at least once in five. A
	// connection that answers is not enough, since the store may by then be on another
	// server. It never calls alive for anything older than five seconds.
	WatchPulse(ctx context.Context, ended func(ID), alive func()) error
}

// Invalidator is the optional ability of a shared [Store] to report every change of its
// entries, so that copies of them can be kept elsewhere: see package nearcache.
type Invalidator interface {
	// Invalidations calls changed with the ID of each entry that anybody creates, saves,
	// touches or deletes, by whatever means; it may report too many. The zero ID stands for
	// all entries. It is reported first, as soon as Invalidations listens: what changes
	// from then on is told. An entry that expires at the time it carries need not be.
	//
	// It calls alive(t) about once in each interval, when every change that the store made
	// before t has been reported. The time t has a monotonic reading of this process's
	// clock. Without such a call, the receiver does not know what it has missed.
	//
	// It returns when ctx is done, or with an error as soon as it may have missed a
	// change. An error that matches [ErrUnsupported] says that it can never work with
	// this store as it is set up, and what to change. Both functions return at once, and are
	// called by one goroutine.
	Invalidations(ctx context.Context, interval time.Duration, changed func(ID), alive func(t time.Time)) error
}

// Local is the optional ability of a [Store] never to wait for a network
// or a disk. Calls then need no deadline of the core's.
type Local interface {
	Local() bool
}

// scopedUser is the name by which stores know a user: users of different
// applications on one store are different users. A namespace is written with its
// length, so that no user's name reads as another's with a namespace. A user
// without one keeps the plain name, unless it looks like one that has a namespace.
func scopedUser(namespace, user string) string {
	if user == "" || namespace == "" && user[0] != scopeMark {
		return user
	}
	return string(scopeMark) + strconv.Itoa(len(namespace)) + "]" + namespace + user
}

// unscopedUser returns the user that scopedUser was given.
func unscopedUser(stored string) (string, error) {
	if stored == "" || stored[0] != scopeMark {
		return stored, nil
	}
	length, rest, found := strings.Cut(stored[1:], "]")
	n, err := strconv.Atoi(length)
	if !found || err != nil || n < 0 || n >= len(rest) {
		return "", fmt.Errorf("%w: the entry's user is malformed", ErrCorrupt)
	}
	return rest[n:], nil
}

// scopeMark begins the names that carry a namespace. No text column refuses it.
const scopeMark = '['

// scopedIndex is a UserIndex for the users of one namespace, with its calls passing
// a failFast. Only a login may be refused, and nothing else begins with Reserve.
type scopedIndex struct {
	UserIndex
	namespace string
	calls     *failFast
}

func scopedUsers(index UserIndex, namespace string, f *failFast) UserIndex {
	if index == nil {
		return nil
	}
	scoped := scopedIndex{index, namespace, f}
	if mender, ok := index.(Mender); ok {
		return scopedMender{scoped, mender}
	}
	return scoped
}

// scopedMender is a scopedIndex that is a Mender.
type scopedMender struct {
	scopedIndex
	mender Mender
}

func (x scopedMender) Mend(ctx context.Context, user string, id ID, until time.Time) (err error) {
	c, err := x.calls.insist(ctx), errUnfinished
	defer func() { x.calls.answered(ctx, c, err) }()
	return x.mender.Mend(ctx, scopedUser(x.namespace, user), id, until)
}

func (x scopedMender) Search(ctx context.Context, users ...string) (ids []ID, err error) {
	scoped := make([]string, len(users))
	for i, user := range users {
		scoped[i] = scopedUser(x.namespace, user)
	}
	c, err := x.calls.insist(ctx), errUnfinished
	defer func() { x.calls.answered(ctx, c, err) }()
	return x.mender.Search(ctx, scoped...)
}

func (x scopedMender) Forgetful() bool { return x.mender.Forgetful() }

// confirm confirms id in index, which is told when the entry expires only if it
// can be told later that it lives longer.
func confirm(ctx context.Context, index UserIndex, user string, id ID, expires time.Time) error {
	if _, ok := index.(Mender); !ok {
		expires = time.Time{}
	}
	return index.Confirm(ctx, user, id, expires)
}

func (x scopedIndex) Reserve(ctx context.Context, user string, id ID, limit int, policy LimitPolicy) (end []ID, err error) {
	c, err := x.calls.ask(ctx)
	if err != nil {
		return nil, err
	}
	err = errUnfinished
	defer func() { x.calls.answered(ctx, c, err) }()
	return x.UserIndex.Reserve(ctx, scopedUser(x.namespace, user), id, limit, policy)
}

func (x scopedIndex) Confirm(ctx context.Context, user string, id ID, until time.Time) (err error) {
	c, err := x.calls.insist(ctx), errUnfinished
	defer func() { x.calls.answered(ctx, c, err) }()
	return x.UserIndex.Confirm(ctx, scopedUser(x.namespace, user), id, until)
}

func (x scopedIndex) Release(ctx context.Context, user string, id ID) (err error) {
	c, err := x.calls.insist(ctx), errUnfinished
	defer func() { x.calls.answered(ctx, c, err) }()
	return x.UserIndex.Release(ctx, scopedUser(x.namespace, user), id)
}

func (x scopedIndex) List(ctx context.Context, user string) (ids []ID, err error) {
	c, err := x.calls.insist(ctx), errUnfinished
	defer func() { x.calls.answered(ctx, c, err) }()
	return x.UserIndex.List(ctx, scopedUser(x.namespace, user))
}

// StoreAs finds an optional ability of store, or of what it wraps. A store that
// wraps another asks it what it may claim to be able to.
func StoreAs[T any](store Store) (T, bool) {
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
