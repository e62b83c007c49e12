package gorillastore

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// FromConfig is what [FromWith] may have to know about a store. The zero value
// suits the stores that are in use.
type FromConfig struct {
	// Token reports whether a cookie's value can be one of the store's: it is
	// asked nothing else. By default these are up to 4,096 letters, digits and
	// characters of "-_=.+:", and none of them begins with ".".
	Token func(token string) bool

	// Absent reports whether an error of the store's New means that there is
	// no such session. Missing files (fs.ErrNotExist), missing rows
	// (sql.ErrNoRows) and what securecookie does not accept are known; every
	// other error means that the store is unavailable.
	Absent func(err error) bool

	// Text says that the store keeps values as JSON or the like instead of as
	// gob, so that what it returns is text, truth values and float64.
	Text bool
}

// From returns a backend that keeps sessions in store, whichever it is, as
// gorilla/sessions would: programs that use the store directly read and change
// Satchel's sessions, and Satchel theirs. A CookieStore is given to
// [CookieStore].
//
// What the store promises less than package core is in [FromLimits]; what
// holds within one process only is in the package's documentation. Processes
// that share sessions through Redis have [RedisCompatible].
func From(store sessions.Store) core.Backend { return FromWith(store, FromConfig{}) }

// FromWith is [From] for stores that are out of the ordinary.
func FromWith(store sessions.Store, c FromConfig) core.Backend {
	if cookies := storeIn[*sessions.CookieStore](store); cookies != nil {
		return CookieStore(cookies)
	}
	b := &fromBackend{
		mapping: mapping{core.CBOR(), c.Text}, arrivals: newArrivals(),
		store: store, config: c, asking: make(chan struct{}, patience),
		sessions: newSessionLocks(), late: newLateTokens(),
	}
	if files := storeIn[*sessions.FilesystemStore](store); files != nil {
		b.store, b.maxAge, b.err = patientFiles(files)
	}
	if b.config.Token == nil {
		b.config.Token = isPlain
	}
	return b
}

// FromLimits returns the promises that sessions in a gorilla store cannot
// keep even within one process, as [Limits] does.
func FromLimits() map[string]string { return maps.Clone(fromLimits) }

var fromLimits = map[string]string{
	"I2":   "a gorilla store finds sessions by their cookies alone: they cannot be listed, counted or ended one by one",
	"SEC7": "a gorilla store has the tokens themselves: who reads it can take sessions over, unless the store signs its cookies",
}

// fromBackend is a core.Backend on a gorilla store. It knows sessions by what
// the store calls its own ID.
type fromBackend struct {
	mapping
	arrivals

	store  sessions.Store
	config FromConfig
	err    error // why the store cannot be used

	asking   chan struct{} // has an element for each question that is not answered yet
	sessions *sessionLocks
	late     *lateTokens
}

var _ core.ConfigurableBackend = (*fromBackend)(nil)

// Format implements [fmt.Formatter]: whatever the verb, nothing of the store is printed.
func (b *fromBackend) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("gorillastore.From")) }

// WithConfig implements [core.ConfigurableBackend].
func (b *fromBackend) WithConfig(c core.Config) (core.Backend, error) {
	if b.err == nil && isNil(b.store) {
		return nil, errors.New("gorillastore: From(nil): give it a store")
	}
	clone := *b
	clone.codec = c.Codec
	clone.configure(c)
	return &clone, b.err
}

// Traits implements [core.Backend].
func (b *fromBackend) Traits() core.Traits { return core.Traits{} }

// fromHandle notes which state of a session was loaded, and by which token.
type fromHandle struct {
	name    string
	token   string
	id      string // the store's
	state   fingerprint
	refresh bool // the token is about to become too old for the store
}

// Format implements [fmt.Formatter]: whatever the verb, no token is printed.
func (*fromHandle) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("gorillastore.handle")) }

// Load implements [core.Backend].
func (b *fromBackend) Load(ctx context.Context, scope core.Scope, token string) (core.Loaded, error) {
	e, err := b.read(ctx, scope, token)
	if errors.Is(err, core.ErrNotFound) && b.late.successor(e.id, b.now()) != "" {
		return core.Loaded{Superseded: true}, nil
	}
	if err != nil {
		return core.Loaded{}, err
	}
	return e.loaded(scope), nil
}

// loaded returns e for the core.
func (e *entry) loaded(scope core.Scope) core.Loaded {
	h := &fromHandle{name: scope.Name, token: e.token, id: e.id, state: e.state, refresh: agesIn(e.token, e.session)}
	return core.Loaded{Record: *e.record, Handle: h, Refresh: e.adopted || h.refresh}
}

// Reload implements [core.Backend].
func (b *fromBackend) Reload(ctx context.Context, scope core.Scope, handle core.Handle) (core.Loaded, error) {
	e, err := b.read(ctx, scope, handle.(*fromHandle).token)
	if err != nil {
		return core.Loaded{}, err
	}
	return e.loaded(scope), nil
}

// Save implements [core.Backend]. Nothing else in this process changes the
// session between the look at it and the store's Save.
func (b *fromBackend) Save(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle, renew bool) (core.Handle, string, error) {
	if base == nil {
		return b.create(ctx, scope, r, nil)
	}
	h := base.(*fromHandle)
	ctx, turn, err := b.turn(ctx, h.id)
	if err != nil {
		return nil, "", fail("save", err)
	}
	defer turn.end()
	e, err := b.read(ctx, scope, h.token)
	switch {
	case err != nil:
		return nil, "", err
	case e.state != h.state:
		return nil, "", fmt.Errorf("gorillastore: save: %w", core.ErrConflict)
	case renew:
		return b.renew(ctx, scope, e, r)
	}
	return b.overwrite(ctx, scope, e, r, h)
}

// create stores r as a session of its own, under an ID of the store's choice.
func (b *fromBackend) create(ctx context.Context, scope core.Scope, r *core.Record, others map[any]any) (*fromHandle, string, error) {
	e, err := b.fresh(ctx, scope)
	if err != nil {
		return nil, "", err
	}
	e.others = others
	state, err := b.write(ctx, scope, e, r)
	if err != nil {
		return nil, "", err
	}
	return &fromHandle{name: scope.Name, token: e.token, id: e.id, state: state}, e.token, nil
}

// overwrite stores r in place of what e was when it was read for base.
func (b *fromBackend) overwrite(ctx context.Context, scope core.Scope, e *entry, r *core.Record, base *fromHandle) (core.Handle, string, error) {
	state, err := b.write(ctx, scope, e, r)
	if err != nil {
		return nil, "", err
	}
	h := *base
	h.state = state
	if !base.refresh {
		return &h, "", nil // clients keep the token that they have
	}
	h.token, h.refresh = e.token, false
	return &h, e.token, nil
}

// renew stores r under a new ID of the store's, and then ends the old one. If
// the process dies in between, nobody has the new token, and the old session
// is what it was before.
func (b *fromBackend) renew(ctx context.Context, scope core.Scope, old *entry, r *core.Record) (core.Handle, string, error) {
	h, token, err := b.create(ctx, scope, r, old.others)
	if err != nil {
		return nil, "", err
	}
	if err := b.remove(ctx, scope.Name, old); err != nil {
		if e, err := b.fetch(ctx, scope.Name, token); err == nil {
			_ = b.remove(ctx, scope.Name, e) // nobody has its token
		}
		return nil, "", err
	}
	b.late.add(old.id, token, b.now())
	return h, token, nil
}

// Touch implements [core.Backend].
func (b *fromBackend) Touch(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle) (core.Handle, string, error) {
	h := base.(*fromHandle)
	ctx, turn, err := b.turn(ctx, h.id)
	if err != nil {
		return nil, "", fail("touch", err)
	}
	defer turn.end()
	e, err := b.read(ctx, scope, h.token)
	if err != nil {
		return nil, "", err
	}
	if e.state != h.state {
		return h, "", nil
	}
	return b.overwrite(ctx, scope, e, r, h)
}

// Delete implements [core.Backend]. It follows a session that another request
// of this process has renewed.
func (b *fromBackend) Delete(ctx context.Context, handle core.Handle) error {
	h := handle.(*fromHandle)
	id, token := h.id, h.token
	for {
		next, err := b.deleteOne(ctx, h.name, id, token)
		if err != nil || next == "" {
			return err
		}
		e, err := b.fetch(ctx, h.name, next)
		if e == nil {
			return absentIsFine(err)
		}
		id, token = e.id, next
	}
}

// deleteOne deletes a session, or returns the token that has taken its place.
func (b *fromBackend) deleteOne(ctx context.Context, name, id, token string) (next string, err error) {
	ctx, turn, err := b.turn(ctx, id)
	if err != nil {
		return "", fail("delete", err)
	}
	defer turn.end()
	if next := b.late.successor(id, b.now()); next != "" {
		return next, nil
	}
	e, err := b.fetch(ctx, name, token)
	if err != nil && !errors.Is(err, core.ErrCorrupt) {
		return "", absentIsFine(err)
	}
	return "", b.remove(ctx, name, e)
}

func absentIsFine(err error) error {
	if errors.Is(err, core.ErrNotFound) {
		return nil
	}
	return err
}
