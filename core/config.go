package core

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"
)

// NoTimeout disables a timeout. (Zero means the default.)
const NoTimeout time.Duration = -1

// foreverIdle bounds sessions that have no timeout at all: every stored entry
// has an expiry, and browsers keep no cookie for longer (RFC 6265bis 5.5).
const foreverIdle = 400 * 24 * time.Hour

// Timeouts are a pair of idle timeout and absolute lifetime.
type Timeouts struct {
	Idle     time.Duration
	Lifetime time.Duration
}

// Config is what an application decides about its sessions. The zero value is
// a good one: idle timeout 30 minutes, absolute lifetime 12 hours, cookie
// __Host-session. [New] copies it; later changes have no effect.
type Config struct {
	// Namespace names the application. Tokens of one namespace are unknown in
	// another, even on the same store, and users are different users. What operators do by ID, and
	// RevokeAll, reaches the whole store. Default "".
	Namespace string

	// Cookie has the cookie's name and attributes.
	Cookie Cookie

	// InsecureAllowHTTP lets the cookie travel over plain HTTP: no Secure
	// attribute, and by default the name session, since the prefix __Host- is
	// for Secure cookies. For development only.
	InsecureAllowHTTP bool

	// IdleTimeout ends a session that was not used for so long. The server
	// enforces it. Default 30 minutes; NoTimeout disables it.
	IdleTimeout time.Duration

	// Lifetime is the absolute lifetime: it ends a session so long after its
	// login (or its creation, without a login), whatever its activity.
	// Default 12 hours; NoTimeout disables it.
	Lifetime time.Duration

	// Remembered has the timeouts of sessions on which Remember(true) was
	// called. Default 14 days idle, 30 days lifetime.
	Remembered Timeouts

	// TouchAfter is how much of the idle timeout must have passed before a
	// request that only reads moves the expiry. Default a tenth of the idle timeout.
	TouchAfter time.Duration

	// SessionLimit is how many sessions a user may have at once; zero means
	// any number. It needs a backend that can list a user's sessions.
	SessionLimit int

	// LimitPolicy says what a login beyond SessionLimit does. Default
	// EndOldest.
	LimitPolicy LimitPolicy

	// MaxFlashes is how many unread flashes a session keeps; beyond that the
	// oldest go. Default 32.
	MaxFlashes int

	// FlashLifetime is how long an unread flash is kept. Default 24 hours;
	// NoTimeout keeps it as long as its session.
	FlashLifetime time.Duration

	// MaxBytes is the largest record that is stored. Default 64 KiB. What fits
	// in cookies is less; see Cookie.MaxParts.
	MaxBytes int

	// Codec encodes values. Default CBOR(). After a change, values written
	// before cannot be decoded.
	Codec Codec

	// Check, if set, runs after a session was loaded and ends it if it returns
	// an error: the user was deleted, the password changed. An error that
	// matches ErrUnavailable is answered as if the session's backend were
	// unavailable. What Check reads does not count as use of the session.
	Check func(ctx context.Context, s *Session) error

	// Describe, if set, gives a session its Label when it is created or logged
	// in, for lists of devices. Off by default, for such labels are personal data.
	Describe func(ex Exchange) string

	// Observer is told what happens to sessions. Default: SlogObserver with
	// slog.Default().
	Observer Observer

	// Development says that this process is a developer's own, and allows what
	// must never be in production: [Manager.Observe], and with it the page of
	// the package devpage. It changes nothing about sessions.
	Development bool

	// LoadTimeout is how long a request waits for a networked backend to load
	// its session. Default 500 milliseconds.
	LoadTimeout time.Duration

	// CommitTimeout is how long a commit may take, retries after conflicts
	// included. It goes on when the client hangs up. Default 2 seconds.
	CommitTimeout time.Duration

	// KeepOnServerError commits changes even if the response is a 500 or
	// above. By default they are rolled back; a logout never is.
	KeepOnServerError bool

	// ServeWhenUnavailable serves requests whose session could not be loaded
	// with an empty, read-only session instead of an error: for sites whose
	// pages are worth more than their sessions.
	ServeWhenUnavailable bool

	// NotBefore ends all sessions that began (or last logged in) before it. Client-side
	// sessions need it to make RevokeAll outlast a restart.
	NotBefore time.Time

	// Strict makes mistakes panic that are otherwise reported: changes that
	// come too late, changes to what Get returned. For tests.
	Strict bool

	// OnMistake, if set, is told what Strict finds in place of the panic, in
	// the goroutine that made the mistake. It must not use the session. Without
	// Strict it has no effect. The package sessiontest fails tests with it.
	OnMistake func(err error)

	// Now is the clock. Default time.Now. For tests.
	Now func() time.Time

	// Rand is the source of IDs and secrets. Default crypto/rand.Reader. For tests.
	Rand io.Reader
}

// withDefaults returns c with every default filled in.
func (c Config) withDefaults() Config {
	orDuration := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	orInt := func(n *int, def int) {
		if *n == 0 {
			*n = def
		}
	}
	c.Cookie = c.Cookie.withDefaults(c.InsecureAllowHTTP)
	orDuration(&c.IdleTimeout, 30*time.Minute)
	orDuration(&c.Lifetime, 12*time.Hour)
	orDuration(&c.Remembered.Idle, 14*24*time.Hour)
	orDuration(&c.Remembered.Lifetime, 30*24*time.Hour)
	orDuration(&c.FlashLifetime, 24*time.Hour)
	orDuration(&c.LoadTimeout, 500*time.Millisecond)
	orDuration(&c.CommitTimeout, 2*time.Second)
	orInt(&c.MaxFlashes, 32)
	orInt(&c.MaxBytes, 64<<10)
	if c.Codec == nil {
		c.Codec = CBOR()
	}
	if c.Observer == nil {
		c.Observer = defaultObserver
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return c
}

// validate refuses what cannot work, after withDefaults.
func (c Config) validate() error {
	if err := c.Cookie.validate(c.InsecureAllowHTTP); err != nil {
		return err
	}
	if err := validTimeouts("IdleTimeout", c.IdleTimeout, "Lifetime", c.Lifetime); err != nil {
		return err
	}
	if err := validTimeouts("Remembered.Idle", c.Remembered.Idle, "Remembered.Lifetime", c.Remembered.Lifetime); err != nil {
		return err
	}
	switch {
	case len(c.Namespace) > 64:
		return errors.New("core: Config.Namespace is longer than 64 bytes: choose a shorter name")
	case c.TouchAfter < 0 || c.IdleTimeout > 0 && c.TouchAfter >= c.IdleTimeout:
		return fmt.Errorf("core: Config.TouchAfter is %v: choose between zero (a tenth of the idle timeout) and IdleTimeout, %v", c.TouchAfter, c.IdleTimeout)
	case c.SessionLimit < 0:
		return fmt.Errorf("core: Config.SessionLimit is %d: choose zero for any number, or more", c.SessionLimit)
	case c.LimitPolicy != EndOldest && c.LimitPolicy != RefuseLogin:
		return fmt.Errorf("core: Config.LimitPolicy is %d: choose EndOldest or RefuseLogin", c.LimitPolicy)
	case c.MaxFlashes < 0 || c.MaxFlashes > 1000:
		return fmt.Errorf("core: Config.MaxFlashes is %d: choose between 1 and 1000", c.MaxFlashes)
	case c.FlashLifetime < 0 && c.FlashLifetime != NoTimeout:
		return fmt.Errorf("core: Config.FlashLifetime is %v: choose a positive duration or NoTimeout", c.FlashLifetime)
	case c.MaxBytes < 256:
		return fmt.Errorf("core: Config.MaxBytes is %d: choose 256 or more", c.MaxBytes)
	case c.LoadTimeout < 0 || c.CommitTimeout < 0:
		return errors.New("core: Config.LoadTimeout and CommitTimeout must be positive")
	}
	return nil
}

func validTimeouts(idleName string, idle time.Duration, lifeName string, life time.Duration) error {
	for _, t := range []struct {
		name string
		d    time.Duration
	}{{idleName, idle}, {lifeName, life}} {
		if t.d != NoTimeout && t.d < time.Second {
			return fmt.Errorf("core: Config.%s is %v: choose a second or more, zero for the default, or NoTimeout", t.name, t.d)
		}
	}
	if life != NoTimeout && idle > life {
		return fmt.Errorf("core: Config.%s (%v) is longer than %s (%v): shorten the one or extend the other", idleName, idle, lifeName, life)
	}
	return nil
}

// timeouts returns the timeouts that hold for r: its own, the remembered or
// the ordinary ones.
func (c *Config) timeouts(r *Record) Timeouts {
	t := Timeouts{c.IdleTimeout, c.Lifetime}
	if r.Remembered {
		t = c.Remembered
	}
	if r.idle != 0 {
		t.Idle = r.idle
	}
	if r.lifetime != 0 {
		t.Lifetime = r.lifetime
	}
	return t
}

// idle returns r's idle timeout, a long one if it has none.
func (c *Config) idle(r *Record) time.Duration {
	if idle := c.timeouts(r).Idle; idle != NoTimeout {
		return idle
	}
	return foreverIdle
}

// expiry returns when r ends if it is used now and not again.
func (c *Config) expiry(r *Record, now time.Time) time.Time {
	expires := now.Add(c.idle(r))
	if !r.Deadline.IsZero() && r.Deadline.Before(expires) {
		return r.Deadline
	}
	return expires
}

// touchAfter returns how much expiry must be gained before a touch is worth
// its write.
func (c *Config) touchAfter(r *Record) time.Duration {
	idle := c.idle(r)
	if c.TouchAfter > 0 && c.TouchAfter < idle {
		return c.TouchAfter
	}
	return idle / 10
}
