package gorillastore

import (
	"errors"
	"fmt"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

// FromConfig tells [From] about a store. The zero value suits the common stores.
type FromConfig struct {
	// UserKey is the key of the value that says who is logged in. It becomes the session's
	// user, and a login or logout of Satchel sets or removes it. The value is a string, an
	// integer or an [encoding.TextMarshaler] such as a UUID; zero means nobody. By default,
	// no value has a meaning for Satchel.
	UserKey string

	// UserValue returns the value for a user, if it is not the string itself:
	//
	//	UserValue: func(user string) (any, error) { return strconv.Atoi(user) },
	//
	// It must give back every value that is there: a session with another one is answered
	// with 503, and stays as it is. It must be safe for concurrent use.
	UserValue func(user string) (any, error)

	// InsecureAllowReadable is as in [CookieConfig], for a CookieStore with a hash key
	// alone. A program that only moves sessions away from it adds no risk.
	InsecureAllowReadable bool

	// Token reports whether the store can have made a cookie's value; the store is
	// asked for no other. The default accepts up to 4,096 letters, digits and
	// characters of "-_=.+:", not starting with ".".
	Token func(token string) bool

	// Absent reports whether an error of the store's New means that there is no
	// such session. From already knows missing files (fs.ErrNotExist), missing rows
	// (sql.ErrNoRows) and values that securecookie refuses. Any other error means
	// that the store is unavailable.
	Absent func(err error) bool

	// Text means that the store keeps values as JSON or similar instead of gob, so that it
	// returns only strings, bools, float64, and lists and maps of them. Whole numbers are
	// integers for Satchel. A list or map that gorilla wrote stays one; others that Satchel
	// sets become strings.
	Text bool
}

// From returns a backend that keeps sessions in store as gorilla/sessions would.
// Programs that use the store directly read and change Satchel's sessions, and
// Satchel reads and changes theirs. From passes a CookieStore to [Cookie].
//
// The package documentation lists the promises that the store cannot keep, and those
// that hold only within one process. For processes that share sessions through
// Redis, use [RedisCompatible].
func From(store sessions.Store, c FromConfig) core.Backend {
	if cookies := storeIn[*sessions.CookieStore](store); cookies != nil {
		return Cookie(cookies, CookieConfig{UserKey: c.UserKey, UserValue: c.UserValue, InsecureAllowReadable: c.InsecureAllowReadable})
	}
	s := &fromStore{
		Calls: inplace.NewCalls(), mapping: newMapping(c.Text, c.UserKey, c.UserValue),
		adopter: newAdopter(), store: store, config: c,
	}
	if files := storeIn[*sessions.FilesystemStore](store); files != nil {
		s.store, s.maxAge, s.err = withoutMaxAge(files)
	}
	if s.err == nil {
		s.err = s.validate()
	}
	if s.config.Token == nil {
		s.config.Token = isPlain
	}
	return &fromBackend{inplace.New[*entry]("gorillastore", s, s.Calls), s}
}

// fromBackend is a core.Backend on a gorilla store. It identifies sessions by the
// store's own IDs.
type fromBackend struct {
	*inplace.Backend[*entry]

	store *fromStore
}

// fromStore reads and writes the sessions of a gorilla store.
type fromStore struct {
	*inplace.Calls
	mapping
	adopter

	store  sessions.Store
	config FromConfig
	err    error // why the store cannot be used
}

var (
	_ core.Configurable[core.Backend] = (*fromBackend)(nil)
	_ core.Leaver                     = (*fromBackend)(nil)
	_ inplace.Store[*entry]           = (*fromStore)(nil)
)

// Format implements [fmt.Formatter]: no verb prints anything of the store.
func (b *fromBackend) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("gorillastore.From")) }

// WithConfig implements [core.Configurable].
func (b *fromBackend) WithConfig(c core.Config) (core.Backend, error) {
	if b.store.err == nil && isNil(b.store.store) {
		return nil, errors.New("gorillastore: From(nil): give it a store")
	}
	if err := cookiesOnly("From", c); err != nil {
		return nil, err
	}
	clone := *b.store
	clone.Codec = c.Codec
	clone.configure(c)
	return &fromBackend{b.With(&clone, c.Now), &clone}, clone.err
}

// cookiesOnly returns an error for sessions that travel in a header: gorilla's stores
// read and write cookies.
func cookiesOnly(what string, c core.Config) error {
	if c.Carrier == (core.Carrier{}) {
		return nil
	}
	return fmt.Errorf("gorillastore: %s keeps sessions in gorilla's way, which is a cookie, and Config.Carrier is %s: use core.ServerSide with another store: %w", what, c.Carrier, core.ErrUnsupported)
}
