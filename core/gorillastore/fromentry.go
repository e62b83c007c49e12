package gorillastore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

// entry is a session as the store returned it.
type entry struct {
	inplace.Entry

	request *http.Request // of the load; the store may remember it
	session *sessions.Session
	others  map[any]any // values that a Record cannot hold
}

// Fetch implements [inplace.Store].
func (b *fromStore) Fetch(ctx context.Context, name, token string) (*entry, error) {
	e := &entry{Entry: inplace.Entry{Token: token, ID: token}, request: newRequest(ctx, name, token)}
	// The store must see exactly the token.
	if c, err := e.request.Cookie(name); err != nil || c.Value != token || !b.config.Token(token) || !isSpelledAsWritten(token) {
		return e, errAbsent
	}
	session, err := b.load(ctx, e.request, name)
	if session != nil {
		e.session = session
		if session.ID != "" {
			e.ID = session.ID
		}
	}
	switch {
	case err != nil:
		return e, b.classify(err, e)
	case session == nil:
		return e, inplace.Fail("gorillastore", "load", errNoSession)
	case session.IsNew:
		return e, errAbsent
	}
	return e, nil
}

// Read implements [inplace.Store].
func (b *fromStore) Read(ctx context.Context, scope core.Scope, token string) (*entry, error) {
	e, err := b.Fetch(ctx, scope.Name, token)
	if err != nil {
		return e, err
	}
	values := e.session.Values
	head, adopted, err := b.head(scope, values, origin{id: e.ID, token: token, persistent: b.isPersistent(e.session)})
	if err != nil {
		return e, err
	}
	e.Adopted, e.Aging = adopted, isAging(token, e.session)
	if e.Record, err = b.fromGorilla(head, values); err != nil {
		return e, err
	}
	e.others = b.unmapped(values)
	e.State = b.fingerprintOf(values, e.Record)
	return e, nil
}

// Create implements [inplace.Store]. It asks the store without a cookie for a session, which
// has no ID yet, or one that the store has just generated.
func (b *fromStore) Create(ctx context.Context, scope core.Scope, r *core.Record, old *entry) (*entry, error) {
	request := newRequest(ctx, scope.Name, "")
	session, err := b.load(ctx, request, scope.Name)
	if err == nil && session == nil {
		err = errNoSession
	}
	if err != nil {
		return nil, inplace.Fail("gorillastore", "save", err)
	}
	e := &entry{request: request, session: session}
	if old != nil {
		e.others = old.others
	}
	return e, b.Write(ctx, scope, e, r)
}

// Write implements [inplace.Store]. It sets the token and ID that the store returns in e.
func (b *fromStore) Write(ctx context.Context, scope core.Scope, e *entry, r *core.Record) error {
	values, err := b.toGorilla(inplace.WithName(scope), r, e.others)
	if err != nil {
		return err
	}
	token, err := b.put(ctx, e, scope.Name, r, values)
	switch {
	case errors.Is(err, errTooLong):
		return sizeError(r)
	case err != nil:
		return inplace.Fail("gorillastore", "save", err, e.Token, e.ID)
	case token == "":
		return inplace.Fail("gorillastore", "save", errors.New("the store has set no cookie"))
	case e.session.ID == "":
		return inplace.Fail("gorillastore", "save", errors.New("the store has given the session no ID and seems to keep sessions in their cookies: use gorillastore.Cookie"))
	case !b.config.Token(token) || !isSpelledAsWritten(token):
		return inplace.Fail("gorillastore", "save", errors.New("the store has set a cookie value that Token refuses: set FromConfig.Token to a function that accepts the store's values"))
	}
	e.Token, e.ID, e.State = token, e.session.ID, b.fingerprintOf(values, r)
	return nil
}

// put makes values the content of e.
func (b *fromStore) put(ctx context.Context, e *entry, name string, r *core.Record, values map[any]any) (token string, err error) {
	e.session.Values = values // a new map: the store may share the old one
	left := max(r.KeepUntil().Sub(b.now()), time.Second)
	return b.save(ctx, e, name, int((left+time.Second-1)/time.Second))
}

// Leave implements [inplace.Store].
func (b *fromStore) Leave(ctx context.Context, name string, e *entry, r *core.Record, left []byte) error {
	if _, err := b.put(ctx, e, name, r, map[any]any{inplace.LeftKey: b.Bytes(left)}); err != nil {
		return inplace.Fail("gorillastore", "save", err, e.Token, e.ID)
	}
	return nil
}

// FetchLeft implements [inplace.Store].
func (b *fromStore) FetchLeft(ctx context.Context, name, token string) (any, error) {
	e, err := b.Fetch(ctx, name, token)
	if err != nil {
		return nil, err
	}
	if left := left(e.session.Values); left != nil {
		return left, nil
	}
	return nil, errAbsent
}

// Remove implements [inplace.Store]. It verifies that the session is gone.
func (b *fromStore) Remove(ctx context.Context, name string, e *entry) error {
	if e.session == nil {
		return inplace.Fail("gorillastore", "delete", errNoSession)
	}
	if _, err := b.save(ctx, e, name, -1); err != nil {
		return inplace.Fail("gorillastore", "delete", err, e.Token, e.ID)
	}
	switch _, err := b.Fetch(ctx, name, e.Token); {
	case err == nil, errors.Is(err, core.ErrCorrupt):
		return inplace.Fail("gorillastore", "delete", errors.New("the store kept a session that it was told to delete"))
	default:
		return inplace.IgnoreAbsent(err)
	}
}

// unmapped returns the values that a Record cannot hold: those whose keys are not
// strings, and those that the codec cannot encode. Saves write them back unchanged.
func (m mapping) unmapped(values map[any]any) map[any]any {
	var others map[any]any
	for k, v := range values {
		key, ok := k.(string)
		if ok && m.isReserved(key) {
			continue
		}
		if ok {
			_, ok = m.FromNative(v)
		}
		if !ok {
			if others == nil {
				others = map[any]any{}
			}
			others[k] = v
		}
	}
	return others
}

// fingerprintOf hashes a gorilla session and its record.
func (m mapping) fingerprintOf(values map[any]any, r *core.Record) (f inplace.Fingerprint) {
	sum := sha256.New()
	add := func(b []byte) {
		sum.Write(binary.AppendUvarint(nil, uint64(len(b))))
		sum.Write(b)
	}
	add(inplace.HeaderBytes(values[headerKey]))
	flashes, _ := values[flashKey].([]any)
	for _, flash := range flashes {
		raw, ok := m.FromNative(flash)
		if !ok { // fmt prints pointers as addresses, which differ from load to load
			raw = fmt.Append(nil, flash)
		}
		add(raw)
	}
	add([]byte(r.User))
	raws := maps.Collect(r.Values())
	for _, key := range slices.Sorted(maps.Keys(raws)) {
		if !m.isReserved(key) {
			add([]byte(key))
			add(raws[key])
		}
	}
	return inplace.Fingerprint(sum.Sum(nil))
}
