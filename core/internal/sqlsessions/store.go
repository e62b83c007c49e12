package sqlsessions

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core"
)

// Config says how a Store uses the database. Layers document their own.
type Config struct {
	Prefix        string
	Schema        string
	Timeout       time.Duration
	SweepInterval time.Duration
	SkipChecks    bool
	NoNotify      bool // in PostgreSQL
	NotifyChanges bool // in PostgreSQL
	Now           func() time.Time
	Source        string // what a data source of SQLite's looks like with this driver; "": not known
}

// Defaults of Config.
const (
	DefaultPrefix        = "satchel_"
	DefaultTimeout       = 500 * time.Millisecond
	DefaultSweepInterval = 5 * time.Minute
)

func (c *Config) prefix() string {
	if c.Prefix == "" {
		return DefaultPrefix
	}
	return c.Prefix
}

// validNames checks what becomes part of statements.
func (c *Config) validNames(d Dialect) error {
	switch {
	case d != Postgres && d != MySQL && d != SQLite:
		return errors.New("the driver is not known: set Config.Dialect")
	case !usable(c.Prefix):
		return fmt.Errorf("Config.Prefix is %.60q: use letters, digits and underscores, at most %d", c.Prefix, maxName)
	case !usable(c.Schema):
		return fmt.Errorf("Config.Schema is %.60q: use letters, digits and underscores, at most %d", c.Schema, maxName)
	}
	return nil
}

// Store is a [core.Store] in a SQL database, with [core.UserIndex], [core.Mender],
// [core.TouchMender], [core.AllDeleter], [core.Sweeper] and [core.Counter].
type Store struct {
	layer   string // begins errors: the package that users know
	db      DB
	dialect Dialect
	config  Config
	names   names
	st      *statements
	err     error // what Validate reports

	renewed atomic.Int64  // when the pool's connections were last closed, in nanoseconds
	entered atomic.Int64  // the last place in an order of entry
	logins  atomic.Uint64 // below a large ceiling
	sweeper sweeper
}

// New returns a Store on db. It neither connects nor fails: Validate says what is wrong.
// Without a db, err says why.
func New(layer string, d Dialect, db DB, c Config, err error) *Store {
	s := &Store{layer: layer, db: db, dialect: d, config: c}
	if s.config.Timeout == 0 {
		s.config.Timeout = DefaultTimeout
	}
	if s.config.SweepInterval == 0 {
		s.config.SweepInterval = DefaultSweepInterval
	}
	if s.config.Now == nil {
		s.config.Now = time.Now
	}
	s.config.Prefix = c.prefix()
	s.sweeper.stop = make(chan struct{})
	if err == nil {
		err = s.config.validNames(d)
	}
	if err == nil && s.config.Timeout < 0 {
		err = errors.New("Config.Timeout is negative")
	}
	if err != nil {
		s.err = fmt.Errorf("%s: %w", layer, err)
		return s
	}
	s.names = newNames(d, &s.config)
	s.st = newStatements(&s.names)
	return s
}

// Close ends the clean-up in the background and waits for it. The Store can still be
// used.
func (s *Store) Close() error {
	s.sweeper.close()
	return nil
}

// Load implements [core.Store], in one round trip.
func (s *Store) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	l := loads.Get().(*loading)
	defer l.release()
	l.id = id
	err := s.call(ctx, func(ctx context.Context, _ bool) error {
		l.found = false
		err := s.db.Query(ctx, s.st.load, l.row, l.args...)
		if err == nil && !l.found {
			err = core.ErrNotFound
		}
		return err
	})
	e := core.Entry{Data: l.data, Expires: time.UnixMilli(l.expires), User: string(l.owner), Version: core.Version(l.version)}
	if err == nil && !s.config.Now().Before(e.Expires) {
		err = core.ErrNotFound
	}
	if err != nil {
		return core.Entry{}, s.failed("load", err)
	}
	return e, nil
}

// loading is one Load. It is used again: what goes through interfaces would otherwise be
// allocated by each, as often as all that the driver allocates.
type loading struct {
	id               core.ID
	version, expires int64
	owner, data      []byte
	found            bool

	args, into []any // the above
	row        func(Scan) error
}

var loads = sync.Pool{New: func() any {
	l := &loading{}
	l.args, l.into = []any{l.id[:]}, []any{&l.version, &l.expires, &l.owner, &l.data}
	l.row = l.scan
	return l
}}

// release gives l back, without what it has read.
func (l *loading) release() {
	l.owner, l.data = nil, nil
	loads.Put(l)
}

// scan reads a row. What is there may be anything: then it is corrupt.
func (l *loading) scan(scan Scan) error {
	l.found = true
	if err := scan(l.into...); interrupted(err) {
		return err
	} else if err != nil {
		return fmt.Errorf("%w: %w", core.ErrCorrupt, err)
	}
	if l.version <= 0 {
		return fmt.Errorf("%w: version %d", core.ErrCorrupt, l.version)
	}
	return nil
}

// interrupted reports whether the call ended before the row was read: database/sql then
// closes the rows, and scanning fails with the context's error. It says nothing of the row.
func interrupted(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// Save implements [core.Store], in one round trip if nothing stands against it. If the
// answer to an earlier attempt was lost and the session has changed since, it is
// unknown whether that attempt was stored. The error then matches
// [core.ErrUnavailable], so that nothing is applied twice.
func (s *Store) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if err := fits(e.User); err != nil {
		return 0, s.failed("save", err)
	}
	own := newVersion()
	err := s.call(ctx, func(ctx context.Context, again bool) error {
		if base == 0 {
			return s.create(ctx, id, &e, own, again)
		}
		return s.update(ctx, id, &e, base, own, again)
	})
	if err != nil {
		return 0, s.failed("save", err)
	}
	s.sweeper.start(s)
	return own, nil
}

var errUnknown = errors.New("the answer was lost, and the session has been changed since")

// create stores a new entry, in the place of one that has expired.
func (s *Store) create(ctx context.Context, id core.ID, e *core.Entry, own core.Version, again bool) error {
	expires, now := ceil(e.Expires), s.config.Now().UnixMilli()
	n, err := s.db.Exec(ctx, s.st.create, id[:], int64(own), expires, bucket(expires), ownerOf(e.User), bytesOf(e.Data), now)
	switch {
	case s.dialect == MySQL && isDuplicate(err):
		n = 0
	case err != nil:
		return err
	}
	if n > 0 {
		return nil
	}
	there, err := s.look(ctx, id)
	switch {
	case err != nil:
		return err
	case there.version == own:
		return nil // our own first attempt, whose answer was lost
	case there.live && again:
		return errUnknown
	case there.live:
		return core.ErrConflict
	case s.dialect != MySQL || !there.found:
		return errAgain // it has ended this moment
	}
	n, err = s.db.Exec(ctx, s.st.replace, id[:], int64(own), expires, bucket(expires), ownerOf(e.User), bytesOf(e.Data), now)
	if err == nil && n == 0 {
		err = errAgain
	}
	return err
}

// update stores an entry in place of what is at base.
func (s *Store) update(ctx context.Context, id core.ID, e *core.Entry, base, own core.Version, again bool) error {
	expires := ceil(e.Expires)
	n, err := s.db.Exec(ctx, s.st.update, id[:], int64(own), expires, bucket(expires), ownerOf(e.User), bytesOf(e.Data),
		int64(base), s.config.Now().UnixMilli())
	if err != nil || n > 0 {
		return err
	}
	there, err := s.look(ctx, id)
	switch {
	case err != nil:
		return err
	case there.version == own:
		return nil
	case !there.live:
		return core.ErrNotFound
	case there.version == base:
		return errAgain
	case again:
		return errUnknown
	}
	return core.ErrConflict
}

// Touch implements [core.Store], in one round trip unless the session has changed or is
// gone.
func (s *Store) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	err := s.call(ctx, func(ctx context.Context, _ bool) error {
		at := ceil(expires)
		n, err := s.db.Exec(ctx, s.st.touch, id[:], int64(base), at, bucket(at), s.config.Now().UnixMilli())
		if err != nil || n > 0 {
			return err
		}
		return s.stillThere(ctx, id)
	})
	if err != nil {
		return s.failed("touch", err)
	}
	return nil
}

// stillThere returns ErrNotFound if the session is gone.
func (s *Store) stillThere(ctx context.Context, id core.ID) error {
	there, err := s.look(ctx, id)
	if err == nil && !there.live {
		err = core.ErrNotFound
	}
	return err
}

// Delete implements [core.Store], in one round trip.
func (s *Store) Delete(ctx context.Context, id core.ID) error {
	err := s.call(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Exec(ctx, s.st.remove, id[:])
		return err
	})
	if err != nil {
		return s.failed("delete", err)
	}
	return nil
}

// Count implements [core.Counter]. It reads an index, and the rows only of those that
// expire within the hour.
func (s *Store) Count(ctx context.Context) (int, error) {
	var n int
	err := s.step(ctx, func(ctx context.Context) error {
		now := s.config.Now().UnixMilli()
		return s.db.Query(ctx, s.st.countLive, func(scan Scan) error { return scan(&n) }, bucket(now), now)
	})
	if err != nil {
		return 0, s.failed("count", err)
	}
	return n, nil
}

// state is what is known of a row without its data.
type state struct {
	found, live bool
	version     core.Version
}

func (s *Store) look(ctx context.Context, id core.ID) (state, error) {
	var there state
	err := s.db.Query(ctx, s.st.look, func(scan Scan) error {
		var version, expires int64
		if err := scan(&version, &expires); interrupted(err) {
			return err
		} else if err != nil {
			return fmt.Errorf("%w: %w", core.ErrConflict, err) // not ours to overwrite
		}
		there = state{found: true, live: expires > s.config.Now().UnixMilli(), version: core.Version(version)}
		return nil
	}, id[:])
	return there, err
}

// DeleteAll implements [core.AllDeleter]. It goes through both tables in small steps.
// Ten seconds bound each step, but only ctx bounds the whole.
func (s *Store) DeleteAll(ctx context.Context) error {
	// The members first: a login under way then fails to be confirmed, and is undone.
	err := s.ranges(ctx, s.st.memberStep, s.st.dropMembers, s.st.dropLastMembers)
	if err == nil {
		err = s.ranges(ctx, s.st.sessionStep, s.st.dropSessions, s.st.dropLastSessions)
	}
	if err != nil {
		return s.failed("delete all", err)
	}
	return nil
}

// ranges deletes the rows of a table in the order of a column: step finds the thousandth
// from a value on, drop deletes up to that, and last deletes the rest.
func (s *Store) ranges(ctx context.Context, step, drop, last *Statement) error {
	for from, to := []byte{}, []byte(nil); ; from = to {
		err := s.step(ctx, func(ctx context.Context) error {
			to = nil
			return s.db.Query(ctx, step, func(scan Scan) error { return scan(&to) }, from)
		})
		if err != nil {
			return err
		}
		err = s.step(ctx, func(ctx context.Context) (err error) {
			if to == nil {
				_, err = s.db.Exec(ctx, last, from)
			} else {
				_, err = s.db.Exec(ctx, drop, from, to)
			}
			return err
		})
		if err != nil || to == nil {
			return err
		}
	}
}

// hour is how coarse the clean-up's column is, in milliseconds.
const hour = int64(time.Hour / time.Millisecond)

// ceil returns t in milliseconds, rounded up: rounded down, a session would end before
// its expiry.
func ceil(t time.Time) int64 {
	const latest = 253402300799999 // the end of the year 9999
	ms := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		ms++
	}
	return min(max(ms, 0), latest)
}

// bucket returns the hour, rounded up, that the clean-up looks for.
func bucket(expires int64) int64 { return (expires + hour - 1) / hour }

// ownerOf returns a user as it is stored.
func ownerOf(user string) any {
	if user == "" {
		return nil
	}
	return []byte(user)
}

// bytesOf returns data as it is stored, never NULL.
func bytesOf(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// longestUser is what fits the column, and an index of MySQL with the ID beside it.
const longestUser = 2048

func fits(user string) error {
	if len(user) > longestUser {
		return fmt.Errorf("the user has %d bytes, and at most %d can be stored", len(user), longestUser)
	}
	return nil
}

// newVersion returns a random version above zero.
func newVersion() core.Version { return core.Version(random()) }

// place returns the next place in an order of entry: the time in microseconds, or one
// more than the last.
func (s *Store) place() int64 {
	for {
		last := s.entered.Load()
		next := max(s.config.Now().UnixMicro(), last+1)
		if s.entered.CompareAndSwap(last, next) {
			return next
		}
	}
}
