package core

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core/internal/cookie"
)

// Migrating returns a [Backend] that moves sessions from one backend to another and
// logs no user out. It reads both backends and creates new sessions in to. The first
// request that commits a session of from moves it; if to is a cookie, only a write does,
// so that a response that has only read never replaces one that has written. The
// Migration has the traits, limits and promises of to.
//
// Between two backends made by [ServerSide], every promise holds during the move and
// clients keep their tokens. With other backends the client gets a new token. The old
// one works until the client presents the new one.
//
// Migrating(to, from) undoes a migration at any time. Both directions may run side by
// side, as in a rolling deployment. Unless both backends are made by ServerSide:
//
//   - Overlapping requests of one client on the two directions may overwrite each
//     other's changes.
//   - On the way to a backend that finds sessions by their tokens alone, they may do so
//     at any time. gorillastore.From and gorillastore.RedisCompatible are such backends.
//
// docs/changing-the-backend.md gives the order of deployment, and what cookies on
// either side cannot promise. To encrypt stored sessions, migrate to an encrypted store.
func Migrating(from, to Backend) *Migration {
	return &Migration{from: from, to: to, counts: new(moveCounts)}
}

// Migration is a [Backend] that moves sessions; see [Migrating]. Pass it to [New] and
// watch its Stats. When they no longer change, replace it with the new backend. It is
// safe for concurrent use.
type Migration struct {
	way // nil: a Manager uses what WithConfig returns

	from, to Backend
	counts   *moveCounts
}

// way is how sessions move from one backend to another. There are three:
// migrateKept, migrateIn and migrateOut.
type way interface {
	Backend
	fmt.Formatter

	// loadID is LoadID of a [Registry]; one of the two backends is one.
	loadID(ctx context.Context, id ID) (LoadResult, error)

	// end ends the session id on both sides. Where a copy or a token on the other side
	// could bring it back, end leaves a tombstone, at least until the given time.
	end(ctx context.Context, id ID, until time.Time) error

	// named reports whether tokens have the form of a [ServerSide]'s, which has the ID.
	named() bool
}

// mover holds what all ways need.
type mover struct {
	from, to side
	counts   *moveCounts
	config   *Config
	now      func() time.Time
}

// MigrationStats reports the progress of a migration in this process since it started.
// For the total of all processes, count [EventMoved].
type MigrationStats struct {
	Moved       uint64    // sessions that were moved
	ReadOld     uint64    // requests that presented a session of the old backend
	Guests      uint64    // of those moved, how many had no user; all of them: is UserKey the application's?
	Failed      uint64    // moves that failed; the session stays, and the next request tries again
	LastMoved   time.Time // zero if none was
	LastReadOld time.Time // zero if none did: the migration is over when this is older than the longest timeout
}

type moveCounts struct {
	moved, guests, readOld, failed atomic.Uint64
	lastMoved, lastRead            atomic.Int64 // Unix milliseconds
}

// side is one of the two backends.
type side struct {
	Backend

	native *serverSide // nil if it is none
	dir    Registry    // nil if it has none
	users  UserIndex   // nil if it has none
	client bool
}

// Stats returns the progress of the migration. It counts all Managers that use this
// Migration together.
func (m *Migration) Stats() MigrationStats {
	at := func(ms *atomic.Int64) (t time.Time) {
		if ms := ms.Load(); ms != 0 {
			t = time.UnixMilli(ms)
		}
		return t
	}
	c := m.counts
	return MigrationStats{
		Moved: c.moved.Load(), Guests: c.guests.Load(), ReadOld: c.readOld.Load(), Failed: c.failed.Load(),
		LastMoved: at(&c.lastMoved), LastReadOld: at(&c.lastRead),
	}
}

// Format implements [fmt.Formatter]: whatever the verb, no keys.
func (m *Migration) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "core.Migration") }

// Traits implements [Backend].
func (m *Migration) Traits() Traits { return traitsOf(m.from, m.to) }

func traitsOf(from, to Backend) Traits {
	f, t := from.Traits(), to.Traits()
	return Traits{ClientSide: t.ClientSide, Local: f.Local && t.Local}
}

// WithConfig implements [Configurable]. It checks that sessions can move between the
// two backends, and chooses the way.
func (m *Migration) WithConfig(c Config) (Backend, error) {
	if m.from == nil || m.to == nil {
		return nil, errors.New("core: Migrating: a backend is nil: pass the old one and the new one")
	}
	for _, b := range [...]Backend{m.from, m.to} {
		if _, ok := b.(*Migration); ok {
			return nil, errors.New("core: Migrating: one of the backends is a Migration itself: finish that one first")
		}
	}
	// Compare what was given: a store's WithConfig may return a copy.
	if same(m.from, m.to) || sameStore(m.from, m.to) {
		return nil, errors.New("core: Migrating: the old and the new backend are on the same store: " +
			"give the new one a database, a table or a prefix of its own")
	}
	run := &mover{counts: m.counts, config: &c, now: c.Now}
	var err error
	if run.from, err = startSide(m.from, c); err != nil {
		return nil, fmt.Errorf("core: Migrating: the old backend: %w", err)
	}
	if run.to, err = startSide(m.to, c); err != nil {
		return nil, fmt.Errorf("core: Migrating: the new backend: %w", err)
	}
	if c.SessionLimit > 0 && run.to.users == nil {
		return nil, unsupported(fmt.Sprintf("Migrating: the new backend: Config.SessionLimit is %d: count a user's sessions", c.SessionLimit))
	}
	return run.choose(), nil
}

// choose returns the way between the two sides, as a [Registry] if there is one.
func (m *mover) choose() Backend {
	var w way
	switch {
	case m.from.native != nil && m.to.native != nil:
		w = migrateKept{m}
	case m.to.native != nil:
		w = migrateIn{m}
	default:
		w = migrateOut{m, m.config.carrier(cookie.TouchSuffix).capacity()}
	}
	if m.from.dir == nil && m.to.dir == nil {
		return w
	}
	return &migrationDir{way: w, from: m.from, to: m.to}
}

func startSide(b Backend, c Config) (side, error) {
	b, err := configured(b, c)
	if err != nil {
		return side{}, err
	}
	s := side{Backend: b, client: b.Traits().ClientSide}
	if s.native = nativeOf(b); s.native != nil {
		s.native.fresh = true
	}
	if dir, ok := b.(Registry); ok {
		s.dir, s.users = dir, dir.Users()
	}
	return s, nil
}

// same reports whether a and b are equal, if they can be compared.
func same(a, b any) bool { return reflect.TypeOf(a).Comparable() && a == b }

// nativeOf returns what keeps b's entries if b was made by [ServerSide] or [Hybrid], else nil.
func nativeOf(b Backend) *serverSide {
	switch b := b.(type) {
	case *serverSide:
		return b
	case *hybrid:
		return b.serverSide
	}
	return nil
}

// sameStore reports whether a and b are both made by [ServerSide] or [Hybrid], on one store.
func sameStore(a, b Backend) bool {
	x, y := nativeOf(a), nativeOf(b)
	return x != nil && y != nil && x.store != nil && y.store != nil && same(innermost(x.store), innermost(y.store))
}

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

// Format implements [fmt.Formatter]: whatever the verb, no keys.
func (m *mover) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "core.Migration") }

// Traits implements [Backend].
func (m *mover) Traits() Traits { return traitsOf(m.from, m.to) }

func (m *mover) named() bool { return m.from.native != nil || m.to.native != nil }

// read counts a request that presented a session of the old backend.
func (m *mover) read() {
	m.counts.readOld.Add(1)
	m.counts.lastRead.Store(m.now().UnixMilli())
}

// moved counts a move with the result err, and emits its event.
func (m *mover) moved(ctx context.Context, r *Record, err error) {
	switch {
	case err == nil:
		m.counts.moved.Add(1)
		m.counts.lastMoved.Store(m.now().UnixMilli())
		e := Event{Kind: EventMoved, ID: r.ID, User: r.User, Time: m.now()}
		if r.User == "" {
			m.counts.guests.Add(1)
			e.Detail = "it has no user"
		}
		if request := requestIn(ctx); request != nil {
			e.Request = *request
		}
		// The session is locked while it is saved.
		m.config.Observer(withoutSession{ctx}, e)
	case !errors.Is(err, ErrConflict) && !isGone(err):
		m.counts.failed.Add(1)
	}
}

// goneIsConflict makes the core look again for a session that has gone. A process that
// runs the other direction may have moved it.
func goneIsConflict(err error) error {
	if isGone(err) {
		return ErrConflict
	}
	return err
}
