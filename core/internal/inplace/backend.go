// Package inplace keeps sessions in the stores of other libraries, as these would
// write them, so that both can use a session in turn. Such stores find sessions by their
// tokens alone, cannot compare and set, and often ignore deadlines. What is the same for
// all of them is here; what a library's sessions look like is in packages gorillastore
// and scsstore.
package inplace

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/satchel-go/satchel/core"
)

// Fingerprint identifies one state of a session, whoever wrote it.
type Fingerprint [sha256.Size]byte

// Entry is a session as the store has it. Stores embed it.
type Entry struct {
	Token   string // that its client presents
	ID      string // the store's own, or the token if the store has none
	Record  *core.Record
	Adopted bool // the library created it
	Aging   bool // the store will soon refuse its token
	State   Fingerprint
}

// Common returns the Entry in what embeds it.
func (e *Entry) Common() *Entry { return e }

// Store is a library's store. Its errors are those of a [core.Backend].
type Store[E interface{ Common() *Entry }] interface {
	// Fetch returns the session of a token without its record, but never nil: along with
	// an error, it returns what is known of the session. ErrCorrupt is for a session
	// that is there and cannot be read.
	Fetch(ctx context.Context, name, token string) (E, error)

	// Read fetches the session of a token with its record.
	Read(ctx context.Context, scope core.Scope, token string) (E, error)

	// Create stores r as a new session, with what old has that a Record cannot hold, if
	// old is not nil.
	Create(ctx context.Context, scope core.Scope, r *core.Record, old E) (E, error)

	// Write replaces the content of e with r, and updates e.
	Write(ctx context.Context, scope core.Scope, e E, r *core.Record) error

	// Remove ends e.
	Remove(ctx context.Context, name string, e E) error

	// Leave replaces the content of e with left, under LeftKey, for as long as r is kept.
	// Read finds no session there.
	Leave(ctx context.Context, name string, e E, r *core.Record, left []byte) error

	// FetchLeft returns what Leave has left for a token, unless there is more by now.
	FetchLeft(ctx context.Context, name, token string) (left any, err error)
}

// Backend is a [core.Backend] on a Store. Within a process, and for all copies of it, no
// update is lost and a logout is final.
type Backend[E interface{ Common() *Entry }] struct {
	*Calls

	store Store[E]
	label string // of its errors
	now   func() time.Time
	locks *locks
	late  *lateTokens
}

// New returns a Backend. Label is the name of the package that calls it.
func New[E interface{ Common() *Entry }](label string, store Store[E], calls *Calls) *Backend[E] {
	return &Backend[E]{Calls: calls, store: store, label: label, now: time.Now, locks: newLocks(), late: newLateTokens()}
}

// With returns a copy of b for another Manager on the same store.
func (b *Backend[E]) With(store Store[E], now func() time.Time) *Backend[E] {
	clone := *b
	clone.store, clone.now = store, now
	return &clone
}

// Traits implements [core.Backend].
func (b *Backend[E]) Traits() core.Traits { return core.Traits{} }

// handle records the loaded state of a session and its token.
type handle struct {
	name    string
	token   string
	id      string // the store's
	state   Fingerprint
	refresh bool // the token will soon be too old for the store
}

// Format implements [fmt.Formatter]: no verb prints the token.
func (*handle) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "inplace.handle") }

// Load implements [core.Backend].
func (b *Backend[E]) Load(ctx context.Context, scope core.Scope, presented core.Tokens) (core.LoadResult, error) {
	e, err := b.store.Read(ctx, scope, presented.Session)
	if errors.Is(err, core.ErrNotFound) {
		if next := b.late.successor(e.Common().ID, LateFor, b.now()); next != "" {
			return b.superseded(ctx, scope, next)
		}
	}
	if err != nil {
		return core.LoadResult{}, err
	}
	return loaded(e.Common(), scope), nil
}

// superseded returns what a late request may have of the session that token has the
// right to by now: enough to end it, unless that token was replaced in its turn.
func (b *Backend[E]) superseded(ctx context.Context, scope core.Scope, token string) (core.LoadResult, error) {
	e, err := b.store.Read(ctx, scope, token)
	if err != nil {
		return Late(nil, nil, err)
	}
	l := loaded(e.Common(), scope)
	return Late(&l.Record, l.Handle, nil)
}

// loaded turns e into the core's result.
func loaded(e *Entry, scope core.Scope) core.LoadResult {
	h := &handle{name: scope.Name, token: e.Token, id: e.ID, state: e.State, refresh: e.Aging}
	return core.LoadResult{Record: *e.Record, Handle: h, Refresh: e.Adopted || h.refresh}
}

// Reload implements [core.Backend].
func (b *Backend[E]) Reload(ctx context.Context, scope core.Scope, base core.Handle) (core.LoadResult, error) {
	return b.Load(ctx, scope, core.Tokens{Session: base.(*handle).token})
}

// Save implements [core.Backend]. It holds the session's turn from reading it to the
// store's save, so no other request of this process changes it in between.
func (b *Backend[E]) Save(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle, renew bool) (core.Handle, string, error) {
	if base == nil {
		var none E
		return b.create(ctx, scope, r, none)
	}
	h := base.(*handle)
	ctx, turn, err := b.turn(ctx, h.id)
	if err != nil {
		return nil, "", b.Fail("save", err)
	}
	defer turn.end()
	e, err := b.store.Read(ctx, scope, h.token)
	switch {
	case err != nil:
		return nil, "", err
	case e.Common().State != h.state:
		return nil, "", fmt.Errorf("%s: save: %w", b.label, core.ErrConflict)
	case renew:
		return b.renew(ctx, scope, e, r)
	}
	return b.overwrite(ctx, scope, e, r, h)
}

// create stores r as a new session.
func (b *Backend[E]) create(ctx context.Context, scope core.Scope, r *core.Record, old E) (*handle, string, error) {
	created, err := b.store.Create(ctx, scope, r, old)
	if err != nil {
		return nil, "", err
	}
	e := created.Common()
	return &handle{name: scope.Name, token: e.Token, id: e.ID, state: e.State}, e.Token, nil
}

// overwrite replaces the content of e with r. base is the handle of e.
func (b *Backend[E]) overwrite(ctx context.Context, scope core.Scope, e E, r *core.Record, base *handle) (core.Handle, string, error) {
	if err := b.store.Write(ctx, scope, e, r); err != nil {
		return nil, "", err
	}
	h := *base
	h.state = e.Common().State
	if !base.refresh {
		return &h, "", nil // the client keeps its token
	}
	h.token, h.refresh = e.Common().Token, false
	return &h, h.token, nil
}

// renew stores r under a new ID, then ends the old session. If the process dies in
// between, no client has the new token, and the old session is unchanged.
func (b *Backend[E]) renew(ctx context.Context, scope core.Scope, old E, r *core.Record) (core.Handle, string, error) {
	h, token, err := b.create(ctx, scope, r, old)
	if err != nil {
		return nil, "", err
	}
	if err := b.store.Remove(ctx, scope.Name, old); err != nil {
		if e, err := b.store.Fetch(ctx, scope.Name, token); err == nil {
			_ = b.store.Remove(ctx, scope.Name, e) // no client has its token
		}
		return nil, "", err
	}
	b.late.add(old.Common().ID, token, b.now())
	return h, token, nil
}

// Touch implements [core.Backend].
func (b *Backend[E]) Touch(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle) (core.Handle, core.Tokens, error) {
	h := base.(*handle)
	ctx, turn, err := b.turn(ctx, h.id)
	if err != nil {
		return nil, core.Tokens{}, b.Fail("touch", err)
	}
	defer turn.end()
	e, err := b.store.Read(ctx, scope, h.token)
	if err != nil {
		return nil, core.Tokens{}, err
	}
	if e.Common().State != h.state {
		return h, core.Tokens{}, nil
	}
	next, token, err := b.overwrite(ctx, scope, e, r, h)
	return next, core.Tokens{Session: token}, err
}

// Delete implements [core.Backend]. If another request of this process has renewed
// the session, Delete ends the renewed one.
func (b *Backend[E]) Delete(ctx context.Context, base core.Handle) error {
	h := base.(*handle)
	id, token := h.id, h.token
	for {
		next, err := b.deleteOne(ctx, h.name, id, token)
		if err != nil || next == "" {
			return err
		}
		e, _ := b.store.Fetch(ctx, h.name, next) // for its ID, even if it was renewed in its turn
		id, token = e.Common().ID, next
	}
}

// deleteOne deletes a session, or returns the token that replaced it.
func (b *Backend[E]) deleteOne(ctx context.Context, name, id, token string) (next string, err error) {
	ctx, turn, err := b.turn(ctx, id)
	if err != nil {
		return "", b.Fail("delete", err)
	}
	defer turn.end()
	if next := b.late.successor(id, FollowedFor, b.now()); next != "" {
		return next, nil
	}
	e, err := b.store.Fetch(ctx, name, token)
	if err != nil && !errors.Is(err, core.ErrCorrupt) {
		return "", IgnoreAbsent(err)
	}
	return "", b.store.Remove(ctx, name, e)
}

// Fail returns the error of a store that could not load, save or delete a session.
func (b *Backend[E]) Fail(doing string, err error, secrets ...string) error {
	return Fail(b.label, doing, err, secrets...)
}

// IgnoreAbsent returns nil for a session that is not there.
func IgnoreAbsent(err error) error {
	if errors.Is(err, core.ErrNotFound) {
		return nil
	}
	return err
}
