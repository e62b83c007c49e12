// Package target opens the store that the command line works on, as the application
// that owns it would, and can walk through its sessions.
package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// Config says what to open. Keys and passwords come from the environment alone.
type Config struct {
	URL       string // "" for SATCHEL_STORE, else REDIS_URL
	Prefix    string // "" for SATCHEL_PREFIX, else the store's default
	Timeout   time.Duration
	Now       func() time.Time
	SkipCheck bool // do not ask the store whether it can be used
}

// Target is an open store.
type Target struct {
	Label    string // for people, without secrets: "redis at host:6379, prefix satchel:"
	Scheme   string
	Prefix   string
	Store    core.Store
	Sessions *core.Manager
	Config   core.Config // as the application's environment has it
	Keys     *sealed.Keyring
	Redis    *Redis // nil for other stores
	SQL      *SQL   // nil for other stores

	bare    driver
	timeout time.Duration
	now     func() time.Time
	closers []func() error
}

// driver is what kinds of stores differ in.
type driver interface {
	core.Store
	core.Validator
}

// walker is a driver that knows its sessions.
type walker interface {
	// walk calls yield with IDs of sessions, in batches, until it returns an error.
	walk(ctx context.Context, yield func([]core.ID) error) error
}

// Errors of Open and of what a Target does.
var (
	ErrUsage   = errors.New("usage") // the caller can mend the call
	ErrRefused = errors.New("refused")
)

type usageError struct{ error }

func (usageError) Is(target error) bool { return target == ErrUsage }

// Usage returns an error that matches ErrUsage.
func Usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

type refusedError struct{ error }

func (refusedError) Is(target error) bool { return target == ErrRefused }

// Refused returns an error that matches ErrRefused.
func Refused(format string, args ...any) error { return refusedError{fmt.Errorf(format, args...)} }

// Open opens what c and the environment name, and checks that it can be used. A store
// that cannot be reached is an error that matches [core.ErrUnavailable].
func Open(c Config) (*Target, error) {
	if c.URL == "" {
		c.URL = FromEnv()
	}
	if c.URL == "" {
		return nil, Usage("which store? Set SATCHEL_STORE or REDIS_URL, such as redis://host:6379")
	}
	if c.Prefix == "" {
		c.Prefix = os.Getenv("SATCHEL_PREFIX")
	}
	scheme, rest, found := strings.Cut(strings.TrimSpace(c.URL), ":")
	open, known := schemes[scheme]
	if !found || !known {
		return nil, Usage("unknown store: want a URL that begins with one of %s", Known())
	}
	t := &Target{Scheme: scheme, Label: label(scheme, rest), timeout: c.Timeout, now: c.Now}
	if t.now == nil {
		t.now = time.Now
	}
	if err := t.open(&c, open, rest); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// FromEnv returns the URL in the environment.
func FromEnv() string {
	if url := os.Getenv("SATCHEL_STORE"); url != "" {
		return url
	}
	return os.Getenv("REDIS_URL")
}

func (t *Target) open(c *Config, open opener, rest string) error {
	var err error
	if t.Config, err = core.ConfigFromEnv("SESSION_"); err != nil {
		return Usage("%w", err)
	}
	if text := os.Getenv("STORE_KEYS"); text != "" {
		if t.Keys, err = sealed.ParseKeyring(text); err != nil {
			return Usage("STORE_KEYS: %w", err)
		}
	}
	if t.bare, err = open(t, c, rest); err != nil {
		return err
	}
	t.Label += ", prefix " + t.Prefix
	if t.Prefix == "" {
		t.Label = strings.TrimSuffix(t.Label, ", prefix ")
	}
	if !c.SkipCheck {
		if err := t.Check(); err != nil {
			return err
		}
	}
	t.Store = unchecked{t.bare}
	if t.Keys != nil {
		t.Store = sealed.Store(t.Store, t.Keys)
	}
	config := t.Config
	config.LoadTimeout, config.CommitTimeout = c.Timeout, c.Timeout
	config.NoFailFast, config.Now = true, t.now
	config.Observer = func(context.Context, core.Event) {} // the command tells what it did
	t.Sessions, err = core.New(core.ServerSide(t.Store), config)
	return err
}

// unchecked hides the store's Validator: Check has called it, or the doctor will.
type unchecked struct{ core.Store }

func (u unchecked) Unwrap() core.Store { return u.Store }
func (unchecked) Validate() error      { return nil }

// Check asks the store whether it can be used.
func (t *Target) Check() error {
	err := t.bare.Validate()
	if Away(err) {
		return fmt.Errorf("%w: %w", core.ErrUnavailable, err)
	}
	return err
}

// Away reports whether err says that nothing answers.
func Away(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) ||
		err != nil && strings.Contains(err.Error(), "cannot be reached")
}

// Close closes the store.
func (t *Target) Close() error {
	var all error
	for _, f := range slices.Backward(t.closers) {
		all = errors.Join(all, f())
	}
	t.closers = nil
	return all
}

func (t *Target) onClose(f func() error) { t.closers = append(t.closers, f) }

// CanWalk reports whether Walk works.
func (t *Target) CanWalk() bool {
	_, ok := t.bare.(walker)
	return ok
}

// ErrEnough ends a Walk early, without an error.
var ErrEnough = errors.New("enough")

// Walk calls yield with the IDs of the sessions in the store, in batches and in no
// order. An ID may come twice while a Redis server changes its tables, and a session
// may have ended.
func (t *Target) Walk(ctx context.Context, yield func([]core.ID) error) error {
	w, ok := t.bare.(walker)
	if !ok {
		return Refused("a store of this kind cannot list all of its sessions")
	}
	if err := w.walk(ctx, yield); !errors.Is(err, ErrEnough) {
		return err
	}
	return nil
}

// Count returns how many sessions live. Where the store does not know it, Count walks,
// tells progress how far it is, and stops at most if that is above zero.
func (t *Target) Count(ctx context.Context, most int, progress func(int)) (int, error) {
	if counter, ok := core.StoreAs[core.Counter](t.bare); ok {
		ctx, cancel := context.WithTimeout(ctx, max(t.timeout, time.Minute))
		defer cancel()
		return counter.Count(ctx)
	}
	n := 0
	err := t.Walk(ctx, func(ids []core.ID) error {
		n += len(ids)
		progress(n)
		if most > 0 && n >= most {
			return ErrEnough
		}
		return nil
	})
	return n, err
}

// Item is a session as the store has it.
type Item struct {
	ID     core.ID
	Record *core.Record // nil if it cannot be read; see Err
	Bytes  int          // of the entry's data
	Data   []byte       // of an entry that cannot be read
	Err    error        // why; core.ErrNotFound if it has ended meanwhile
}

// Sealed reports whether the item is encrypted, as what [sealed.Store] writes begins.
func (i *Item) Sealed() bool { return len(i.Data) > 0 && i.Data[0] == 0xE1 }

// Load loads one session.
func (t *Target) Load(ctx context.Context, id core.ID) Item {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	e, err := t.Store.Load(ctx, id)
	if err != nil {
		return Item{ID: id, Err: err}
	}
	item := Item{ID: id, Bytes: len(e.Data)}
	if item.Record, item.Err = core.ParseEntry(id, e); item.Err != nil {
		item.Record, item.Data = nil, e.Data
		if item.Sealed() {
			item.Err = fmt.Errorf("%w: it is encrypted: set STORE_KEYS as the application has it", core.ErrCorrupt)
		}
	}
	return item
}

// loaders is how many sessions are loaded at once.
const loaders = 16

// LoadAll loads sessions, in the order of ids.
func (t *Target) LoadAll(ctx context.Context, ids []core.ID) []Item {
	items := make([]Item, len(ids))
	var all sync.WaitGroup
	for worker := range loaders {
		all.Go(func() {
			for i := worker; i < len(ids) && ctx.Err() == nil; i += loaders {
				items[i] = t.Load(ctx, ids[i])
			}
		})
	}
	all.Wait()
	for i := range items {
		if items[i].ID.IsZero() {
			items[i] = Item{ID: ids[i], Err: ctx.Err()}
		}
	}
	return items
}

// usualIdle is the core's default for Config.IdleTimeout.
const usualIdle = 30 * time.Minute

// LastSeen returns when r was last used, as far as its expiry and its last save tell.
func (t *Target) LastSeen(r *core.Record) time.Time {
	idle := t.Config.IdleTimeout
	if idle == 0 {
		idle = usualIdle
	}
	if idle < 0 {
		return r.SavedAt
	}
	if seen := r.Expires.Add(-idle); seen.After(r.SavedAt) && !seen.After(t.now()) {
		return seen
	}
	return r.SavedAt
}
