package scsstore

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

// Config tells [From] what an application's values mean. The zero value means that none
// has a meaning for Satchel.
type Config struct {
	// UserKey is the key of the value that says who is logged in. It becomes the session's
	// user, and a login or logout of Satchel sets or removes it. The value is a string, an
	// integer or an [encoding.TextMarshaler] such as a UUID; zero means nobody. Integers that
	// a Codec such as JSON returns as float64 are integers too.
	UserKey string

	// UserValue returns the value for a user, if it is not the string itself:
	//
	//	UserValue: func(user string) (any, error) { return strconv.Atoi(user) },
	//
	// It must give back every value that is there: a session with another one is answered
	// with 503, and stays as it is. It must be safe for concurrent use.
	UserValue func(user string) (any, error)

	// Flashes maps the keys of strings that the application shows once, with PopString, to
	// kinds. Such strings become flashes of these kinds, and flashes of these kinds become
	// such strings, one for each key at a time.
	Flashes map[string]string
}

// From returns a backend that keeps sessions where old keeps them, as old would. Programs
// that use old go on with Satchel's sessions, and Satchel with theirs. Give it to
// [core.Migrating] as the old backend.
//
// Store, Codec, HashTokenInStore, Lifetime, IdleTimeout and Cookie are taken from old, so
// set them before. [core.New] refuses a cookie that browsers would keep beside old's; use
// [ConfigOf].
//
// The package documentation lists the promises that scs's stores cannot keep.
func From(old *scs.SessionManager, c Config) core.Backend {
	s := &store{Calls: inplace.NewCalls(), config: c, now: time.Now, started: time.Now(), maxBytes: minDecoded}
	s.config.Flashes = maps.Clone(c.Flashes)
	s.flashKeys = slices.Sorted(maps.Keys(c.Flashes))
	s.values.Codec, s.values.Integer = core.CBOR(), 0
	if s.err = check(old, c); s.err == nil {
		s.old, s.codec, s.hash = old.Store, old.Codec, old.HashTokenInStore
		s.idle, s.lifetime, s.cookie = old.IdleTimeout, old.Lifetime, old.Cookie
		if _, ok := old.Codec.(scs.GobCodec); ok {
			s.codec = gobCodec{}
		} else {
			s.values.Text = true
		}
	}
	s.users = inplace.Users{Key: c.UserKey, Value: c.UserValue, Text: s.values.Text}
	return &backend{inplace.New[*entry](label, s, s.Calls), s}
}

const label = "scsstore"

// check returns an error for what no session can come of.
func check(old *scs.SessionManager, c Config) error {
	reserved := []string{inplace.HeaderKey, inplace.LeftKey, rememberKey}
	switch {
	case old == nil:
		return errors.New("scsstore: From(nil): pass the application's *scs.SessionManager")
	case isNil(old.Store):
		return errors.New("scsstore: the SessionManager has no Store: set it before From")
	case isNil(old.Codec):
		return errors.New("scsstore: the SessionManager has no Codec: make it with scs.New")
	case old.Lifetime <= 0:
		return fmt.Errorf("scsstore: the SessionManager's Lifetime is %v: make it with scs.New, or set it before From", old.Lifetime)
	}
	if err := (inplace.Users{Key: c.UserKey}).Validate(label, reserved...); err != nil {
		return err
	}
	for key := range c.Flashes {
		switch {
		case key == "" || slices.Contains(reserved, key):
			return fmt.Errorf("scsstore: Config.Flashes has %q, which is no key of an application", key)
		case key == c.UserKey:
			return fmt.Errorf("scsstore: %q is both Config.UserKey and in Config.Flashes", key)
		}
	}
	return nil
}

// isNil reports whether v is nil or a nil pointer.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil()
}

// ConfigOf returns the settings of old for [core.New]: the cookie's name and attributes,
// and the timeouts, which are the same for sessions that are remembered. As in scs, no
// idle timeout means none. Set the rest as you like, but leave the cookie alone until
// the migration is over.
//
// Satchel's cookie is always Secure, unless Config.InsecureAllowHTTP is set.
func ConfigOf(old *scs.SessionManager) core.Config {
	idle := core.NoTimeout
	if old.IdleTimeout > 0 {
		idle = min(old.IdleTimeout, old.Lifetime)
	}
	c := core.Config{IdleTimeout: idle, Lifetime: old.Lifetime, Remembered: core.Timeouts{Idle: idle, Lifetime: old.Lifetime}}
	c.Cookie = core.Cookie{Name: old.Cookie.Name, Domain: old.Cookie.Domain, Path: old.Cookie.Path, Partitioned: old.Cookie.Partitioned}
	switch old.Cookie.SameSite {
	case http.SameSiteStrictMode:
		c.Cookie.SameSite = core.SameSiteStrict
	case http.SameSiteNoneMode:
		c.Cookie.SameSite = core.SameSiteNone
	}
	return c
}

// backend is a core.Backend on a store of scs.
type backend struct {
	*inplace.Backend[*entry]

	store *store
}

// store reads and writes the sessions of a SessionManager.
type store struct {
	*inplace.Calls
	values inplace.Values
	users  inplace.Users

	old            scs.Store
	codec          scs.Codec
	hash           bool
	cookie         scs.SessionCookie
	idle, lifetime time.Duration
	config         Config
	flashKeys      []string // of config.Flashes, in order
	err            error    // why the SessionManager cannot be used

	now      func() time.Time
	started  time.Time // stands in for an unknown age
	maxBytes int       // of what is decoded
}

var (
	_ core.Configurable[core.Backend] = (*backend)(nil)
	_ core.Leaver                     = (*backend)(nil)
	_ inplace.Store[*entry]           = (*store)(nil)
)

// Format implements [fmt.Formatter]: no verb prints anything of the store.
func (b *backend) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "scsstore.From") }

// WithConfig implements [core.Configurable].
func (b *backend) WithConfig(c core.Config) (core.Backend, error) {
	s := *b.store
	if s.err != nil {
		return nil, s.err
	}
	if c.Carrier != (core.Carrier{}) {
		return nil, fmt.Errorf("scsstore: scs's tokens travel in a cookie, and Config.Carrier is %s: use core.ServerSide with another store: %w", c.Carrier, core.ErrUnsupported)
	}
	for _, attribute := range []struct{ name, ours, theirs string }{
		{"Name", c.Cookie.Name, s.cookie.Name},
		{"Path", c.Cookie.Path, s.cookie.Path},
		{"Domain", strings.TrimPrefix(c.Cookie.Domain, "."), strings.TrimPrefix(s.cookie.Domain, ".")},
		{"Partitioned", fmt.Sprint(c.Cookie.Partitioned), fmt.Sprint(s.cookie.Partitioned)},
	} {
		if attribute.ours != attribute.theirs {
			return nil, fmt.Errorf("scsstore: Config.Cookie.%s is %q and the SessionManager's is %q, so browsers would keep two cookies: "+
				"use scsstore.ConfigOf until the migration is over", attribute.name, attribute.ours, attribute.theirs)
		}
	}
	s.values.Codec, s.now, s.started = c.Codec, c.Now, c.Now()
	s.maxBytes = max(minDecoded, 4*c.MaxBytes)
	return &backend{b.With(&s, c.Now), &s}, nil
}
