package sqlstore

import (
	"database/sql"
	"errors"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/sqlsessions"
)

// DefaultPrefix begins the tables' names unless a [Config] says otherwise.
const DefaultPrefix = sqlsessions.DefaultPrefix

// Config says how a [Store] uses the database. The zero value works with the drivers that
// [Dialect] names.
type Config struct {
	// Dialect is what the database speaks. Default: what the driver is known to speak.
	Dialect Dialect

	// Prefix begins the names of the tables. Applications that share a database need
	// different prefixes, or schemas. Letters, digits and underscores, at most 40.
	// Default [DefaultPrefix].
	Prefix string

	// Schema is the schema with the tables in PostgreSQL, the database in MySQL, and the
	// name of an attached database in SQLite. Default: where the connection looks.
	Schema string

	// Timeout ends every call, waiting for a connection of the pool included. Until
	// then, what has failed for a reason that passes is tried again. Default 500
	// milliseconds.
	Timeout time.Duration

	// SweepInterval is the time between two removals of expired sessions in the
	// background, give or take a fifth, by one of the instances that share the tables.
	// They begin after the first write. Default 5 minutes. If it is negative, there are
	// none: call [Store.Sweep], or run the statement in the package's documentation.
	SweepInterval time.Duration

	// SkipChecks skips the checks of the database when a Manager is made: [core.New]
	// then succeeds even if it cannot be reached.
	SkipChecks bool

	// NoNotify keeps PostgreSQL from sending a notification with every end of a session,
	// by which core/pgxstore in other processes learns of it at once. NOTIFY takes a lock
	// on the whole database while its transaction commits.
	NoNotify bool

	// Now is the clock. The database's is never asked. Default [time.Now].
	Now func() time.Time
}

// engine implements the methods of a Store.
type engine = sqlsessions.Store

// Store is a [core.Store] in a SQL database, with [core.UserIndex], [core.Mender],
// [core.TouchMender], [core.AllDeleter], [core.Sweeper] and [core.Counter]. It is safe for
// concurrent use.
type Store struct {
	*engine
	db *database
}

// New returns a Store on db, which the caller closes, after the Store. New does not
// connect: [core.New] does, and reports what is wrong.
func New(db *sql.DB, c Config) *Store {
	var err error
	var driver known
	if db != nil {
		driver = recognised(db.Driver())
	}
	switch {
	case db == nil:
		err = errors.New("New(nil): give it a database, such as that of sql.Open")
	case c.Dialect < Auto || c.Dialect > SQLite:
		err = errors.New("Config.Dialect is unknown: choose Postgres, MySQL or SQLite")
	case c.Dialect == Auto:
		if c.Dialect = driver.dialect; c.Dialect == Auto {
			err = errors.New("the driver is not one that is known: set Config.Dialect")
		}
	}
	d := newDatabase(db, c.Dialect)
	shared := c.shared()
	shared.Source = driver.source
	return &Store{sqlsessions.New("sqlstore", sqlsessions.Dialect(c.Dialect), d, shared, err), d}
}

// Close ends the clean-up in the background, waits for it, and closes prepared
// statements, but not the database. Closing again does nothing.
func (s *Store) Close() error {
	return errors.Join(s.engine.Close(), s.db.close())
}

// shared returns what all kinds of SQL stores have in their configuration.
func (c *Config) shared() sqlsessions.Config {
	return sqlsessions.Config{
		Prefix: c.Prefix, Schema: c.Schema, Timeout: c.Timeout, SweepInterval: c.SweepInterval,
		SkipChecks: c.SkipChecks, NoNotify: c.NoNotify, Now: c.Now,
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
func Schema(d Dialect, c Config) (string, error) {
	return sqlsessions.Schema(sqlsessions.Dialect(d), c.shared())
}

var (
	_ core.Store                    = (*Store)(nil)
	_ core.UserIndex                = (*Store)(nil)
	_ core.Mender                   = (*Store)(nil)
	_ core.TouchMender              = (*Store)(nil)
	_ core.AllDeleter               = (*Store)(nil)
	_ core.Sweeper                  = (*Store)(nil)
	_ core.Counter                  = (*Store)(nil)
	_ core.Configurable[core.Store] = (*Store)(nil)
)
