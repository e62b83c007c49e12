package memcachedstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/entry"
	"github.com/satchel-go/satchel/core/internal/memcached"
)

// DefaultPrefix begins the keys of a [Store] unless its [Config] says otherwise.
const DefaultPrefix = "satchel:"

// Config says how a [Store] uses Memcached. The zero value works.
type Config struct {
	// Prefix begins every key: at most 128 bytes, printable ASCII without spaces.
	// Applications that share a server need different prefixes. Default [DefaultPrefix].
	Prefix string

	// Timeout ends every call. Default 500 milliseconds.
	Timeout time.Duration

	// MaxConns is how many connections to each server are open at once. Memcached
	// refuses more than 1024 in all unless told otherwise. Default 32.
	MaxConns int

	// TLS encrypts the connections. Without a ServerName, that is the server's host.
	TLS *tls.Config

	// AllowEviction accepts a server that evicts sessions when its memory is full.
	// Users are then logged out at random; ended sessions stay ended.
	AllowEviction bool

	// SkipChecks skips the checks of the servers when a Manager is made:
	// [core.New] then succeeds even if they cannot be reached.
	SkipChecks bool

	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

// Store is a [core.Store] in Memcached, with [core.AllDeleter]. It is safe for concurrent
// use.
type Store struct {
	servers []*server
	config  Config
	err     error // what Validate reports
}

// maxPrefix leaves room for an ID in a key of 250 bytes.
const maxPrefix = 128

// New returns a Store on these servers, each "host:port". It does not connect.
// [core.New] reports what is wrong with c, the addresses or the servers.
func New(c Config, addresses ...string) *Store {
	s := &Store{config: c}
	if s.config.Prefix == "" {
		s.config.Prefix = DefaultPrefix
	}
	if s.config.Timeout == 0 {
		s.config.Timeout = 500 * time.Millisecond
	}
	if s.config.MaxConns == 0 {
		s.config.MaxConns = 32
	}
	if s.config.Now == nil {
		s.config.Now = time.Now
	}
	if s.err = s.usable(addresses); s.err != nil {
		return s
	}
	for _, address := range addresses {
		s.servers = append(s.servers, newServer(address, &s.config))
	}
	return s
}

// usable returns what is wrong with the configuration and the addresses.
func (s *Store) usable(addresses []string) error {
	c := &s.config
	if len(addresses) == 0 {
		return errors.New("memcachedstore: New needs the address of a server, such as localhost:11211")
	}
	seen := map[string]bool{}
	for _, address := range addresses {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			return fmt.Errorf("memcachedstore: %q is not an address: want a host and a port, such as localhost:11211", address)
		}
		if seen[address] {
			return fmt.Errorf("memcachedstore: %q is named twice", address)
		}
		seen[address] = true
	}
	odd := strings.ContainsFunc(c.Prefix, func(r rune) bool { return r <= ' ' || r > '~' })
	switch {
	case odd || len(c.Prefix) > maxPrefix:
		return fmt.Errorf("memcachedstore: Config.Prefix must be at most %d bytes of printable ASCII without spaces", maxPrefix)
	case c.Timeout < 0:
		return errors.New("memcachedstore: Config.Timeout is negative")
	case c.MaxConns < 0:
		return errors.New("memcachedstore: Config.MaxConns is negative")
	}
	return nil
}

// Close closes the connections. It does not wait for calls.
func (s *Store) Close() error {
	for _, server := range s.servers {
		server.client.Close()
	}
	return nil
}

// Key returns the key under which Memcached keeps the session id.
func (s *Store) Key(id core.ID) string { return s.config.Prefix + id.String() }

// Load implements [core.Store], in one round trip.
func (s *Store) Load(ctx context.Context, id core.ID) (e core.Entry, err error) {
	err = s.call(ctx, id, func(c *memcached.Conn) (err error) {
		var item item
		item, err = s.look(c, id)
		e = item.entry
		return err
	})
	if err != nil {
		return core.Entry{}, failed("load", err)
	}
	return e, nil
}

// item is a session as the server has it.
type item struct {
	entry core.Entry
	value []byte // the entry's bytes
	cas   uint64
}

// look returns the session with its CAS value, with which it has not expired. If it
// cannot be read or has expired, the item has the CAS value nevertheless.
func (s *Store) look(c *memcached.Conn, id core.ID) (item, error) {
	value, cas, err := c.Get(s.Key(id))
	if err != nil {
		return item{}, absent(err)
	}
	e, err := entry.Parse(value)
	if err != nil {
		return item{cas: cas}, err
	}
	if !s.config.Now().Before(e.Expires) {
		return item{cas: cas, entry: core.Entry{Version: e.Version}}, core.ErrNotFound
	}
	return item{e, value, cas}, nil
}

// Save implements [core.Store]: in one round trip for a new session, two if the
// connection has been idle, and two for one that exists. If an answer was lost, Save looks
// whether the session was stored. If that cannot be told, the error matches
// [core.ErrUnavailable], so that nothing is applied twice.
func (s *Store) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	w := write{store: s, id: id, base: base, version: entry.NewVersion()}
	w.value = entry.Append(make([]byte, 0, entry.Size(&e)), &e, w.version)
	w.exptime = s.exptime(e.Expires)
	if len(w.value) > memcached.MaxValue {
		return 0, fmt.Errorf("memcachedstore: save: %w", &core.SizeError{Total: len(w.value), Limit: memcached.MaxValue})
	}
	attempt := w.replace
	if base == 0 {
		attempt = w.create
	}
	if err := s.call(ctx, id, attempt); err != nil {
		return 0, w.failed(err)
	}
	return w.version, nil
}

// write is a Save. Its methods may run again after a connection broke.
type write struct {
	store   *Store
	id      core.ID
	base    core.Version
	version core.Version // what is to be stored
	value   []byte
	exptime int64
	lost    bool // what was sent may have been stored, or may yet be
}

// fresh is how long a connection may have been idle for add, which is not sent again.
const fresh = time.Second

// create stores a session that must not exist. It sends no second add after one whose
// answer was lost: it could undo a logout that has deleted what the first had stored, or
// be undone by the first.
func (w *write) create(c *memcached.Conn) error {
	if !w.lost && c.Idle() < fresh {
		if err := w.add(c); !errors.Is(err, memcached.ErrExists) {
			return err
		}
	}
	for {
		held, err := w.store.look(c, w.id)
		switch {
		case held.entry.Version == w.version: // an earlier attempt, even if it has expired since
			return nil
		case errors.Is(err, core.ErrNotFound) && held.cas != 0: // it has expired
			err = w.set(c, held.cas)
		case errors.Is(err, core.ErrNotFound) && w.lost:
			return errLost
		case errors.Is(err, core.ErrNotFound):
			err = w.add(c)
		case err == nil || unreadable(err):
			return core.ErrConflict
		}
		if !errors.Is(err, memcached.ErrExists) && !errors.Is(err, memcached.ErrMissing) {
			return err
		}
	}
}

// replace stores a session that must be at base.
func (w *write) replace(c *memcached.Conn) error {
	for {
		held, err := w.store.look(c, w.id)
		switch {
		case unreadable(err):
			return core.ErrConflict
		case err != nil:
			return err
		case held.entry.Version == w.version:
			return nil
		case held.entry.Version != w.base:
			return core.ErrConflict
		}
		if err := w.set(c, held.cas); !errors.Is(err, memcached.ErrExists) {
			return absent(err)
		}
	}
}

func (w *write) add(c *memcached.Conn) error {
	return w.sent(c.Add(w.store.Key(w.id), w.value, w.exptime))
}

func (w *write) set(c *memcached.Conn, cas uint64) error {
	return w.sent(c.CompareAndSwap(w.store.Key(w.id), w.value, w.exptime, cas))
}

func (w *write) sent(err error) error {
	w.lost = w.lost || !memcached.Answered(err)
	return err
}

// failed returns the error of Save.
func (w *write) failed(err error) error {
	switch {
	case errors.Is(err, memcached.ErrTooLarge): // its limit is somewhere below
		return fmt.Errorf("memcachedstore: save: %w", &core.SizeError{Total: len(w.value), Limit: len(w.value) - 1})
	case errors.Is(err, core.ErrConflict) && w.lost:
		err = errLost
	}
	return failed("save", err)
}

// errLost is unavailable.
var errLost = errors.New("the answer was lost, and it cannot be told whether the session was stored")

// Touch implements [core.Store], in two round trips. Its effect is that of a save that
// changes nothing else.
func (s *Store) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	err := s.call(ctx, id, func(c *memcached.Conn) error {
		for {
			held, err := s.look(c, id)
			if err != nil || held.entry.Version != base {
				return err
			}
			entry.SetExpiry(held.value, expires)
			err = c.CompareAndSwap(s.Key(id), held.value, s.exptime(expires), held.cas)
			if !errors.Is(err, memcached.ErrExists) {
				return absent(err)
			}
		}
	})
	if err != nil && !unreadable(err) { // that is not at base
		return failed("touch", err)
	}
	return nil
}

// Delete implements [core.Store], in one round trip.
func (s *Store) Delete(ctx context.Context, id core.ID) error {
	err := s.call(ctx, id, func(c *memcached.Conn) error { return c.Delete(s.Key(id)) })
	if err != nil && !errors.Is(err, memcached.ErrMissing) {
		return failed("delete", err)
	}
	return nil
}

// call runs f with a connection to the server of id, within [Config.Timeout].
func (s *Store) call(ctx context.Context, id core.ID, f func(*memcached.Conn) error) error {
	if s.err != nil {
		return s.err
	}
	return s.within(ctx, s.serverOf(id), f)
}

func (s *Store) within(ctx context.Context, server *server, f func(*memcached.Conn) error) error {
	if t, ok := ctx.Deadline(); !ok || time.Until(t) > s.config.Timeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.config.Timeout)
		defer cancel()
	}
	return server.client.Do(ctx, f)
}

const (
	// month is the longest time that Memcached takes for a number of seconds. It
	// takes a larger number for a Unix time.
	month = 30 * 24 * 60 * 60

	// slack is for the clock of a server, which ticks once a second. The exact expiry
	// is in the value.
	slack = 2
)

// exptime returns until when Memcached is to keep an item that expires at t. The
// application's clock, with which t was made, may differ from the server's: therefore it
// is a number of seconds, if they are not too many for that. It is never zero, which would
// mean for ever, nor what Memcached cannot read.
func (s *Store) exptime(t time.Time) int64 {
	seconds := max(int64(math.Ceil(t.Sub(s.config.Now()).Seconds())), 0) + slack
	now := time.Now().Unix()
	if seconds <= month || now > math.MaxInt32-month {
		return min(seconds, month)
	}
	return min(now+seconds, math.MaxInt32)
}

// absent turns what Memcached does not have into [core.ErrNotFound].
func absent(err error) error {
	if errors.Is(err, memcached.ErrMissing) {
		return core.ErrNotFound
	}
	return err
}

// unreadable reports whether err is about an item that is there.
func unreadable(err error) bool {
	return errors.Is(err, core.ErrCorrupt) || errors.Is(err, core.ErrNewerVersion)
}

// failed returns an error that says what could not be done. It matches
// [core.ErrUnavailable] unless it is an answer about the session.
func failed(what string, err error) error {
	if errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrConflict) || unreadable(err) {
		return fmt.Errorf("memcachedstore: %s: %w", what, err)
	}
	return fmt.Errorf("memcachedstore: %s: %w: %w", what, core.ErrUnavailable, err)
}

var (
	_ core.Store      = (*Store)(nil)
	_ core.AllDeleter = (*Store)(nil)
	_ core.Validator  = (*Store)(nil)
)
