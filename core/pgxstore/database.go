package pgxstore

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/satchel-go/satchel/core/internal/sqlsessions"
)

// querier is a pool or a transaction.
type querier interface {
	Exec(ctx context.Context, statement string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, statement string, args ...any) (pgx.Rows, error)
}

// database runs statements on a pool, in the pool's own mode: it knows what is in front
// of the server. Only statements that are prepared under a name and then are not there,
// as behind a pooler in transaction mode, make it send all further ones unprepared.
type database struct {
	pool       *pgxpool.Pool
	unprepared atomic.Bool
}

// Single implements [sqlsessions.DB].
func (d *database) Single() bool { return d.pool.Config().MaxConns == 1 }

// Renew implements [sqlsessions.DB].
func (d *database) Renew(context.Context) { d.pool.Reset() }

// args returns the arguments for pgx, whose first may be a mode.
func args(unprepared bool, args []any) []any {
	if !unprepared {
		return args
	}
	return append([]any{pgx.QueryExecModeExec}, args...)
}

// retry reports whether err says that a prepared statement is not what it was, so that
// nothing has run. It is true once for each call that began before.
func (d *database) retry(err error, unprepared bool) bool {
	if err == nil || unprepared {
		return false
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "26000", "42P05", "08P01": // no such statement, there is one already, it has other parameters
		d.unprepared.Store(true)
		return true
	}
	return false
}

// Exec implements [sqlsessions.Runner].
func (d *database) Exec(ctx context.Context, st *sqlsessions.Statement, params ...any) (int64, error) {
	unprepared := !st.Lasting() || d.unprepared.Load()
	n, err := exec(ctx, d.pool, st, args(unprepared, params))
	if d.retry(err, unprepared) {
		n, err = exec(ctx, d.pool, st, args(true, params))
	}
	return n, err
}

// Query implements [sqlsessions.Runner].
func (d *database) Query(ctx context.Context, st *sqlsessions.Statement, row func(sqlsessions.Scan) error, params ...any) error {
	unprepared := !st.Lasting() || d.unprepared.Load()
	err := query(ctx, d.pool, st, row, args(unprepared, params))
	if d.retry(err, unprepared) {
		err = query(ctx, d.pool, st, row, args(true, params))
	}
	return err
}

func exec(ctx context.Context, q querier, st *sqlsessions.Statement, args []any) (int64, error) {
	tag, err := q.Exec(ctx, st.Text, args...)
	return tag.RowsAffected(), err
}

func query(ctx context.Context, q querier, st *sqlsessions.Statement, row func(sqlsessions.Scan) error, args []any) error {
	rows, err := q.Query(ctx, st.Text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	scan := sqlsessions.Scan(rows.Scan)
	for rows.Next() {
		if err := row(scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Tx implements [sqlsessions.DB].
func (d *database) Tx(ctx context.Context, f func(sqlsessions.Runner) error) error {
	return pgx.BeginTxFunc(ctx, d.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		return f(transaction{tx})
	})
}

// transaction runs statements in a transaction, unprepared: one that fails would end it.
type transaction struct{ tx pgx.Tx }

// Exec implements [sqlsessions.Runner].
func (t transaction) Exec(ctx context.Context, st *sqlsessions.Statement, params ...any) (int64, error) {
	return exec(ctx, t.tx, st, args(true, params))
}

// Query implements [sqlsessions.Runner].
func (t transaction) Query(ctx context.Context, st *sqlsessions.Statement, row func(sqlsessions.Scan) error, params ...any) error {
	return query(ctx, t.tx, st, row, args(true, params))
}
