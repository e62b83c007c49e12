package gorillastore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

const (
	// defaultMaxAge is gorilla's own default, and the bound for stores whose
	// cookies never expire.
	defaultMaxAge = 30 * 24 * time.Hour

	// maxToken is above what 20 cookies hold, the most that the core splits
	// a token over.
	maxToken = 20 * 4096

	// purposeSession is the purpose of what gorilla wrote.
	purposeSession = "session"
)

// errNotOurs is the one answer to every token that does not open, so that
// nobody learns from the answer what was wrong with it.
var errNotOurs = errors.New("gorillastore: not a token of ours")

// encoding is securecookie's, but for the spellings: its decoder accepts any
// unused tail bits, and so several texts for one token.
var encoding = base64.URLEncoding.Strict()

// sealer is a core.Sealer that writes gorilla's session cookies.
type sealer struct {
	mapping

	// codecs is a func because fmt prints the content of structs, whatever
	// methods they have, when they are fields of other structs.
	codecs func() []*securecookie.SecureCookie
	err    error         // why there are none
	maxAge time.Duration // of cookies that gorilla wrote
}

var (
	_ core.Sealer       = (*sealer)(nil)
	_ core.Validator    = (*sealer)(nil)
	_ core.Configurable = (*sealer)(nil)
)

func newSealer(store *sessions.CookieStore, readable bool) *sealer {
	s := &sealer{mapping: mapping{codec: core.CBOR()}, maxAge: defaultMaxAge}
	codecs, err := copyCodecs(store)
	if err == nil {
		err = checkCodecs(codecs, readable)
	}
	if err != nil {
		s.err = err
		return s
	}
	s.codecs = func() []*securecookie.SecureCookie { return codecs }
	if store.Options != nil && store.Options.MaxAge > 0 {
		s.maxAge = time.Duration(store.Options.MaxAge) * time.Second
	}
	return s
}

// copyCodecs returns the codecs of store without securecookie's limits on
// size and age, which are the core's business. Copies, for the application may
// use its store with gorilla/sessions too.
func copyCodecs(store *sessions.CookieStore) ([]*securecookie.SecureCookie, error) {
	if store == nil || len(store.Codecs) == 0 {
		return nil, errors.New("gorillastore: no keys: pass a hash key of 32 random bytes and a block key of 32 random bytes")
	}
	codecs := make([]*securecookie.SecureCookie, len(store.Codecs))
	for i, codec := range store.Codecs {
		sc, ok := codec.(*securecookie.SecureCookie)
		if !ok || sc == nil {
			return nil, fmt.Errorf("gorillastore: codec %d is a %T: only securecookie's own are known to authenticate before they decode", i+1, codec)
		}
		clone := *sc
		codecs[i] = clone.MaxLength(0).MaxAge(0).MinAge(0)
	}
	return codecs, nil
}

// Format implements [fmt.Formatter]: whatever the verb, no key is printed.
func (s *sealer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("gorillastore.Cookie")) }

// Validate implements [core.Validator].
func (s *sealer) Validate() error { return s.err }

// WithConfig implements [core.Configurable].
func (s *sealer) WithConfig(c core.Config) (core.Sealer, error) {
	clone := *s
	clone.codec = c.Codec
	return &clone, nil
}

// Seal implements [core.Sealer].
func (s *sealer) Seal(_ context.Context, scope core.Scope, r *core.Record) (string, error) {
	if s.err != nil {
		return "", s.err
	}
	values, err := s.toGorilla(scope, r)
	if err != nil {
		return "", err
	}
	token, err := s.codecs()[0].Encode(scope.Name, values)
	if err != nil {
		return "", fmt.Errorf("gorillastore: seal: %w", err)
	}
	return token, nil
}

// Open implements [core.Sealer].
func (s *sealer) Open(_ context.Context, scope core.Scope, token string) (*core.Record, error) {
	if s.err != nil {
		return nil, s.err
	}
	written, err := writtenAt(token)
	if err != nil {
		return nil, err
	}
	values, old, err := s.decode(scope.Name, token)
	if err != nil {
		return nil, err
	}
	var r *core.Record
	switch header, ok := values[headerKey]; {
	case ok:
		r, err = parseHeader(scope, header)
	case scope.Namespace == "" && scope.Purpose == purposeSession:
		r, old = s.adopted(token, written), true
	default:
		return nil, errNotOurs // it does not say what it is for
	}
	if err != nil {
		return nil, err
	}
	r = s.fromGorilla(r, values)
	if old {
		r.MarkOld()
	}
	return r, nil
}

// writtenAt refuses every spelling of a token but the one that securecookie
// writes, and returns the time in it. Nothing is authenticated at this point.
func writtenAt(token string) (time.Time, error) {
	if len(token) > maxToken || len(token)%4 != 0 {
		return time.Time{}, errNotOurs
	}
	raw, err := encoding.DecodeString(token)
	// Go's decoder skips line breaks: a token that has some is longer than
	// what it decodes to.
	if err != nil || encoding.EncodedLen(len(raw)) != len(token) {
		return time.Time{}, errNotOurs
	}
	date, _, ok := strings.Cut(string(raw), "|")
	seconds, err := strconv.ParseInt(date, 10, 64)
	if !ok || err != nil {
		return time.Time{}, errNotOurs
	}
	return time.Unix(seconds, 0), nil
}

// decode returns what the first codec that knows token finds in it, and
// whether that is another than the newest. Securecookie compares the HMAC
// before it decrypts, and decrypts before it calls the gob decoder.
func (s *sealer) decode(name, token string) (values map[any]any, old bool, err error) {
	err = errNotOurs
	for i, codec := range s.codecs() {
		values = nil
		failure := codec.Decode(name, token, &values)
		if failure == nil {
			return values, i > 0, nil
		}
		// Base64 has been checked, so that a cause can only come from the
		// decoder: the token is ours, with a type that this program lacks.
		var known securecookie.Error
		if errors.As(failure, &known) && known.Cause() != nil {
			err = fmt.Errorf("%w: gorilla's values: %w", core.ErrCorrupt, known.Cause())
		}
	}
	return nil, false, err
}

// adopted returns the record of a session that gorilla wrote by itself. Its
// life is the one that gorilla gave it.
func (s *sealer) adopted(token string, written time.Time) *core.Record {
	hash := sha256.Sum256([]byte("satchel gorilla session\x00" + token))
	end := written.Add(s.maxAge)
	return &core.Record{
		ID:        core.ID(hash[:16]), // the same in all requests, until Satchel has saved it
		CreatedAt: written, SavedAt: written, Expires: end, Deadline: end,
	}
}
