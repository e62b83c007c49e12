package target

import (
	"context"
	"database/sql"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/core/sqlstore"
)

// SQL is a store in a database.
type SQL struct {
	driver
	DB    *sql.DB
	Table string // with the sessions

	Placeholder string // of a first argument
	timeout     time.Duration
	now         func() time.Time
}

func openPostgres(t *Target, c *Config, rest string) (driver, error) {
	if _, err := hostOf(rest); err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig("postgres:" + rest)
	if err != nil {
		return nil, Usage("the parameters are not those of pgx") // its error may have the password
	}
	config.ConnConfig.ConnectTimeout = c.Timeout
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, err
	}
	t.onClose(func() error { pool.Close(); return nil })
	if err := t.named(c, pgxstore.DefaultPrefix); err != nil {
		return nil, err
	}
	store := pgxstore.New(pool, pgxstore.Config{Prefix: t.Prefix, Timeout: c.Timeout, SweepInterval: -1, Now: c.Now})
	t.onClose(store.Close)
	db := stdlib.OpenDBFromPool(pool)
	t.onClose(db.Close)
	return t.database(c, store, db, "$1"), nil
}

func openMySQL(t *Target, c *Config, rest string) (driver, error) {
	u, err := hostOf(rest)
	if err != nil {
		return nil, err
	}
	config, err := mysql.ParseDSN("/?" + u.RawQuery)
	if err != nil {
		return nil, Usage("the parameters are not those of go-sql-driver/mysql")
	}
	config.Net, config.Addr, config.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	if u.Port() == "" {
		config.Addr += ":3306"
	}
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.Logger, config.Timeout = &mysql.NopLogger{}, c.Timeout
	return t.openSQL(c, "mysql", config.FormatDSN())
}

func openSQLite(t *Target, c *Config, rest string) (driver, error) {
	file := strings.TrimPrefix(rest, "//")
	if _, err := os.Stat(file); err != nil || strings.ContainsAny(file, "?#%") {
		return nil, Usage("sqlite: %q is not a database file", file)
	}
	return t.openSQL(c, "sqlite", "file:"+file+"?mode=rw&_pragma=busy_timeout(2000)&_txlock=immediate")
}

func (t *Target) openSQL(c *Config, driver, source string) (driver, error) {
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, err
	}
	t.onClose(db.Close)
	db.SetMaxOpenConns(loaders)
	db.SetMaxIdleConns(loaders)
	if err := t.named(c, sqlstore.DefaultPrefix); err != nil {
		return nil, err
	}
	store := sqlstore.New(db, sqlstore.Config{Prefix: t.Prefix, Timeout: c.Timeout, SweepInterval: -1, Now: c.Now})
	t.onClose(store.Close)
	return t.database(c, store, db, "?"), nil
}

// named sets the prefix of tables, which becomes part of statements.
func (t *Target) named(c *Config, usual string) error {
	if t.Prefix = c.Prefix; t.Prefix == "" {
		t.Prefix = usual
	}
	if strings.ContainsFunc(t.Prefix, func(r rune) bool { return r != '_' && (r > 'z' || !unicode.IsLetter(r) && !unicode.IsDigit(r)) }) {
		return Usage("the prefix of tables has letters, digits and underscores, not %q", t.Prefix)
	}
	return nil
}

func (t *Target) database(c *Config, store driver, db *sql.DB, placeholder string) driver {
	t.SQL = &SQL{driver: store, DB: db, Table: t.Prefix + "sessions", Placeholder: placeholder, timeout: c.Timeout, now: t.now}
	return t.SQL
}

// Unwrap lets the store's abilities be found.
func (s *SQL) Unwrap() core.Store { return s.driver }

func (s *SQL) walk(ctx context.Context, yield func([]core.ID) error) error {
	for last := []byte{}; ; {
		ids, err := s.after(ctx, last)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := yield(ids); err != nil {
			return err
		}
		last = ids[len(ids)-1][:]
	}
}

// after returns the IDs of the next living sessions.
func (s *SQL) after(ctx context.Context, last []byte) ([]core.ID, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	second := strings.Replace(s.Placeholder, "1", "2", 1)
	query := "SELECT id FROM " + s.Table + " WHERE id > " + s.Placeholder + " AND expires > " + second + " ORDER BY id LIMIT 1000" //nolint:gosec // named has seen that it is a name
	rows, err := s.DB.QueryContext(ctx, query, last, s.now().UnixMilli())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var ids []core.ID
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, err
		}
		if len(raw) == len(core.ID{}) {
			ids = append(ids, core.ID(raw))
		}
	}
	return ids, rows.Err()
}
