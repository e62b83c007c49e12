package pgxstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/satchel-go/satchel/core"
)

// Invalidations implements [core.Invalidator] with LISTEN, on a connection of its own as
// [Store.WatchPulse] has, if the tables have the triggers of [Config.NotifyChanges]. They
// tell of every change, also of those that are made by hand.
//
// In each interval it sends two queries on that connection. PostgreSQL signals a listener
// before it answers the transaction that has sent the notification, and a listener sends
// what it was signalled before it answers a query. The second one also shows that the
// triggers are still there. A third goes through the pool, and shows that it leads to the
// same server and database: after a failover it may not.
func (s *Store) Invalidations(ctx context.Context, interval time.Duration, changed func(core.ID), alive func(t time.Time)) error {
	err := s.hear(ctx, interval, changed, alive)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("pgxstore: invalidations: %w", err)
}

func (s *Store) hear(ctx context.Context, interval time.Duration, changed func(core.ID), alive func(t time.Time)) error {
	shared := s.config.shared()
	channel, table := shared.Changes()
	listens := false
	conn, err := s.listen(ctx, channel, func(_ *pgconn.PgConn, n *pgconn.Notification) {
		if id, ok := parse(n.Payload); ok && listens {
			changed(id)
		}
	})
	if errors.Is(err, errPooler) {
		return fmt.Errorf("%w: %w", err, core.ErrUnsupported)
	}
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // what it held is gone with it
	}()
	where, err := place(ctx, conn)
	if err != nil {
		return err
	}
	for {
		before := time.Now()
		if err := conn.ping(ctx); err != nil { // as in Redis: a signal may come just after it was read
			return err
		}
		if err := conn.hasTriggers(ctx, table); err != nil {
			return err
		}
		switch now, err := place(ctx, s.pool); {
		case err != nil:
			return err
		case now != where && listens:
			return errMoved
		case now != where:
			return fmt.Errorf("%w: set Config.ListenURL: %w", errMoved, core.ErrUnsupported)
		}
		if !listens {
			listens = true
			changed(core.ID{}) // what was read before we listened
			continue
		}
		alive(before)
		wait, cancel := context.WithTimeout(ctx, interval)
		for err = nil; err == nil; {
			_, err = conn.WaitForNotification(wait) // which calls changed
		}
		over := wait.Err() != nil
		cancel()
		if ctx.Err() != nil || !over {
			return err
		}
	}
}

// place tells the server, and each of its starts, and the database from all others.
func place(ctx context.Context, on querier) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	const query = "SELECT extract(epoch FROM pg_postmaster_start_time())::text || ' ' || oid::text FROM pg_database WHERE datname = current_database()"
	rows, err := on.Query(ctx, query, pgx.QueryExecModeSimpleProtocol) // also through a pooler
	if err != nil {
		return "", err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
}

func (l *listener) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return l.Ping(ctx)
}

// hasTriggers reports what is missing for changes to be told.
func (l *listener) hasTriggers(ctx context.Context, table string) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var n int
	err := l.QueryRow(ctx, "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgenabled IN ('O', 'A') AND tgname IN ('satchel_changed', 'satchel_truncated')", table).Scan(&n)
	if err == nil && n != 2 {
		err = fmt.Errorf("the table %s has no trigger that tells of changes: set Config.NotifyChanges and call CreateTables, or run what Schema returns: %w", table, core.ErrUnsupported)
	}
	return err
}
