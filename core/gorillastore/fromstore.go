package gorillastore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

var (
	errNoSession = errors.New("the store returned no session")

	// errAbsent means that the token has no session.
	errAbsent = fmt.Errorf("gorillastore: load: %w", core.ErrNotFound)
)

// newRequest returns a request for the store. It has ctx and, unless the token is
// empty, one cookie.
func newRequest(ctx context.Context, name, token string) *http.Request {
	r := &http.Request{
		Method: http.MethodGet, URL: &url.URL{Path: "/"}, Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if token != "" {
		r.Header.Set("Cookie", name+"="+token)
	}
	return r.WithContext(ctx)
}

// cookieCapture is a response that keeps only the header, for its cookies.
type cookieCapture struct{ header http.Header }

func (c cookieCapture) Header() http.Header         { return c.header }
func (c cookieCapture) Write(b []byte) (int, error) { return len(b), nil }
func (c cookieCapture) WriteHeader(int)             {}

// load asks the store for the session of a request.
func (b *fromStore) load(ctx context.Context, request *http.Request, name string) (*sessions.Session, error) {
	type loaded struct {
		session *sessions.Session
		err     error
	}
	answer := make(chan loaded, 1) // buffered for an answer that comes too late
	if err := b.Call(ctx, func() error {
		session, err := b.store.New(request, name)
		answer <- loaded{session, err}
		return nil
	}); err != nil {
		return nil, err
	}
	l := <-answer
	return l.session, l.err
}

// save makes the store save e for this many seconds, or delete it if seconds is
// negative. It returns the cookie's value. The store's other options do not matter,
// because core.Config has the attributes of cookies.
func (b *fromStore) save(ctx context.Context, e *entry, name string, seconds int) (token string, err error) {
	var options sessions.Options
	if e.session.Options != nil {
		options = *e.session.Options
	}
	options.MaxAge = seconds
	e.session.Options = &options // a copy, not shared with the store
	c := cookieCapture{http.Header{}}
	if err := b.Call(ctx, func() error {
		err := b.store.Save(e.request, c, e.session)
		if isTooLong(err) {
			return errTooLong
		}
		return inplace.Hide(err, e.Token, e.session.ID)
	}); err != nil {
		return "", err
	}
	for _, cookie := range (&http.Response{Header: c.header}).Cookies() {
		if cookie.Name == name {
			token = cookie.Value
		}
	}
	return token, nil
}

// isPlain is the default of FromConfig.Token.
func isPlain(token string) bool {
	if token == "" || len(token) > 4096 || token[0] == '.' {
		return false
	}
	return !strings.ContainsFunc(token, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("-_=.+:", r)
	})
}

// isSpelledAsWritten refuses alternative spellings of a securecookie value, which
// its decoder accepts.
func isSpelledAsWritten(token string) bool {
	raw, err := base64.URLEncoding.DecodeString(token)
	if err != nil || strings.TrimLeft(string(raw), "0123456789") == string(raw) {
		return true // not securecookie's
	}
	return base64.URLEncoding.EncodeToString(raw) == token
}

// isAging reports whether token is a securecookie value older than half its maximum
// age, at which the store would refuse it.
func isAging(token string, session *sessions.Session) bool {
	written, err := writtenAt(token)
	if err != nil || session.Options == nil || session.Options.MaxAge <= 0 {
		return false
	}
	return time.Since(written) > time.Duration(session.Options.MaxAge)*time.Second/2
}

// isPersistent reports whether the store makes cookies that outlive the browser. What
// a program has set for one session alone is not stored. A FilesystemStore deletes
// sessions whose cookies do not.
func (b *fromStore) isPersistent(session *sessions.Session) bool {
	return b.maxAge > 0 || session.Options != nil && session.Options.MaxAge > 0
}

// isUnregistered reports whether gob lacks a type, in this program alone: a mistake of
// the program, and no reason to end sessions.
func isUnregistered(err error) bool { return strings.Contains(err.Error(), "gob: name not registered") }

// errUnregistered is for values that isUnregistered.
func errUnregistered(err error, secrets ...string) error {
	return inplace.Fail("gorillastore", "load", fmt.Errorf("a value has a type that this program has not given to gob.Register: %w", err), secrets...)
}

// classify turns an error of the store's New into one of the core's.
func (b *fromStore) classify(err error, e *entry) error {
	var known securecookie.Error
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case b.config.Absent != nil && b.config.Absent(err), errors.Is(err, sql.ErrNoRows), fileIsMissing(err):
		return errAbsent
	case isUnregistered(err):
		return errUnregistered(err, e.Token, e.ID)
	case errors.As(err, &known) && known.IsDecode() && !known.IsUsage() && !known.IsInternal():
		if e.session == nil || e.session.ID == "" {
			return errAbsent // the cookie failed to decode, not the session
		}
		return fmt.Errorf("gorillastore: load: %w: %w", core.ErrCorrupt, inplace.Hide(err, e.Token, e.ID))
	case errors.As(err, &syntax), errors.As(err, &mismatch), strings.HasPrefix(err.Error(), "gob: "):
		return fmt.Errorf("gorillastore: load: %w: %w", core.ErrCorrupt, inplace.Hide(err, e.Token, e.ID))
	}
	return inplace.Fail("gorillastore", "load", err, e.Token, e.ID)
}

// fileIsMissing reports whether a file is missing from a directory that exists.
func fileIsMissing(err error) bool {
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		if _, err := os.Stat(filepath.Dir(path.Path)); err != nil {
			return false
		}
	}
	return true
}

// errTooLong replaces securecookie's error for a value above its MaxLength.
var errTooLong = errors.New("longer than the store's MaxLength")

func isTooLong(err error) bool {
	var known securecookie.Error
	return errors.As(err, &known) && strings.Contains(err.Error(), "too long")
}

// sizeError turns errTooLong into an error that the core can explain.
func sizeError(r *core.Record) error {
	record, _ := r.MarshalBinary() // its error is always nil
	// The envelope is encoded in base64 twice, so about half of securecookie's
	// default limit of 4,096 bytes is left for the session.
	limit := min(2048, len(record)-1)
	return fmt.Errorf("gorillastore: save: %w: %w", errTooLong, &core.SizeError{Total: len(record), Limit: limit})
}

// withoutMaxAge returns a copy of files that leaves the age of sessions to the core.
// It also returns how long gorilla's own sessions last.
func withoutMaxAge(files *sessions.FilesystemStore) (sessions.Store, time.Duration, error) {
	if len(files.Codecs) == 0 {
		return nil, 0, errors.New("gorillastore: the FilesystemStore has no keys")
	}
	clone, maxAge := *files, defaultMaxAge
	clone.Codecs = make([]securecookie.Codec, len(files.Codecs))
	for i, codec := range files.Codecs {
		clone.Codecs[i] = codec
		if sc, ok := codec.(*securecookie.SecureCookie); ok {
			copied := *sc
			clone.Codecs[i] = copied.MaxAge(0)
		}
	}
	if files.Options == nil {
		clone.Options = &sessions.Options{Path: "/"}
	} else if files.Options.MaxAge > 0 {
		maxAge = time.Duration(files.Options.MaxAge) * time.Second
	}
	return &clone, maxAge, nil
}

// storeIn returns store as an S, or the S that gin-contrib wraps to set its options.
// It returns nil for any other wrapper, which may change what the store does.
func storeIn[S sessions.Store](store sessions.Store) (found S) {
	if found, ok := store.(S); ok {
		return found
	}
	v := reflect.Indirect(reflect.ValueOf(store))
	if v.Kind() != reflect.Struct || !strings.HasPrefix(v.Type().PkgPath(), "github.com/gin-contrib/sessions/") {
		return found
	}
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.Anonymous && field.Type == reflect.TypeFor[S]() {
			found, _ = reflect.TypeAssert[S](v.Field(i))
		}
	}
	return found
}

// isNil reports whether store is nil or a nil pointer.
func isNil(store sessions.Store) bool {
	v := reflect.ValueOf(store)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}
