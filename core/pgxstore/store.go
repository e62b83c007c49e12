package pgxstore

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/sqlsessions"
)

// DefaultPrefix begins the tables' names unless a [Config] says otherwise.
const DefaultPrefix = sqlsessions.DefaultPrefix

// Config says how a [Store] uses PostgreSQL. The zero value is good for most.
type Config struct {
	// Prefix begins the names of the tables. Applications that share a database need
	// different prefixes, or schemas. Letters, digits and underscores, at most 40.
	// Default [DefaultPrefix].
	Prefix string

	// Schema is the schema with the tables. Default: where the connection looks.
	Schema string

	// Timeout ends every call, waiting for a connection of the pool included. Until
	// then, what has failed for a reason that passes is tried again. Default 500
	// milliseconds.
	Timeout time.Duration

	// SweepInterval is the time between two removals of expired sessions in the
	// background, give or take a fifth, by one of the instances that share the tables.
	// They begin after the first write. Default 5 minutes. If it is negative, there are
	// none: call [Store.Sweep].
	SweepInterval time.Duration

	// SkipChecks skips the checks of the database when a Manager is made: [core.New]
	// then succeeds even if it cannot be reached.
	SkipChecks bool

	// ListenURL is where [Store.Watch] connects to, if the pool goes through a connection
	// pooler such as PgBouncer: the same database directly. Default: the pool's settings.
	ListenURL string

	// NoNotify sends no notifications of ended sessions, and makes Watch return
	// [core.ErrUnsupported]. NOTIFY takes a lock on the whole database while its
	// transaction commits. All instances need the same setting.
	NoNotify bool

	// NotifyChanges adds to the tables that [Store.CreateTables] and [Schema] make a
	// trigger that sends a notification of every change of a session, for
	// [Store.Invalidations]. Then each save takes the lock that NoNotify tells of. Other
	// instances need not know. It needs PostgreSQL 14.
	NotifyChanges bool

	// Now is the clock. The database's is never asked. Default [time.Now].
	Now func() time.Time
}

// engine implements the methods of a Store that need no pgx.
type engine = sqlsessions.Store

// Store is a [core.Store] in PostgreSQL, with [core.UserIndex], [core.Mender],
// [core.TouchMender], [core.AllDeleter], [core.Sweeper], [core.Counter],
// [core.PulseWatcher] and [core.Invalidator]. It is safe for concurrent use.
type Store struct {
	*engine
	pool    *pgxpool.Pool
	config  Config
	channel string
}

// New returns a Store on pool, which the caller closes, after the Store. New does not
// connect: [core.New] does, and reports what is wrong.
func New(pool *pgxpool.Pool, c Config) *Store {
	var err error
	if pool == nil {
		err = errors.New("New(nil): give it a pool, such as that of pgxpool.New")
	}
	shared := c.shared()
	return &Store{
		engine: sqlsessions.New("pgxstore", sqlsessions.Postgres, &database{pool: pool}, shared, err),
		pool:   pool, config: c, channel: shared.Channel(),
	}
}

// shared returns what all kinds of SQL stores have in their configuration.
func (c *Config) shared() sqlsessions.Config {
	return sqlsessions.Config{
		Prefix: c.Prefix, Schema: c.Schema, Timeout: c.Timeout, SweepInterval: c.SweepInterval,
		SkipChecks: c.SkipChecks, NoNotify: c.NoNotify, NotifyChanges: c.NotifyChanges, Now: c.Now,
	}
}

// WithConfig implements [core.Configurable]: the Manager's Observer receives the event of
// a clean-up that does not keep up. Of several Managers, it is that of the last one.
func (s *Store) WithConfig(c core.Config) (core.Store, error) {
	s.Report(c.Observer)
	return s, nil
}

// Schema returns the statements that make the tables of a Store with c, for a migration.
// It is what [Store.CreateTables] runs. The error says what is wrong with c.
func Schema(c Config) (string, error) {
	return sqlsessions.Schema(sqlsessions.Postgres, c.shared())
}

var (
	_ core.Store                    = (*Store)(nil)
	_ core.UserIndex                = (*Store)(nil)
	_ core.Mender                   = (*Store)(nil)
	_ core.TouchMender              = (*Store)(nil)
	_ core.AllDeleter               = (*Store)(nil)
	_ core.Sweeper                  = (*Store)(nil)
	_ core.Counter                  = (*Store)(nil)
	_ core.PulseWatcher             = (*Store)(nil)
	_ core.Invalidator              = (*Store)(nil)
	_ core.Configurable[core.Store] = (*Store)(nil)
)
