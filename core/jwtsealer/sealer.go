package jwtsealer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// maxToken is more than 20 cookies hold, the most that the core splits a token
// over.
const maxToken = 20 * 4096

// errNotOurs answers every token that does not open, so that the answer never
// reveals what was wrong with it.
var errNotOurs = errors.New("jwtsealer: not a token of ours")

// Sealer keeps sessions in JSON Web Tokens. Pass it to [core.ClientSide].
//
// The newest key makes tokens and every key opens them. A token opens only under the
// issuer, cookie name or header, purpose and namespace that it was made for. Nothing is
// compressed.
//
// A Sealer is safe for concurrent use. Printing, logging or marshalling it never
// shows a key.
type Sealer struct {
	// state is a func because fmt ignores methods such as Format on unexported
	// fields of other structs and prints their content.
	state func() *state
	name  string
}

// state is what a Sealer works with. It never changes.
type state struct {
	envelope envelope
	claims   claimsFormat
	leeway   time.Duration
	readable bool
	now      func() time.Time
	err      error // why there is nothing else
}

var (
	_ core.Sealer                    = (*Sealer)(nil)
	_ core.Validator                 = (*Sealer)(nil)
	_ core.Configurable[core.Sealer] = (*Sealer)(nil)
)

// Signed returns a sealer that signs tokens with keys. The session inside is
// encrypted with Config.Seal, or readable with Config.Readable.
//
// Nothing is wrong with keys or c until [Sealer.Validate] says so, which core.New asks.
func Signed(keys *Keys, c Config) *Sealer {
	c = c.withDefaults()
	err := keys.Validate()
	if err == nil && c.Seal == nil && !c.Readable {
		if c.Seal = keys.ring; c.Seal == nil {
			err = errors.New("jwtsealer: signed tokens can be read by everybody: set Config.Seal to a key ring that encrypts the session inside, or Config.Readable if it may be read")
		}
	}
	return newSealer("jwtsealer.Signed", signed{keys}, c, err)
}

// Encrypted returns a sealer that encrypts tokens with keys derived from a ring.
//
// Nothing is wrong with keys or c until [Sealer.Validate] says so, which core.New asks.
func Encrypted(keys *sealed.Keyring, c Config) *Sealer {
	c = c.withDefaults()
	envelope, err := newEncrypted(keys)
	if err == nil && c.Seal != nil {
		err = errors.New("jwtsealer: Config.Seal is for signed tokens: Encrypted encrypts the whole token with its own keys")
	}
	return newSealer("jwtsealer.Encrypted", envelope, c, err)
}

func newSealer(name string, e envelope, c Config, err error) *Sealer {
	if err == nil {
		err = c.validate()
	}
	s := &state{envelope: e, leeway: c.Leeway, readable: c.Readable, now: time.Now, err: err}
	if err == nil {
		s.claims = newClaimsFormat(c)
	}
	return &Sealer{name: name, state: func() *state { return s }}
}

// Format implements [fmt.Formatter]: no verb prints a key.
func (s *Sealer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// String returns "jwtsealer.Signed" or "jwtsealer.Encrypted".
func (s *Sealer) String() string {
	if s == nil || s.name == "" {
		return "jwtsealer.Sealer"
	}
	return s.name
}

// MarshalText implements [encoding.TextMarshaler]: JSON shows [Sealer.String].
func (s *Sealer) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements [slog.LogValuer]: logs show [Sealer.String].
func (s *Sealer) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Validate implements [core.Validator].
func (s *Sealer) Validate() error {
	if s == nil || s.state == nil {
		return errors.New("jwtsealer: no sealer; make one with Signed or Encrypted")
	}
	return s.state().err
}

// WithConfig implements [core.Configurable].
func (s *Sealer) WithConfig(c core.Config) (core.Sealer, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	clone := *s.state()
	if clone.readable && c.Codec != core.JSON() {
		return nil, errors.New("jwtsealer: Config.Readable needs values in JSON: set core.Config.Codec to core.JSON()")
	}
	if !utf8.ValidString(c.Namespace) {
		return nil, errors.New("jwtsealer: core.Config.Namespace is not UTF-8, as JSON has to be")
	}
	clone.now = c.Now
	return &Sealer{name: s.name, state: func() *state { return &clone }}, nil
}

// Seal implements [core.Sealer].
func (s *Sealer) Seal(ctx context.Context, scope core.Scope, r *core.Record) (string, error) {
	if err := s.Validate(); err != nil {
		return "", err
	}
	kind, ok := kindOf(scope)
	if !ok {
		return "", errors.New("jwtsealer: seal: unknown purpose")
	}
	state := s.state()
	claims, err := state.claims.encode(ctx, kind, scope, r)
	if err != nil {
		return "", err
	}
	return state.envelope.seal(kind, claims)
}

// Open implements [core.Sealer].
func (s *Sealer) Open(ctx context.Context, scope core.Scope, token string) (*core.Record, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	kind, ok := kindOf(scope)
	if !ok || len(token) > maxToken {
		return nil, errNotOurs
	}
	state := s.state()
	claims, ok := state.envelope.open(kind, token)
	if !ok {
		return nil, errNotOurs
	}
	r, err := state.claims.decode(ctx, kind, scope, claims)
	if err != nil {
		return nil, err
	}
	// The core allows touches more, and counts them as now.
	if kind != touch && r.SavedAt.After(state.now().Add(state.leeway)) {
		return nil, errNotOurs
	}
	return r, nil
}
