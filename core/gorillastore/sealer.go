package gorillastore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

const (
	// defaultMaxAge is gorilla's default. It also bounds sessions in stores whose
	// cookies never expire.
	defaultMaxAge = 30 * 24 * time.Hour

	// maxToken is more than 20 cookies hold, the most that the core splits a token
	// over.
	maxToken = 20 * 4096

	// purposeSession is the purpose of sessions that gorilla created.
	purposeSession = "session"
)

// errNotOurs answers every token that does not open, so that the answer never
// reveals what was wrong with it.
var errNotOurs = inplace.ErrNotOurs

// encoding is securecookie's, but strict. securecookie's decoder ignores unused bits
// at the end, and so accepts several spellings of one token.
var encoding = base64.URLEncoding.Strict()

// sealer is a core.Sealer that writes gorilla's session cookies.
type sealer struct {
	mapping

	// codecs is a func because fmt ignores methods such as Format on unexported
	// fields of other structs and prints their content.
	codecs func() []*securecookie.SecureCookie
	err    error         // why there are no codecs
	maxAge time.Duration // of cookies that gorilla wrote
	kept   bool          // by browsers, until their maxAge
	now    func() time.Time
}

var (
	_ core.Sealer                    = (*sealer)(nil)
	_ core.Validator                 = (*sealer)(nil)
	_ core.Configurable[core.Sealer] = (*sealer)(nil)
)

func newSealer(store *sessions.CookieStore, c CookieConfig) *sealer {
	s := &sealer{mapping: newMapping(false, c.UserKey, c.UserValue), maxAge: defaultMaxAge}
	codecs, err := copyCodecs(store)
	if err == nil {
		err = checkCodecs(codecs, c)
	}
	if err == nil {
		err = s.validate()
	}
	if err != nil {
		s.err = err
		return s
	}
	s.codecs = func() []*securecookie.SecureCookie { return codecs }
	if store.Options != nil && store.Options.MaxAge > 0 {
		s.maxAge, s.kept = time.Duration(store.Options.MaxAge)*time.Second, true
	}
	return s
}

// copyCodecs returns copies of the store's codecs, because the application may also
// use the store with gorilla/sessions. The copies do not limit size and age, which
// the core checks.
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

// Format implements [fmt.Formatter]: no verb prints a key.
func (s *sealer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("gorillastore.Cookie")) }

// Validate implements [core.Validator].
func (s *sealer) Validate() error { return s.err }

// WithConfig implements [core.Configurable].
func (s *sealer) WithConfig(c core.Config) (core.Sealer, error) {
	clone := *s
	clone.Codec, clone.now = c.Codec, c.Now
	return &clone, nil
}

// Seal implements [core.Sealer].
func (s *sealer) Seal(_ context.Context, scope core.Scope, r *core.Record) (string, error) {
	if s.err != nil {
		return "", s.err
	}
	values, err := s.toGorilla(scope, r, nil)
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
	values, err := s.decode(scope.Name, token)
	if err != nil {
		return nil, err
	}
	var r *core.Record
	switch header, ok := values[headerKey]; {
	case ok:
		if r, err = parseHeader(scope, header); err == nil {
			s.countGorilla(r, written)
		}
	case scope.Namespace == "" && scope.Purpose == purposeSession:
		r = s.adopted(token, written)
	default:
		return nil, errNotOurs // gorilla's sessions carry no scope
	}
	if err != nil {
		return nil, err
	}
	return s.fromGorilla(r, values)
}

// writtenAt returns the time in a token. It refuses every spelling other than the
// one that securecookie writes. The token is not authenticated yet.
func writtenAt(token string) (time.Time, error) {
	if len(token) > maxToken || len(token)%4 != 0 {
		return time.Time{}, errNotOurs
	}
	raw, err := encoding.DecodeString(token)
	// Go's decoder skips line breaks. Comparing lengths refuses them.
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

// decode returns the values in token, decoded by the first codec that accepts it.
// securecookie compares the HMAC before it decrypts, and decrypts before it calls the
// gob decoder.
func (s *sealer) decode(name, token string) (values map[any]any, err error) {
	err = errNotOurs
	for _, codec := range s.codecs() {
		values = nil
		failure := codec.Decode(name, token, &values)
		if failure == nil {
			return values, nil
		}
		// The base64 was checked, so a cause can come only from the decoder: the
		// token is ours but contains a type that this program lacks.
		var known securecookie.Error
		switch {
		case !errors.As(failure, &known) || known.Cause() == nil:
		case isUnregistered(known.Cause()):
			return nil, errUnregistered(known.Cause())
		case strings.Contains(known.Cause().Error(), "gob: type mismatch"): // not corrupt: it was authenticated
			return nil, inplace.Fail("gorillastore", "load", fmt.Errorf("a value has a type of which this program has another version: %w", known.Cause()))
		default:
			err = fmt.Errorf("%w: gorilla's values: %w", core.ErrCorrupt, known.Cause())
		}
	}
	return nil, err
}

// countGorilla counts as activity that a program saved r's session with gorilla
// alone, which leaves the times in r as they were, and its touches without a token.
func (s *sealer) countGorilla(r *core.Record, written time.Time) {
	if written.Before(r.SavedAt.Add(time.Second)) || s.now == nil || written.After(s.now()) {
		return
	}
	idle := r.Expires.Sub(r.SavedAt)
	if expires := earlier(r.Deadline, written.Add(idle)); expires.After(r.Expires) {
		r.Expires = expires
	}
}

// adopted returns the record of a session that gorilla created. It ends when gorilla
// would end it, until something is written to it.
func (s *sealer) adopted(token string, written time.Time) *core.Record {
	end := written.Add(s.maxAge)
	r := &core.Record{
		ID: adoptedID(token), CreatedAt: written, SavedAt: written, Expires: end, Deadline: end, Remembered: s.kept,
	}
	r.KeepTimes()
	return r
}
