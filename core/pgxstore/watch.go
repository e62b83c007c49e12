package pgxstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/sqlsessions"
)

const (
	// pingEvery is how often Watch asks whether its connection still answers.
	pingEvery = 2 * time.Second

	// pingTimeout is how long an answer may take before Watch gives the connection up.
	pingTimeout = 3 * time.Second
)

// Watch implements [core.Watcher]; see [Store.WatchPulse].
func (s *Store) Watch(ctx context.Context, ended func(core.ID)) error {
	return s.WatchPulse(ctx, ended, func() {})
}

// WatchPulse implements [core.PulseWatcher] with LISTEN, on a connection of its own that
// is none of the pool's. Every two seconds it asks for an answer there, and whether the
// pool leads to the same server, which it may not after a failover. It returns an error if it
// does not, if there is no answer within three seconds, and when the connection breaks.
//
// A pooler in transaction mode would take the LISTEN and deliver nothing. Whatever stands
// between and is not PostgreSQL itself is therefore refused: set [Config.ListenURL].
func (s *Store) WatchPulse(ctx context.Context, ended func(core.ID), alive func()) error {
	if s.config.NoNotify {
		return core.ErrUnsupported
	}
	err := s.watch(ctx, ended, alive)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("pgxstore: watch: %w", err)
}

func (s *Store) watch(ctx context.Context, ended func(core.ID), alive func()) error {
	conn, err := s.listen(ctx, s.channel, nil)
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
	ended(core.ID{}) // sessions may have ended before we listened
	for n := ""; ; {
		switch n {
		case "":
			now, err := place(ctx, s.pool)
			if err == nil && now != where {
				return errMoved
			}
			if err == nil { // the pool may only be busy
				alive()
			}
		default:
			if id, ok := parse(n); ok {
				ended(id)
			}
		}
		if n, err = conn.notification(ctx); err != nil {
			return err
		}
	}
}

// parse reads what a notification says.
func parse(payload string) (id core.ID, ok bool) {
	if payload == sqlsessions.EveryID {
		return core.ID{}, true
	}
	if hex.DecodedLen(len(payload)) != len(id) {
		return core.ID{}, false
	}
	_, err := hex.Decode(id[:], []byte(payload))
	return id, err == nil
}

// listener is a connection that listens.
type listener struct {
	*pgx.Conn
	answered time.Time // the last ping
}

var errMoved = errors.New("the pool leads to another server or database than the connection that listens")

var errPooler = errors.New("a connection pooler stands before PostgreSQL, and LISTEN needs a connection without: set Config.ListenURL")

// listen connects and listens. It calls heard, unless that is nil, with each notification
// that is read; otherwise pgx keeps them.
func (s *Store) listen(ctx context.Context, channel string, heard pgconn.NotificationHandler) (*listener, error) {
	if s.pool == nil {
		return nil, errors.New("there is no pool")
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	pool := s.pool.Config()
	config := pool.ConnConfig
	if s.config.ListenURL != "" {
		var err error
		if config, err = pgx.ParseConfig(s.config.ListenURL); err != nil {
			return nil, fmt.Errorf("Config.ListenURL: %w", err)
		}
	} else if pool.BeforeConnect != nil {
		if err := pool.BeforeConnect(ctx, config); err != nil {
			return nil, err
		}
	}
	config.OnNotification = heard
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler { // after a wait, go on
		return &pgconn.DeadlineContextWatcherHandler{Conn: c.Conn()}
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	var pid int64
	if err = conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err == nil && pid != int64(conn.PgConn().PID()) {
		err = errPooler
	}
	if err == nil {
		_, err = conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize())
	}
	if err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	return &listener{conn, time.Now()}, nil
}

// notification returns the payload of the next notification, or "" once the connection
// has answered a ping.
func (l *listener) notification(ctx context.Context) (string, error) {
	wait, cancel := context.WithDeadline(ctx, l.answered.Add(pingEvery))
	defer cancel()
	n, err := l.WaitForNotification(wait)
	if n != nil {
		return n.Payload, nil
	}
	if wait.Err() == nil || ctx.Err() != nil {
		return "", err
	}
	answer, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := l.Ping(answer); err != nil {
		return "", err
	}
	l.answered = time.Now()
	return "", nil
}
