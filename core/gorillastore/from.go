package gorillastore

import (
	"context"
	"errors"
	"fmt"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// FromConfig tells [From] about a store. The zero value suits the common stores.
type FromConfig struct {
	// Token reports whether the store can have made a cookie's value; the store is
	// asked for no other. The default accepts up to 4,096 letters, digits and
	// characters of "-_=.+:", not starting with ".".
	Token func(token string) bool

	// Absent reports whether an error of the store's New means that there is no
	// such session. From already knows missing files (fs.ErrNotExist), missing rows
	// (sql.ErrNoRows) and values that securecookie refuses. Any other error means
	// that the store is unavailable.
	Absent func(err error) bool

	// Text means that the store keeps values as JSON or similar instead of gob, so
	// that it returns only strings, bools and float64.
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
		return Cookie(cookies, CookieConfig{})
	}
	b := &fromBackend{
		mapping: mapping{core.CBOR(), c.Text}, adopter: newAdopter(),
		store: store, config: c, calls: make(chan struct{}, maxCalls),
		sessions: newSessionLocks(), late: newLateTokens(),
	}
	if files := storeIn[*sessions.FilesystemStore](store); files != nil {
		b.store, b.maxAge, b.err = withoutMaxAge(files)
	}
	if b.config.Token == nil {
		b.config.Token = isPlain
	}
	return b
}

// fromBackend is a core.Backend on a gorilla store. It identifies sessions by the
// store's own IDs.
type fromBackend struct {
	mapping
	adopter

	store  sessions.Store
	config FromConfig
	err    error // why the store cannot be used

	calls    chan struct{} // holds an element for each unanswered call
	sessions *sessionLocks
	late     *lateTokens
}

var _ core.Configurable[core.Backend] = (*fromBackend)(nil)

// Format implements [fmt.Formatter]: no verb prints anything of the store.
func (b *fromBackend) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("gorillastore.From")) }

// WithConfig implements [core.Configurable].
func (b *fromBackend) WithConfig(c core.Config) (core.Backend, error) {
	if b.err == nil && isNil(b.store) {
		return nil, errors.New("gorillastore: From(nil): give it a store")
	}
	if err := cookiesOnly("From", c); err != nil {
		return nil, err
	}
	clone := *b
	clone.codec = c.Codec
	clone.configure(c)
	return &clone, b.err
}

// cookiesOnly returns an error for sessions that travel in a header: gorilla's stores
// read and write cookies.
func cookiesOnly(what string, c core.Config) error {
	if c.Carrier == (core.Carrier{}) {
		return nil
	}
	return fmt.Errorf("gorillastore: %s keeps sessions in gorilla's way, which is a cookie, and Config.Carrier is %s: use core.ServerSide with another store: %w", what, c.Carrier, core.ErrUnsupported)
}

// Traits implements [core.Backend].
func (b *fromBackend) Traits() core.Traits { return core.Traits{} }

// fromHandle records the loaded state of a session and its token.
type fromHandle struct {
	name    string
	token   string
	id      string // the store's
	state   fingerprint
	refresh bool // the token will soon be too old for the store
}

// Format implements [fmt.Formatter]: no verb prints the token.
func (*fromHandle) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("gorillastore.handle")) }

// Load implements [core.Backend].
func (b *fromBackend) Load(ctx context.Context, scope core.Scope, presented core.Tokens) (core.LoadResult, error) {
	e, err := b.read(ctx, scope, presented.Session)
	if errors.Is(err, core.ErrNotFound) {
		if next := b.late.successor(e.id, lateFor, b.now()); next != "" {
			return b.superseded(ctx, scope, next)
		}
	}
	if err != nil {
		return core.LoadResult{}, err
	}
	return e.loaded(scope), nil
}

// superseded returns what a late request may have of the session that token has the
// right to by now: enough to end it, unless that token was replaced in its turn.
func (b *fromBackend) superseded(ctx context.Context, scope core.Scope, token string) (core.LoadResult, error) {
	e, err := b.read(ctx, scope, token)
	if err != nil {
		return late(nil, nil, err)
	}
	l := e.loaded(scope)
	return late(&l.Record, l.Handle, nil)
}

// loaded turns e into the core's result.
func (e *entry) loaded(scope core.Scope) core.LoadResult {
	h := &fromHandle{name: scope.Name, token: e.token, id: e.id, state: e.state, refresh: isAging(e.token, e.session)}
	return core.LoadResult{Record: *e.record, Handle: h, Refresh: e.adopted || h.refresh}
}

// Reload implements [core.Backend].
func (b *fromBackend) Reload(ctx context.Context, scope core.Scope, handle core.Handle) (core.LoadResult, error) {
	return b.Load(ctx, scope, core.Tokens{Session: handle.(*fromHandle).token})
}

// Save implements [core.Backend]. It holds the session's turn from reading it to the
// store's Save, so no other request of this process changes it in between.
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

// create stores r as a new session, under an ID that the store chooses.
func (b *fromBackend) create(ctx context.Context, scope core.Scope, r *core.Record, others map[any]any) (*fromHandle, string, error) {
	e, err := b.newEntry(ctx, scope)
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

// overwrite replaces the content of e with r. base is the handle of e.
func (b *fromBackend) overwrite(ctx context.Context, scope core.Scope, e *entry, r *core.Record, base *fromHandle) (core.Handle, string, error) {
	state, err := b.write(ctx, scope, e, r)
	if err != nil {
		return nil, "", err
	}
	h := *base
	h.state = state
	if !base.refresh {
		return &h, "", nil // the client keeps its token
	}
	h.token, h.refresh = e.token, false
	return &h, e.token, nil
}

// renew stores r under a new ID, then ends the old session. If the process dies in
// between, no client has the new token, and the old session is unchanged.
func (b *fromBackend) renew(ctx context.Context, scope core.Scope, old *entry, r *core.Record) (core.Handle, string, error) {
	h, token, err := b.create(ctx, scope, r, old.others)
	if err != nil {
		return nil, "", err
	}
	if err := b.remove(ctx, scope.Name, old); err != nil {
		if e, err := b.fetch(ctx, scope.Name, token); err == nil {
			_ = b.remove(ctx, scope.Name, e) // no client has its token
		}
		return nil, "", err
	}
	b.late.add(old.id, token, b.now())
	return h, token, nil
}

// Touch implements [core.Backend].
func (b *fromBackend) Touch(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle) (core.Handle, core.Tokens, error) {
	h := base.(*fromHandle)
	ctx, turn, err := b.turn(ctx, h.id)
	if err != nil {
		return nil, core.Tokens{}, fail("touch", err)
	}
	defer turn.end()
	e, err := b.read(ctx, scope, h.token)
	if err != nil {
		return nil, core.Tokens{}, err
	}
	if e.state != h.state {
		return h, core.Tokens{}, nil
	}
	next, token, err := b.overwrite(ctx, scope, e, r, h)
	return next, core.Tokens{Session: token}, err
}

// Delete implements [core.Backend]. If another request of this process has renewed
// the session, Delete ends the renewed one.
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
			return ignoreAbsent(err)
		}
		id, token = e.id, next
	}
}

// deleteOne deletes a session, or returns the token that replaced it.
func (b *fromBackend) deleteOne(ctx context.Context, name, id, token string) (next string, err error) {
	ctx, turn, err := b.turn(ctx, id)
	if err != nil {
		return "", fail("delete", err)
	}
	defer turn.end()
	if next := b.late.successor(id, followedFor, b.now()); next != "" {
		return next, nil
	}
	e, err := b.fetch(ctx, name, token)
	if err != nil && !errors.Is(err, core.ErrCorrupt) {
		return "", ignoreAbsent(err)
	}
	return "", b.remove(ctx, name, e)
}

func ignoreAbsent(err error) error {
	if errors.Is(err, core.ErrNotFound) {
		return nil
	}
	return err
}
