package core

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"
)

// Migrating returns a [Backend] that moves sessions from one backend to
// another without logging anybody out. It reads both; new sessions are made in
// to, and a session that is found in from is moved by the first request that
// commits. It is what to is: Traits, limits and promises are those of to.
//
// Between two backends made by [ServerSide] every promise holds during the
// move, and clients keep their tokens. Otherwise the client gets a new
// token, and the old one stays good until the client has shown the new one.
//
// It can be undone at any time by Migrating(to, from), and both directions may
// run side by side, as in a rolling deployment. Unless both backends are made by
// ServerSide, requests of one client that overlap on the two directions may then
// overwrite each other's changes. docs/changing-the-backend.md says in which order
// to deploy, and what cookies on either side cannot promise. To encrypt what is stored
// already, migrate to an [Encrypted] store.
func Migrating(from, to Backend) *Migration {
	return &Migration{from: side{Backend: from}, to: side{Backend: to}, counts: new(moveCounts), now: time.Now}
}

// Migration is a [Backend] that moves sessions from one to another; see
// [Migrating]. Give it to [New], keep it to watch its Stats, and replace it by
// the new backend when they have come to rest. It is safe for concurrent use.
type Migration struct {
	from, to side
	kept     bool // both are serverSide: clients keep their tokens
	counts   *moveCounts

	config *Config
	now    func() time.Time
	fits   func(token string) bool // in cookies
}

// MigrationStats says how far a migration is, as seen by this process since
// its start. For all processes together, count [EventMoved].
type MigrationStats struct {
	Moved       uint64    // sessions that were moved
	ReadOld     uint64    // requests that presented a session of the old backend
	Failed      uint64    // moves that failed; the session stays, and the next request tries again
	LastMoved   time.Time // zero if none was
	LastReadOld time.Time // zero if none did: the migration is over when this is older than the longest timeout
}

type moveCounts struct {
	moved, readOld, failed atomic.Uint64
	lastMoved, lastRead    atomic.Int64 // Unix milliseconds
}

// side is one of the two backends.
type side struct {
	Backend

	native *serverSide // nil if it is none
	dir    Directory   // nil if it has none
	users  UserIndex   // nil if it has none
	client bool
}

// Stats returns how far the migration is. Managers that were made with the
// same Migration are counted together.
func (m *Migration) Stats() MigrationStats {
	at := func(ms *atomic.Int64) (t time.Time) {
		if ms := ms.Load(); ms != 0 {
			t = time.UnixMilli(ms)
		}
		return t
	}
	c := m.counts
	return MigrationStats{
		Moved: c.moved.Load(), ReadOld: c.readOld.Load(), Failed: c.failed.Load(),
		LastMoved: at(&c.lastMoved), LastReadOld: at(&c.lastRead),
	}
}

// Format implements [fmt.Formatter]: whatever the verb, no keys.
func (m *Migration) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "core.Migration") }

func (m *Migration) start(c *Config) (Backend, error) {
	if m.from.Backend == nil || m.to.Backend == nil {
		return nil, errors.New("core: Migrating: a backend is nil: pass the old one and the new one")
	}
	for _, b := range [...]Backend{m.from.Backend, m.to.Backend} {
		if _, ok := b.(*Migration); ok {
			return nil, errors.New("core: Migrating: one of the backends is a Migration itself: finish that one first")
		}
	}
	running := &Migration{counts: m.counts, config: c, now: c.Now}
	var err error
	if running.from, err = startSide(m.from.Backend, c); err != nil {
		return nil, fmt.Errorf("core: Migrating: the old backend: %w", err)
	}
	if running.to, err = startSide(m.to.Backend, c); err != nil {
		return nil, fmt.Errorf("core: Migrating: the new backend: %w", err)
	}
	a, b := running.from.native, running.to.native
	if same(m.from.Backend, m.to.Backend) || a != nil && b != nil && same(innermost(a.store), innermost(b.store)) {
		return nil, errors.New("core: Migrating: the old and the new backend are on the same store: " +
			"give the new one a database, a table or a prefix of its own")
	}
	if c.SessionLimit > 0 && running.to.users == nil {
		return nil, fmt.Errorf("core: Config.SessionLimit is %d, but the new backend cannot count a user's sessions: %w", c.SessionLimit, ErrUnsupported)
	}
	running.kept = a != nil && b != nil
	running.fits = newCookieWriter(c.Cookie, !c.InsecureAllowHTTP).fits
	if running.from.dir == nil && running.to.dir == nil {
		return running, nil
	}
	return &migrationDir{running}, nil
}

func startSide(b Backend, c *Config) (side, error) {
	b, err := started(b, c)
	if err != nil {
		return side{}, err
	}
	s := side{Backend: b, client: b.Traits().ClientSide}
	s.native, _ = b.(*serverSide)
	if dir, ok := b.(Directory); ok {
		s.dir, s.users = dir, dir.Users()
	}
	return s, nil
}

// same reports whether a and b are one, as far as that can be said.
func same(a, b any) bool { return reflect.TypeOf(a).Comparable() && a == b }

// innermost returns the store that store wraps, if it wraps any.
func innermost(store Store) Store {
	for {
		w, ok := store.(interface{ Unwrap() Store })
		if !ok || w.Unwrap() == nil {
			return store
		}
		store = w.Unwrap()
	}
}

// fits reports whether token can be handed out.
func (w *cookieWriter) fits(token string) bool { return len(token) <= w.capacity() }

// Traits implements [Backend].
func (m *Migration) Traits() Traits {
	from, to := m.from.Traits(), m.to.Traits()
	return Traits{ClientSide: to.ClientSide, InProcess: from.InProcess && to.InProcess}
}

// moving is the handle of a session that is not simply in the new backend: it
// is in the old one, or its entry in the new one does not count for certain, or it
// is in the new one and was presented with the old one's token.
type moving struct {
	h      Handle // of the backend that it is in
	record Record // as it was there

	old     bool // it is in the old backend; else in the new one
	byID    bool // in the old one, loaded without a token
	reissue bool // in the new one, but the client has never got its token

	// What holds its place on the other side: for two of ServerSide the version,
	// otherwise a handle to save over. Zero if nothing does.
	inTheWay Version
	over     Handle
}

// arrived is a session in a new backend that is none of ServerSide. What may be
// left of it in the old one is found by its ID.
type arrived struct {
	h       Handle
	id      ID
	expires time.Time
	first   bool // the client shows its new token, perhaps for the first time
}

// read counts a request that presented a session of the old backend.
func (m *Migration) read() {
	m.counts.readOld.Add(1)
	m.counts.lastRead.Store(m.now().UnixMilli())
}

// moved counts a move that went as err says, and tells of it.
func (m *Migration) moved(ctx context.Context, r *Record, err error) {
	switch {
	case err == nil:
		m.counts.moved.Add(1)
		m.counts.lastMoved.Store(m.now().UnixMilli())
		// The session is locked while it is saved.
		m.config.Observer(withoutSession{ctx}, Event{Kind: EventMoved, ID: r.ID, User: r.User})
	case !errors.Is(err, ErrConflict) && !isGone(err):
		m.counts.failed.Add(1)
	}
}
