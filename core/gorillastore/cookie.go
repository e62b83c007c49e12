package gorillastore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// Cookie returns a backend on gorilla's CookieStore, with key pairs as
// sessions.NewCookieStore takes them: hash key, block key, then older pairs that still open.
// The newest pair seals. Hash keys have 32 bytes or more, block keys 16, 24
// or 32 (AES). Without a block key clients could read their session, so it is required here;
// see [CookieStore] for those who want that. Weak keys are reported by [core.New].
func Cookie(keyPairs ...[]byte) core.Backend { return core.ClientSide(NewSealer(keyPairs...)) }

// CookieStore returns a backend on a CookieStore that the application has
// configured. It uses the store's codecs, and lifts their limits on length and age: Satchel
// splits long cookies and enforces its own timeouts. The store's Options have no effect;
// Satchel's Config has the cookie's attributes.
func CookieStore(store *sessions.CookieStore) core.Backend {
	s := &sealer{}
	if store == nil || len(store.Codecs) == 0 {
		s.invalid = errors.New("gorillastore: the CookieStore has no keys: make it with sessions.NewCookieStore(hashKey, blockKey)")
		return core.ClientSide(s)
	}
	s.codecs = store.Codecs
	s.unlimited()
	return core.ClientSide(s)
}

// NewSealer returns the sealer behind [Cookie], for hybrids and tests.
func NewSealer(keyPairs ...[]byte) core.Sealer {
	s := &sealer{invalid: checkKeys(keyPairs)}
	if s.invalid == nil {
		s.codecs = sessions.NewCookieStore(keyPairs...).Codecs
		s.unlimited()
	}
	return s
}

// Limits returns the promises that these backends cannot keep, by ID, each
// with the reason.
func Limits() map[string]string {
	return map[string]string{
		"K1": "the last response wins: each carries the whole session",
		"K2": "nothing on the server knows of the logout: a response in flight, or a copied cookie, brings the session back until it expires",
		"K3": "every token that was handed out opens until it expires",
		"I1": "the token before a login opens until it expires",
		"I2": "the server does not know which sessions there are: they cannot be listed, counted or ended one by one",
		"L4": "nothing on the server knows that a token was superseded",
		"F6": "the last response wins: a flash that an overlapping request added can be lost",
	}
}

// sealer is a core.Sealer on gorilla's codecs.
type sealer struct {
	codecs  []securecookie.Codec
	invalid error
}

var (
	_ core.Sealer    = (*sealer)(nil)
	_ core.Validator = (*sealer)(nil)
)

// unlimited lifts the codecs' own limits. Their age limit counts from the
// last save and would end sessions that are in use.
func (s *sealer) unlimited() {
	for _, codec := range s.codecs {
		if c, ok := codec.(*securecookie.SecureCookie); ok {
			c.MaxAge(0).MaxLength(0)
		}
	}
}

// Validate implements [core.Validator].
func (s *sealer) Validate() error { return s.invalid }

// Format implements [fmt.Formatter], so that no verb prints a key.
func (s *sealer) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "gorillastore.Sealer")
}

// recordKey is where the record lies among the session's values. What gorilla
// signs is its own map of values.
const recordKey = "_satchel"

// nameOf is the name that the signature covers: the cookie's, and what else a
// token is bound to. For an application without a namespace it is the cookie's alone.
func nameOf(scope core.Scope) string {
	if scope.Namespace == "" && scope.Purpose == "session" {
		return scope.Name
	}
	return scope.Name + "\x00" + scope.Namespace + "\x00" + scope.Purpose
}

// Seal implements [core.Sealer].
func (s *sealer) Seal(_ context.Context, scope core.Scope, r *core.Record) (string, error) {
	if s.invalid != nil {
		return "", s.invalid
	}
	data, err := r.MarshalBinary()
	if err != nil {
		return "", fmt.Errorf("gorillastore: seal: %w", err)
	}
	token, err := securecookie.EncodeMulti(nameOf(scope), map[any]any{recordKey: data}, s.codecs...)
	if err != nil {
		return "", fmt.Errorf("gorillastore: seal: %w", err)
	}
	return token, nil
}

// errNotOurs is the one answer to every token that does not open.
var errNotOurs = errors.New("gorillastore: not a token of ours")

// Open implements [core.Sealer]. gorilla checks the signature before it
// decodes anything.
func (s *sealer) Open(_ context.Context, scope core.Scope, token string) (*core.Record, error) {
	if s.invalid != nil {
		return nil, s.invalid
	}
	if !canonical(token) {
		return nil, errNotOurs
	}
	var values map[any]any
	if err := securecookie.DecodeMulti(nameOf(scope), token, &values, s.codecs...); err != nil {
		return nil, errNotOurs
	}
	data, ok := values[recordKey].([]byte)
	if !ok {
		return nil, errNotOurs
	}
	return core.ParseRecord(data)
}

// canonical reports whether token is the one spelling of its bytes: gorilla's
// decoder would take others, with line breaks or stray bits at the end (RFC 4648 section 3.5).
func canonical(token string) bool {
	raw, err := base64.URLEncoding.Strict().DecodeString(token)
	return err == nil && base64.URLEncoding.EncodedLen(len(raw)) == len(token)
}
