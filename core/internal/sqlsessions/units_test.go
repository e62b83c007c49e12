package sqlsessions

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

func TestT1ExpiriesAreRoundedUp(t *testing.T) {
	for _, test := range []struct {
		at   time.Time
		want int64
	}{
		{time.UnixMilli(1000), 1000},
		{time.UnixMilli(1000).Add(1), 1001},
		{time.UnixMilli(1001).Add(-1), 1001},
		{time.Time{}, 0},
		{time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), 253402300799999},
	} {
		if got := ceil(test.at); got != test.want {
			t.Errorf("ceil(%v) = %d, want %d", test.at, got, test.want)
		}
	}
	if a, b := bucket(hour), bucket(hour+1); a != 1 || b != 2 {
		t.Errorf("buckets %d and %d, want 1 and 2", a, b)
	}
}

// A call that ends between a row's arrival and its reading tells nothing of the session.
func TestL3AnInterruptedReadIsNoCorruption(t *testing.T) {
	for _, want := range []error{context.Canceled, context.DeadlineExceeded} {
		s := New("sqlstore", SQLite, interrupting{want}, Config{}, nil)
		if _, err := s.Load(t.Context(), core.ID{1}); errors.Is(err, core.ErrCorrupt) || !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("Load: %v, want ErrUnavailable alone", err)
		}
		if err := s.Touch(t.Context(), core.ID{1}, 1, time.Now()); errors.Is(err, core.ErrConflict) || !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("Touch: %v, want ErrUnavailable alone", err)
		}
	}
}

// interrupting is a DB whose rows arrive but cannot be read, as when database/sql closes
// them because the context has ended.
type interrupting struct{ err error }

func (d interrupting) Exec(context.Context, *Statement, ...any) (int64, error) { return 0, nil }

func (d interrupting) Query(_ context.Context, _ *Statement, row func(Scan) error, _ ...any) error {
	return row(func(...any) error { return d.err })
}

func (d interrupting) Tx(context.Context, func(Runner) error) error { return d.err }
func (d interrupting) Renew(context.Context)                        {}
func (d interrupting) Single() bool                                 { return true }

// pgError is an error of PostgreSQL's drivers.
type pgError string

func (e pgError) Error() string    { return "ERROR: something (SQLSTATE " + string(e) + ")" }
func (e pgError) SQLState() string { return string(e) }

func TestErrorsAreJudged(t *testing.T) {
	for _, test := range []struct {
		err  error
		want trouble
	}{
		{pgError("40001"), busy},
		{pgError("40P01"), busy},
		{pgError("57P01"), lost},
		{pgError("08006"), lost},
		{pgError("57P03"), down},
		{pgError("25006"), demoted},
		{pgError("42P01"), lasting},
		{pgError("53100"), lasting},
		{errors.New("Error 1213 (40001): Deadlock found"), busy},
		{errors.New("Error 1205 (HY000): Lock wait timeout exceeded"), busy},
		{errors.New("Error 1020 (HY000): Record has changed since last read"), busy},
		{errors.New("Error 1290 (HY000): running with the --read-only option"), demoted},
		{errors.New("Error 1146 (42S02): Table doesn't exist"), lasting},
		{errors.New("invalid connection"), lost},
		{errors.New("database is locked (5) (SQLITE_BUSY)"), busy},
		{errors.New("database is locked"), busy},
		{errors.New("database or disk is full (13)"), lasting},
		{driver.ErrBadConn, lost},
		{io.ErrUnexpectedEOF, lost},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, lost},
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, down},
		{context.DeadlineExceeded, lasting},
		{fmt.Errorf("wrapped: %w", pgError("40001")), busy},
	} {
		if got := judge(test.err); got != test.want {
			t.Errorf("judge(%v) = %d, want %d", test.err, got, test.want)
		}
	}
}

func TestDecide(t *testing.T) {
	id := func(n byte) core.ID { return core.ID{n} }
	all := []member{{id(1), true}, {id(2), false}, {id(3), true}, {id(4), true}}
	for _, test := range []struct {
		id      core.ID
		limit   int
		policy  core.LimitPolicy
		want    []core.ID
		refused bool
	}{
		{id(9), 4, core.EndOldest, nil, false},
		{id(9), 3, core.EndOldest, []core.ID{id(1)}, false},
		{id(9), 1, core.EndOldest, []core.ID{id(1), id(3), id(4)}, false},
		{id(1), 3, core.EndOldest, nil, false},
		{id(1), 2, core.EndOldest, []core.ID{id(3)}, false},
		{id(9), 3, core.RefuseLogin, nil, true},
		{id(9), 4, core.RefuseLogin, nil, false},
	} {
		got, err := decide(all, test.id, test.limit, test.policy)
		if !slices.Equal(got, test.want) || errors.Is(err, core.ErrSessionLimit) != test.refused {
			t.Errorf("%v at limit %d: %v, %v; want %v", test.id, test.limit, got, err, test.want)
		}
	}
}

func TestStatementsInEachDialect(t *testing.T) {
	const text = `UPDATE {s} SET a = $2 WHERE id = $1 AND a IN ($12, $2)`
	args := make([]any, 12)
	for i := range args {
		args[i] = i + 1
	}
	for _, test := range []struct {
		dialect Dialect
		text    string
		args    []any
	}{
		{Postgres, `UPDATE "in"."p_sessions" SET a = $2 WHERE id = $1 AND a IN ($12, $2)`, args},
		{SQLite, `UPDATE "in"."p_sessions" SET a = ?2 WHERE id = ?1 AND a IN (?12, ?2)`, args},
		{MySQL, "UPDATE `in`.`p_sessions` SET a = ? WHERE id = ? AND a IN (?, ?)", []any{2, 1, 12, 2}},
	} {
		n := newNames(test.dialect, &Config{Schema: "in", Prefix: "p_"})
		st := n.statement(text)
		if st.Text != test.text || !slices.Equal(st.Args(args), test.args) {
			t.Errorf("%v: %s %v", test.dialect, st.Text, st.Args(args))
		}
	}
}
