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

// cookieRenewal is how often, at most, the cookie of a session that would outlive it
// is sent again. There are four chances before the browser drops it.
const cookieRenewal = 100 * 24 * time.Hour

// Timeouts are an idle timeout and an absolute lifetime. For each, zero means
// the default, and [NoTimeout] none.
type Timeouts struct {
	Idle     time.Duration
	Lifetime time.Duration
}

// Config holds an application's settings for its sessions. The zero value is
// ready to use: idle timeout 30 minutes, absolute lifetime 12 hours, cookie
// __Host-session. [New] copies it; later changes have no effect.
type Config struct {
	// Namespace names the application. Tokens of one namespace are unknown in
	// another, even on the same store, and equal user IDs are different users.
	// Operators' calls by session ID, and RevokeAll, reach the whole store. Default "".
	Namespace string

	// Carrier says how tokens travel: the default is the cookie. [Bearer] and [Header]
	// are for clients that send headers of their own.
	Carrier Carrier

	// Cookie sets the cookie's name and attributes. Leave it zero with another Carrier.
	Cookie Cookie

	// MaxHeaderToken is the length of the longest token that is read from, or put into, a
	// header, in bytes. Only client-side sessions have tokens of more than 80. Default
	// 8,000, at most 64,000: by default, many servers accept at most 8 KB of headers,
	// Fiber 4 KB.
	MaxHeaderToken int

	// InsecureAllowHTTP lets the cookie travel over plain HTTP: no Secure
	// attribute, and by default the name session, since the prefix __Host-
	// requires Secure. For development only.
	InsecureAllowHTTP bool

	// IdleTimeout ends a session that has been idle for this long. The server
	// enforces it. If you shorten it, it counts for existing sessions from their next
	// request on. Default 30 minutes; NoTimeout disables it.
	IdleTimeout time.Duration

	// Lifetime is the absolute lifetime: it ends a session this long after its
	// login, or its creation if there was no login, however active it is. If you
	// shorten it, existing sessions end by it too.
	// Default 12 hours; NoTimeout disables it.
	Lifetime time.Duration

	// Remembered sets the timeouts of sessions on which Remember(true) was
	// called. Default 14 days idle, 30 days lifetime.
	Remembered Timeouts

	// TouchAfter is how much of the idle timeout must pass before a
	// request that only reads moves the expiry. Default a tenth of the idle timeout, at
	// most an hour.
	TouchAfter time.Duration

	// SessionLimit is how many sessions a user may have at once, exactly; zero
	// leaves it to MaxUserSessions. It needs a backend that can list a user's sessions.
	SessionLimit int

	// LimitPolicy says what a login beyond SessionLimit does. Default
	// EndOldest.
	LimitPolicy LimitPolicy

	// MaxUserSessions bounds a user's sessions where SessionLimit is zero: beyond
	// it, a login ends the user's oldest ones. It is not exact. It keeps one account
	// from filling the store, and from making its logins expensive for others.
	// Default 1000; a negative number means no bound.
	MaxUserSessions int

	// MaxFlashes is how many unread flashes a session keeps; beyond that it drops
	// the oldest. Default 32, at most 1000.
	MaxFlashes int

	// FlashLifetime is how long an unread flash is kept. Default 24 hours;
	// NoTimeout keeps it as long as its session.
	FlashLifetime time.Duration

	// MaxBytes is the size of the largest record that is stored. Default 64 KiB,
	// at least 256 bytes. Cookies hold less; see Cookie.MaxParts.
	MaxBytes int

	// Codec encodes values. Default CBOR(). Values written with another codec
	// cannot be decoded; docs/changing-what-you-store.md says how to change it.
	Codec Codec

	// Check, if set, runs after a session is loaded and ends it by returning an
	// error: the user was deleted, the password changed. An error that matches
	// ErrUnavailable, context.Canceled or context.DeadlineExceeded ends nothing: it
	// is answered as if the session's backend were unavailable. What Check reads
	// does not count as use of the session.
	Check func(ctx context.Context, s *Session) error

	// Describe, if set, returns a session's Label when it is created, logged in or
	// reauthenticated, for lists of devices. Labels are cut at 256 bytes. Off by default, because
	// such labels are personal data.
	Describe func(ex Exchange) string

	// Observer receives the events of all sessions. Default: SlogObserver(nil), which
	// logs them with slog.Default(). Another Observer takes its place, so failures are
	// no longer logged; Observers keeps both.
	Observer Observer

	// Development marks the process as a developer's own. It allows what must
	// never run in production: [Manager.Observe], and with it the page of the
	// package devpage. It changes nothing about sessions.
	Development bool

	// LoadTimeout is how long a request waits for a networked backend to load
	// its session. Default 500 milliseconds.
	LoadTimeout time.Duration

	// CommitTimeout is how long a commit may take, including retries after
	// conflicts. A commit continues if the client hangs up. Default 2 seconds.
	CommitTimeout time.Duration

	// FreshReads has requests that only read get the newest state, too, from a backend that
	// otherwise may answer them from a copy ([Traits.Window]). [Session.Refresh] does so in
	// single handlers.
	FreshReads bool

	// KeepOnServerError commits changes even if the response's status is 500 or
	// above. By default they are rolled back; a logout never is.
	KeepOnServerError bool

	// NoFailFast has every request ask its backend. By default, after ten calls in a
	// row without any answer, over at least a second, loads and commits fail at once
	// with [ErrUnavailable]. One is tried every 100 to 300 milliseconds; the first that
	// succeeds ends that. Logouts, revocations and calls from outside requests always try.
	NoFailFast bool

	// ServeWhenUnavailable serves requests whose session could not be loaded
	// with an empty, read-only session instead of an error. It is for sites whose
	// pages matter more than their sessions.
	ServeWhenUnavailable bool

	// NotBefore ends all sessions that last logged in or reauthenticated before it, or began
	// before it without a login. With client-side sessions, RevokeAll outlasts a restart
	// only if NotBefore is set.
	NotBefore time.Time

	// Strict makes mistakes panic: changes that come too late or inside View,
	// changes in place to what Get returned, and values that do not decode to what
	// was encoded. Without Strict the first are only reported, and the others are
	// not noticed. For tests.
	Strict bool

	// OnMistake, if set, is called with what Strict finds, instead of the panic,
	// in the goroutine that made the mistake. It must not use the session. Without
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
	if c.Carrier == (Carrier{}) {
		c.Cookie = c.Cookie.withDefaults(c.InsecureAllowHTTP)
	}
	orInt(&c.MaxHeaderToken, 8000)
	orDuration(&c.IdleTimeout, 30*time.Minute)
	orDuration(&c.Lifetime, 12*time.Hour)
	orDuration(&c.Remembered.Idle, 14*24*time.Hour)
	orDuration(&c.Remembered.Lifetime, 30*24*time.Hour)
	orDuration(&c.FlashLifetime, 24*time.Hour)
	orDuration(&c.LoadTimeout, 500*time.Millisecond)
	orDuration(&c.CommitTimeout, 2*time.Second)
	orInt(&c.MaxUserSessions, 1000)
	orInt(&c.MaxFlashes, 32)
	orInt(&c.MaxBytes, 64<<10)
	if c.Codec == nil {
		c.Codec = CBOR()
	}
	if c.Observer == nil {
		c.Observer = SlogObserver(nil)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return c
}

// sessionLimit returns what bounds a user's sessions; zero means nothing.
func (c *Config) sessionLimit() (int, LimitPolicy) {
	if c.SessionLimit == 0 {
		return max(c.MaxUserSessions, 0), Ceiling
	}
	return c.SessionLimit, c.LimitPolicy
}

// validate returns an error for settings that cannot work; defaults are filled in.
func (c Config) validate() error {
	if err := c.validateCarrier(); err != nil {
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
		return fmt.Errorf("core: Config.TouchAfter is %v: choose between zero (a tenth of the idle timeout, at most an hour) and IdleTimeout, %v", c.TouchAfter, c.IdleTimeout)
	case c.SessionLimit < 0:
		return fmt.Errorf("core: Config.SessionLimit is %d: choose zero for MaxUserSessions, or more", c.SessionLimit)
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

func (c Config) validateCarrier() error {
	switch {
	case c.MaxHeaderToken < 64 || c.MaxHeaderToken > 64000:
		return fmt.Errorf("core: Config.MaxHeaderToken is %d: choose between 64 and 64,000", c.MaxHeaderToken)
	case c.Carrier == (Carrier{}):
		return c.Cookie.validate(c.InsecureAllowHTTP)
	case !c.Cookie.isZero():
		return fmt.Errorf("core: Config.Cookie and Config.Carrier, %s, are both set: a Manager has one carrier; for cookies too, make a second Manager on the same backend", c.Carrier)
	}
	return c.Carrier.validate()
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
		return fmt.Errorf("core: Config.%s (%v) is longer than %s (%v): shorten the first or extend the second", idleName, idle, lifeName, life)
	}
	return nil
}

// timeouts returns the timeouts that apply to r: its own, the remembered or
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

// idle returns r's idle timeout, or foreverIdle if it has none.
func (c *Config) idle(r *Record) time.Duration {
	if idle := c.timeouts(r).Idle; idle != NoTimeout {
		return idle
	}
	return foreverIdle
}

// expiry returns when r ends if it is used now and never again.
func (c *Config) expiry(r *Record, now time.Time) time.Time {
	expires := now.Add(c.idle(r))
	if !r.Deadline.IsZero() && r.Deadline.Before(expires) {
		return r.Deadline
	}
	return expires
}

// latest returns when a session that is stored now ends at the latest, unless it has
// timeouts of its own, or is used.
func (c *Config) latest(now time.Time) (latest time.Time) {
	for _, remembered := range [...]bool{false, true} {
		r := Record{CreatedAt: now, Remembered: remembered}
		c.shortenLifetime(&r)
		latest = later(latest, c.expiry(&r, now))
	}
	return latest
}

// shortenLifetime moves r's deadline to where today's lifetime puts it, if that is
// earlier: after a change of Config, a session ends no later than a new one would.
func (c *Config) shortenLifetime(r *Record) {
	life := c.timeouts(r).Lifetime
	if life == NoTimeout {
		return
	}
	if deadline := r.begun().Add(life); r.Deadline.IsZero() || deadline.Before(r.Deadline) {
		r.Deadline = deadline
	}
}

// shortenIdle reports whether r would outlast today's idle timeout, and if so sets its
// expiry as if it had been used now. A difference below that of a touch is one of the
// servers' clocks.
func (c *Config) shortenIdle(r *Record, now time.Time) bool {
	expires := c.expiry(r, now)
	if r.adopted || r.Expires.Sub(expires) < c.touchAfter(r) {
		return false
	}
	r.Expires = expires
	return true
}

// outlasts reports whether r was stored when its idle timeout was longer than today.
func (c *Config) outlasts(r *Record) bool {
	return !r.adopted && r.Expires.After(c.expiry(r, r.SavedAt))
}

// cookieDue reports whether the browser should be sent r's cookie again. It drops the
// cookie of a remembered session after 400 days, whatever the session's own end.
func (c *Config) cookieDue(r *Record, now time.Time) bool {
	sent := later(r.begun(), time.UnixMilli(r.move.renewed))
	return c.Carrier == (Carrier{}) && r.Remembered && now.Sub(sent) >= cookieRenewal && (r.Deadline.IsZero() || r.Deadline.Sub(sent) > foreverIdle)
}

// touchable reports whether enough of r's idle timeout has passed for a touch.
func (c *Config) touchable(r *Record, now time.Time) bool {
	if !c.expiry(r, now).After(r.Expires) {
		return false
	}
	// The deadline caps the expiry, so count what has passed of the idle timeout.
	return c.idle(r)-r.Expires.Sub(now) >= c.touchAfter(r)
}

// lastSeen returns when r was last used, as far as its expiry and its last save tell.
func (c *Config) lastSeen(r *Record, now time.Time) time.Time {
	seen := r.SavedAt
	for _, at := range [...]time.Time{r.Expires.Add(-c.idle(r)), r.uncut.Add(-c.idle(r) - idleGrace), r.seen} {
		if at.After(seen) && !at.After(now) { // else it was stored under other timeouts
			seen = at
		}
	}
	return seen
}

// touchAfter returns how far a touch must move the expiry to be worth a write.
func (c *Config) touchAfter(r *Record) time.Duration {
	idle := c.idle(r)
	if c.TouchAfter > 0 && c.TouchAfter < idle {
		return c.TouchAfter
	}
	return min(idle/10, time.Hour)
}
