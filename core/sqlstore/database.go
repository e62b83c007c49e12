package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"

	"github.com/satchel-go/satchel/core/internal/sqlsessions"
)

// database runs statements on a *sql.DB.
type database struct {
	db      *sql.DB
	dialect Dialect
	literal bool // whether arguments are written into the text: see separates

	// prepared are the *sql.Stmt of lasting statements. MySQL's driver would otherwise
	// prepare and close each for every call, and SQLite's would parse it. PostgreSQL's
	// drivers keep their own, in the way that the application has chosen for its pooler.
	prepared sync.Map

	// writing is held by who writes to SQLite, which lets one writer in at a time: waiting
	// here ends with the context, in order, and needs no connection.
	writing chan struct{}
}

func newDatabase(db *sql.DB, d Dialect) *database {
	return &database{db: db, dialect: d, literal: db != nil && separates(db.Driver()), writing: make(chan struct{}, 1)}
}

// statement returns st prepared, or nil if it is not worth it.
func (d *database) statement(ctx context.Context, st *sqlsessions.Statement) (*sql.Stmt, error) {
	if d.dialect == Postgres || !st.Lasting() {
		return nil, nil
	}
	if known, ok := d.prepared.Load(st); ok {
		return known.(*sql.Stmt), nil
	}
	made, err := d.db.PrepareContext(ctx, st.Text)
	if err != nil {
		return nil, err
	}
	if known, loaded := d.prepared.LoadOrStore(st, made); loaded {
		_ = made.Close()
		return known.(*sql.Stmt), nil
	}
	return made, nil
}

// close closes what is prepared.
func (d *database) close() error {
	var failures []error
	d.prepared.Range(func(st, prepared any) bool {
		d.prepared.Delete(st)
		failures = append(failures, prepared.(*sql.Stmt).Close())
		return true
	})
	return errors.Join(failures...)
}

// write waits for its turn to write, if that is needed.
func (d *database) write(ctx context.Context) (done func(), _ error) {
	if d.dialect != SQLite {
		return func() {}, nil
	}
	select {
	case d.writing <- struct{}{}:
		return func() { <-d.writing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Single implements [sqlsessions.DB].
func (d *database) Single() bool { return d.db.Stats().MaxOpenConnections == 1 }

// words returns what to send for a statement that is not prepared.
func (d *database) words(st *sqlsessions.Statement, args []any) (string, []any) {
	if d.literal {
		if text, ok := literal(st.Text, st.Args(args)); ok {
			return text, nil
		}
	}
	return st.Text, st.Args(args)
}

// Exec implements [sqlsessions.Runner].
func (d *database) Exec(ctx context.Context, st *sqlsessions.Statement, args ...any) (int64, error) {
	done, err := d.write(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	prepared, err := d.statement(ctx, st)
	if err != nil {
		return 0, err
	}
	if prepared != nil {
		return affected(prepared.ExecContext(ctx, st.Args(args)...))
	}
	text, args := d.words(st, args)
	return affected(d.db.ExecContext(ctx, text, args...))
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// Query implements [sqlsessions.Runner].
func (d *database) Query(ctx context.Context, st *sqlsessions.Statement, row func(sqlsessions.Scan) error, args ...any) error {
	prepared, err := d.statement(ctx, st)
	if err != nil {
		return err
	}
	if prepared != nil {
		return each(row)(prepared.QueryContext(ctx, st.Args(args)...))
	}
	text, args := d.words(st, args)
	return each(row)(d.db.QueryContext(ctx, text, args...))
}

// each calls row for every row.
func each(row func(sqlsessions.Scan) error) func(*sql.Rows, error) error {
	return func(rows *sql.Rows, err error) error {
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }() // Err says what has failed
		for rows.Next() {
			if err := row(rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}

// Tx implements [sqlsessions.DB].
func (d *database) Tx(ctx context.Context, f func(sqlsessions.Runner) error) error {
	done, err := d.write(ctx)
	if err != nil {
		return err
	}
	defer done()
	options := &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	if d.dialect == SQLite {
		options = nil // it knows one level only
	}
	tx, err := d.db.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	t := &transaction{tx: tx, d: d}
	if err := f(t); err != nil {
		_ = tx.Rollback() // the first error counts
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, st := range t.missing {
		_, _ = d.statement(ctx, st) // for the next time
	}
	return nil
}

// Renew implements [sqlsessions.DB].
func (d *database) Renew(ctx context.Context) {
	for range d.db.Stats().Idle {
		conn, err := d.db.Conn(ctx)
		if err != nil {
			return
		}
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // which closes it
	}
}

// transaction runs statements in a transaction.
type transaction struct {
	tx *sql.Tx
	d  *database // for what is prepared; nil in a transaction of the application

	// missing are statements that were not prepared. Preparing them takes a connection,
	// and the transaction might hold the pool's last one.
	missing []*sqlsessions.Statement
}

// statement returns st prepared on the transaction's connection, or nil.
func (t *transaction) statement(ctx context.Context, st *sqlsessions.Statement) *sql.Stmt {
	if t.d == nil {
		return nil
	}
	if known, ok := t.d.prepared.Load(st); ok {
		return t.tx.StmtContext(ctx, known.(*sql.Stmt))
	}
	t.missing = append(t.missing, st)
	return nil
}

// Exec implements [sqlsessions.Runner].
func (t *transaction) Exec(ctx context.Context, st *sqlsessions.Statement, args ...any) (int64, error) {
	if prepared := t.statement(ctx, st); prepared != nil {
		return affected(prepared.ExecContext(ctx, st.Args(args)...))
	}
	return affected(t.tx.ExecContext(ctx, st.Text, st.Args(args)...))
}

// Query implements [sqlsessions.Runner].
func (t *transaction) Query(ctx context.Context, st *sqlsessions.Statement, row func(sqlsessions.Scan) error, args ...any) error {
	if prepared := t.statement(ctx, st); prepared != nil {
		return each(row)(prepared.QueryContext(ctx, st.Args(args)...))
	}
	return each(row)(t.tx.QueryContext(ctx, st.Text, st.Args(args)...))
}
