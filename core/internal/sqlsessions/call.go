package sqlsessions

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/satchel-go/satchel/core"
)

// trouble is what an error of the database means for another attempt.
type trouble int

const (
	lasting trouble = iota // another attempt will not do better
	busy                   // others were faster; nothing has been stored
	lost                   // the connection broke: what was sent may have been stored
	down                   // no connection can be made
	demoted                // the server can only be read; nothing has been stored
)

// errAgain asks for another attempt, because others have changed what was looked at.
var errAgain = errors.New("changed meanwhile")

// stepTimeout is how long a step of what nobody waits for may take: a batch of the
// clean-up, for example, on a disk that has other things to do.
const stepTimeout = 10 * time.Second

// call runs f within [Config.Timeout], again and again while that may help. again tells
// f that what an earlier attempt has sent may have been stored.
func (s *Store) call(ctx context.Context, f func(ctx context.Context, again bool) error) error {
	return s.within(ctx, s.config.Timeout, f)
}

// step is call for one step of many.
func (s *Store) step(ctx context.Context, f func(ctx context.Context) error) error {
	return s.within(ctx, max(stepTimeout, s.config.Timeout), func(ctx context.Context, _ bool) error { return f(ctx) })
}

func (s *Store) within(ctx context.Context, timeout time.Duration, f func(ctx context.Context, again bool) error) error {
	if s.err != nil {
		return s.err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if t, ok := ctx.Deadline(); !ok || time.Until(t) > timeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	again, refused := false, 0
	for try := 0; ; try++ {
		err := f(ctx, again)
		if err == nil {
			return nil
		}
		var pause time.Duration
		switch judge(err) {
		case lasting:
			return err
		case busy:
			pause = time.Millisecond << min(try, 5)
		case lost: // the pool may hold more connections that are as dead
			again, pause = true, 2*time.Millisecond
		case demoted: // the pool's connections may lead to a server that was the primary
			pause = 4 * time.Millisecond << min(try, 4)
			s.renew(ctx)
		case down:
			if refused++; refused == 4 {
				return err
			}
			pause = 40 * time.Millisecond
		}
		if t, _ := ctx.Deadline(); time.Until(t) < pause {
			return err
		}
		select {
		case <-time.After(rand.N(pause)): //nolint:gosec // jitter is no secret
		case <-ctx.Done():
			return err
		}
	}
}

// renewEvery bounds how often a pool is emptied.
const renewEvery = 100 * time.Millisecond

// renew makes the next attempt use a new connection.
func (s *Store) renew(ctx context.Context) {
	last, now := s.renewed.Load(), time.Now().UnixNano()
	if now-last >= int64(renewEvery) && s.renewed.CompareAndSwap(last, now) {
		s.db.Renew(ctx)
	}
}

// judge tells what err means for another attempt. It knows drivers by what their errors
// say, for it must not import them.
func judge(err error) trouble {
	var (
		sqlState interface{ SQLState() string }
		network  *net.OpError
	)
	switch {
	case errors.Is(err, errAgain):
		return busy
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return lasting
	case errors.As(err, &sqlState) && sqlState.SQLState() != "":
		return judgeState(sqlState.SQLState())
	case errors.As(err, &network) && network.Op == "dial":
		return down
	}
	text := err.Error()
	if number, ok := mysqlNumber(text); ok {
		return judgeNumber(number)
	}
	switch { // what drivers say of broken connections, and SQLite's of locks
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), network != nil,
		strings.HasSuffix(text, "invalid connection"), strings.Contains(text, "conn closed"), strings.Contains(text, "busy buffer"):
		return lost
	case strings.Contains(text, "database is locked"), strings.Contains(text, "table is locked"), strings.Contains(text, "SQLITE_BUSY"):
		return busy
	}
	return lasting
}

// judgeState judges PostgreSQL's codes.
func judgeState(code string) trouble {
	switch code {
	case "40001", "40P01", "55P03": // serialization failure, deadlock, lock not available
		return busy
	case "57P03", "53300": // starting up, too many connections
		return down
	case "57P01", "57P02": // shut down, crashed
		return lost
	case "25006": // read-only
		return demoted
	}
	if strings.HasPrefix(code, "08") { // connection exceptions
		return lost
	}
	return lasting
}

// judgeNumber judges the codes of MySQL and MariaDB.
func judgeNumber(number int) trouble {
	switch number {
	case 1213, 1205, 1020, 1615: // deadlock, lock wait, changed since read, prepare again
		return busy
	case 1053, 1927: // shut down, killed
		return lost
	case 1290, 1792, 1836: // read-only
		return demoted
	case 1040, 1203: // too many connections
		return down
	}
	return lasting
}

// mysqlNumber returns the number in "Error 1213 (40001): …".
func mysqlNumber(text string) (int, bool) {
	_, text, found := strings.Cut(text, "Error ")
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	number, err := strconv.Atoi(text[:digits])
	return number, found && err == nil
}

// isDuplicate reports whether the key was taken.
func isDuplicate(err error) bool {
	if err == nil {
		return false
	}
	number, ok := mysqlNumber(err.Error())
	return ok && number == 1062
}

// answers are what a store may say about a session.
var answers = []error{core.ErrNotFound, core.ErrConflict, core.ErrSessionLimit, core.ErrCorrupt, core.ErrNewerVersion}

// failed returns an error that says what could not be done. Unless err is an answer, it
// matches of the core's sentinels only ErrUnavailable.
func (s *Store) failed(what string, err error) error {
	for _, answer := range answers {
		if errors.Is(err, answer) {
			return fmt.Errorf("%s: %s: %w", s.layer, what, err)
		}
	}
	if code := codeOf(err); code == "42P05" || code == "26000" {
		err = advised("a pooler between here and PostgreSQL does not keep prepared statements: "+
			"add default_query_exec_mode=exec to pgx's data source, or set max_prepared_statements in PgBouncer 1.21 or later", err)
	}
	var network *net.OpError
	if judge(err) == lost && !errors.As(err, &network) {
		err = &net.OpError{Op: "read", Net: "tcp", Err: err} // drivers do not always say so
	}
	return fmt.Errorf("%s: %s: %w: %w", s.layer, what, core.ErrUnavailable, err)
}
