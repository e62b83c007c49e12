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
	"syscall"
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

// Check asks the store whether it can be used. A store tries several times, and longer
// than somebody wants to wait for a server that hangs.
func (t *Target) Check() error {
	checked := make(chan error, 1)
	go func() { checked <- t.bare.Validate() }()
	select {
	case err := <-checked:
		if Away(err) {
			return fmt.Errorf("%w: %w", core.ErrUnavailable, err)
		}
		return err
	case <-time.After(t.timeout):
		return fmt.Errorf("%w: %s does not answer within %v", core.ErrUnavailable, t.Label, t.timeout)
	}
}

// Away reports whether err says that nothing answers.
func Away(err error) bool {
	var network net.Error
	isNetwork := errors.As(err, &network)
	_, local := network.(syscall.Errno) // of a file: those of connections are in a net.OpError
	return errors.Is(err, context.DeadlineExceeded) || isNetwork && !local ||
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
