package goredisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/entry"
)

// DefaultPrefix begins the keys of a [Store] unless its [Config] says otherwise.
const DefaultPrefix = "satchel:"

// Config says how a [Store] uses Redis. The zero value works.
type Config struct {
	// Prefix begins every key. Applications that share a Redis need different
	// prefixes, none of which begins with another. Default [DefaultPrefix].
	Prefix string

	// Timeout ends every call, whatever the client's own timeouts and retries.
	// Default 500 milliseconds.
	Timeout time.Duration

	// AllowEviction accepts a server that evicts sessions when its memory is
	// full. Users are then logged out at random; revoked sessions stay revoked.
	// RevokeUser looks at every session, because the server may have evicted the
	// index of the user's.
	AllowEviction bool

	// SkipChecks skips the checks of the server when a Manager is made:
	// [core.New] then succeeds even if Redis cannot be reached.
	SkipChecks bool

	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

// Store is a [core.Store] in Redis, with [core.UserIndex], [core.Mender],
// [core.AllDeleter], [core.PulseWatcher] and [core.Invalidator]. It is safe for concurrent
// use.
type Store struct {
	client   redis.UniversalClient
	obedient bool          // its calls end with their context
	bounds   bounds        // of the calls of one that is
	waiting  chan struct{} // limits the calls of a client that is not obedient
	config   Config
	err      error // what Validate reports
	close    func() error
}

// New returns a Store that uses client, which the caller closes.
//
// Set the client's option ContextTimeoutEnabled, as [NewClient] does: go-redis
// then gives up when Config.Timeout is over. Without it, connections stay busy
// with abandoned calls, and each call needs a goroutine. [core.New] reports what
// is wrong with client or c.
func New(client redis.UniversalClient, c Config) *Store {
	s := &Store{client: client, config: c, close: func() error { return nil }}
	if s.config.Prefix == "" {
		s.config.Prefix = DefaultPrefix
	}
	if s.config.Timeout == 0 {
		s.config.Timeout = 500 * time.Millisecond
	}
	if s.config.Now == nil {
		s.config.Now = time.Now
	}
	if s.err = usable(client); s.err != nil {
		s.client = nil
	} else if s.obedient = obeys(client); !s.obedient {
		s.waiting = make(chan struct{}, patience)
	}
	if s.config.Timeout < 0 {
		s.err = errors.Join(s.err, errors.New("goredisstore: Config.Timeout is negative"))
	}
	return s
}

var errNilClient = errors.New("goredisstore: New was given a nil client")

func usable(client redis.UniversalClient) error {
	switch c := client.(type) {
	case nil:
		return errors.New("goredisstore: New(nil): give it a client, such as redis.NewClient(…)")
	case *redis.Client:
		if c == nil {
			return errNilClient
		}
	case *redis.Ring:
		if c == nil {
			return errNilClient
		}
	case *redis.ClusterClient:
		if c == nil {
			return errNilClient
		}
		if o := c.Options(); o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return errors.New("goredisstore: the cluster client reads from replicas, where a session may be out of date or missing: " +
				"leave ReadOnly, RouteByLatency and RouteRandomly off in redis.ClusterOptions")
		}
	}
	return nil
}

// Client returns the client that was passed to New, or nil if it cannot be used.
func (s *Store) Client() redis.UniversalClient { return s.client }

// Close closes the client if [Open] made it.
func (s *Store) Close() error { return s.close() }

// Key returns the key under which Redis keeps the session id.
func (s *Store) Key(id core.ID) string {
	text, _ := id.AppendText(append(make([]byte, 0, 64), s.config.Prefix...)) // never fails
	return string(text)
}

// Load implements [core.Store], in one round trip. It reads from masters only:
// see [Get].
func (s *Store) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	var value []byte
	err := s.Within(ctx, func(ctx context.Context) (err error) {
		value, err = Get(ctx, s.client, s.Key(id)).Bytes()
		return err
	})
	if err != nil {
		return s.Loaded(nil, err)
	}
	return s.Loaded(value, nil)
}

// Loaded makes an entry from the answer of GET or GETEX. The entry shares value's
// bytes. Loaded is for stores that have their own way to load what this one saves.
func (s *Store) Loaded(value []byte, err error) (core.Entry, error) {
	switch {
	case errors.Is(err, redis.Nil):
		return core.Entry{}, fmt.Errorf("goredisstore: load: %w", core.ErrNotFound)
	case wrongType(err):
		return core.Entry{}, fmt.Errorf("goredisstore: load: %w: %w", core.ErrCorrupt, err)
	case err != nil:
		return core.Entry{}, failed("load", err)
	}
	e, err := entry.Parse(value)
	if err != nil {
		return core.Entry{}, fmt.Errorf("goredisstore: %w", err)
	}
	if !s.config.Now().Before(e.Expires) {
		return core.Entry{}, fmt.Errorf("goredisstore: load: %w", core.ErrNotFound)
	}
	return e, nil
}

// Save implements [core.Store], in one round trip. If the answer to an earlier
// attempt was lost and the session has changed since, it is unknown whether that
// attempt was stored. The error then matches [core.ErrUnavailable], so that
// nothing is applied twice.
func (s *Store) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	v := entry.NewVersion()
	value := entry.Append(make([]byte, 0, entry.Size(&e)), &e, v)
	result, err := s.run(ctx, saveScript, s.change(id, base, value, e.Expires).all[:])
	switch {
	case wrongType(err):
		return 0, fmt.Errorf("goredisstore: save: %w: %w", core.ErrConflict, err)
	case err != nil:
		return 0, failed("save", err)
	}
	switch result {
	case int64(1):
		return v, nil
	case int64(0):
		return 0, fmt.Errorf("goredisstore: save: %w", core.ErrConflict)
	case int64(-1):
		return 0, fmt.Errorf("goredisstore: save: %w", core.ErrNotFound)
	}
	return 0, failed("save", errors.New("the answer was lost, and the session has been changed since"))
}

// Touch implements [core.Store], in one round trip.
func (s *Store) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	result, err := s.run(ctx, touchScript, s.touching(id, base, expires))
	switch {
	case wrongType(err):
		return nil // not at base
	case err != nil:
		return failed("touch", err)
	case result == int64(-1):
		return fmt.Errorf("goredisstore: touch: %w", core.ErrNotFound)
	}
	return nil
}

// touching returns the arguments of touchScript.
func (s *Store) touching(id core.ID, base core.Version, expires time.Time) []any {
	all := s.change(id, base, entry.AppendExpiry(nil, expires), expires).all[:]
	return all[:len(all)-1] // to touch twice does no harm
}

// Delete implements [core.Store], in one round trip.
func (s *Store) Delete(ctx context.Context, id core.ID) error {
	if _, err := s.Run(ctx, deleteScript, s.Key(id), s.channel(), id.String()); err != nil {
		return failed("delete", err)
	}
	return nil
}

// Deleted publishes the end of id to watchers, unless err says that it was not
// deleted. It is for stores that have their own way to delete what this one saves.
func (s *Store) Deleted(ctx context.Context, id core.ID, err error) error {
	if err != nil {
		return failed("delete", err)
	}
	s.publish(ctx, id.String())
	return nil
}

// publish informs the watchers. If the user may not publish, they poll instead.
func (s *Store) publish(ctx context.Context, message string) {
	_ = s.Within(ctx, func(ctx context.Context) error { return s.client.Publish(ctx, s.channel(), message).Err() })
}

var (
	_ core.Store       = (*Store)(nil)
	_ core.UserIndex   = (*Store)(nil)
	_ core.Mender      = (*Store)(nil)
	_ core.TouchMender = (*Store)(nil)
	_ core.AllDeleter  = (*Store)(nil)
	_ core.Watcher     = (*Store)(nil)
	_ core.Validator   = (*Store)(nil)
)
