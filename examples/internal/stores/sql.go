package stores

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/core/sqlstore"
)

// patience bounds how long making the tables may take.
const patience = 10 * time.Second

// openSQL returns the opener of a database through database/sql. It makes the tables,
// which an application leaves to its migrations.
func openSQL(driver string, source func(rest string) (string, error)) opener {
	return func(rest, _ string) (core.Backend, func() error, error) {
		interval, rest, err := duration(rest, "sweep", 0)
		if err != nil {
			return nil, nil, err
		}
		from, err := source(rest)
		if err != nil {
			return nil, nil, err
		}
		db, err := sql.Open(driver, from)
		if err != nil {
			return nil, nil, err
		}
		db.SetMaxOpenConns(32)
		db.SetMaxIdleConns(32)
		store := sqlstore.New(db, sqlstore.Config{SweepInterval: interval})
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := store.CreateTables(ctx); err != nil {
			_ = db.Close() // the first error counts
			return nil, nil, err
		}
		stop := sweepEvery(store, interval)
		return core.ServerSide(store), func() error {
			stop()
			return errors.Join(store.Close(), db.Close())
		}, nil
	}
}

func openPostgres(rest, _ string) (core.Backend, func() error, error) {
	interval, rest, err := duration(rest, "sweep", 0)
	if err != nil {
		return nil, nil, err
	}
	if _, err := hostOf(rest); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := pgxpool.ParseConfig("postgres:" + rest)
	if err != nil {
		return nil, nil, errors.New("the parameters are not those of pgx")
	}
	c.MaxConns = max(c.MaxConns, 32)
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	store := pgxstore.New(pool, pgxstore.Config{SweepInterval: interval})
	if err := store.CreateTables(ctx); err != nil {
		pool.Close()
		return nil, nil, err
	}
	stop := sweepEvery(store, interval)
	return core.ServerSide(store), func() error {
		stop()
		err := store.Close()
		pool.Close()
		return err
	}, nil
}

// sweepEvery sweeps beside the store's own clean-up, which waits for the full hour, until
// the returned function is called. Every may be 0: never.
func sweepEvery(store core.Sweeper, every time.Duration) (stop func()) {
	if every == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
			}
			if _, err := store.Sweep(ctx); err != nil && ctx.Err() == nil {
				slog.Warn("the clean-up failed", "error", err)
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// mysqlSource makes what go-sql-driver takes, which is no URL.
func mysqlSource(rest string) (string, error) {
	u, err := hostOf(rest)
	if err != nil {
		return "", err
	}
	c, err := mysql.ParseDSN("/?" + u.RawQuery)
	if err != nil {
		return "", errors.New("the parameters are not those of go-sql-driver/mysql")
	}
	c.Net, c.Addr, c.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	if u.Port() == "" {
		c.Addr += ":3306"
	}
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	return c.FormatDSN(), nil
}

// hostOf parses what follows the scheme of a URL with a host.
func hostOf(rest string) (*url.URL, error) {
	u, err := url.Parse(rest)
	if err != nil || u.Host == "" {
		return nil, errors.New("want a URL such as scheme://user:password@host/database")
	}
	return u, nil
}

// sqliteSource makes what modernc.org/sqlite takes for a file.
func sqliteSource(rest string) (string, error) {
	if rest == "" || strings.ContainsAny(rest, "?#%") {
		return "", errors.New("want the path of a file after the colon, such as sqlite:satchel.db")
	}
	return "file:" + strings.TrimPrefix(rest, "//") + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(400)&_txlock=immediate", nil
}
