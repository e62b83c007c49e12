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
)

// entry is a session as the store returned it.
type entry struct {
	request *http.Request // of the load; the store may remember it
	session *sessions.Session
	token   string
	id      string // the store's own, or the token if the store has none
	record  *core.Record
	others  map[any]any // values that a Record cannot hold
	adopted bool        // gorilla created it
	state   fingerprint
}

// fetch asks the store for the session of a token. Along with an error, it returns
// an entry with what is known of the session.
func (b *fromBackend) fetch(ctx context.Context, name, token string) (*entry, error) {
	e := &entry{request: newRequest(ctx, name, token), token: token, id: token}
	// The store must see exactly the token.
	if c, err := e.request.Cookie(name); err != nil || c.Value != token || !b.config.Token(token) || !isSpelledAsWritten(token) {
		return e, errAbsent
	}
	session, err := b.load(ctx, e.request, name)
	if session != nil {
		e.session = session
		if session.ID != "" {
			e.id = session.ID
		}
	}
	switch {
	case err != nil:
		return e, b.classify(err, e)
	case session == nil:
		return e, fail("load", errNoSession)
	case session.IsNew:
		return e, errAbsent
	}
	return e, nil
}

// read fetches the session of a token and its record.
func (b *fromBackend) read(ctx context.Context, scope core.Scope, token string) (*entry, error) {
	e, err := b.fetch(ctx, scope.Name, token)
	if err != nil {
		return e, err
	}
	values := e.session.Values
	head, adopted, err := b.head(scope, values, origin{id: e.id, token: token})
	if err != nil {
		return e, err
	}
	e.adopted = adopted
	e.record, e.others = b.fromGorilla(head, values), b.unmapped(values)
	e.state = b.fingerprintOf(values, e.record)
	return e, nil
}

// newEntry returns an empty session: it asks the store without a cookie. The session
// has no ID yet, or one that the store has just generated.
func (b *fromBackend) newEntry(ctx context.Context, scope core.Scope) (*entry, error) {
	request := newRequest(ctx, scope.Name, "")
	session, err := b.load(ctx, request, scope.Name)
	if err == nil && session == nil {
		err = errNoSession
	}
	if err != nil {
		return nil, fail("save", err)
	}
	return &entry{request: request, session: session}, nil
}

// write makes the store save r as the session e. It sets the token and ID that the
// store returns in e.
func (b *fromBackend) write(ctx context.Context, scope core.Scope, e *entry, r *core.Record) (fingerprint, error) {
	values, err := b.toGorilla(withName(scope), r)
	if err != nil {
		return fingerprint{}, err
	}
	state := b.fingerprintOf(values, r)
	maps.Copy(values, e.others)
	e.session.Values = values // a new map: the store may share the old one
	left := max(r.KeepUntil().Sub(b.now()), time.Second)
	token, err := b.save(ctx, e, scope.Name, int((left+time.Second-1)/time.Second))
	switch {
	case errors.Is(err, errTooLong):
		return fingerprint{}, sizeError(r)
	case err != nil:
		return fingerprint{}, fail("save", err, e.token, e.id)
	case token == "":
		return fingerprint{}, fail("save", errors.New("the store has set no cookie"))
	case e.session.ID == "":
		return fingerprint{}, fail("save", errors.New("the store has given the session no ID and seems to keep sessions in their cookies: use gorillastore.Cookie"))
	case !b.config.Token(token) || !isSpelledAsWritten(token):
		return fingerprint{}, fail("save", errors.New("the store has set a cookie value that Token refuses: set FromConfig.Token to a function that accepts the store's values"))
	}
	e.token, e.id = token, e.session.ID
	return state, nil
}

// remove ends e in the store and verifies that it is gone.
func (b *fromBackend) remove(ctx context.Context, name string, e *entry) error {
	if e.session == nil {
		return fail("delete", errNoSession)
	}
	if _, err := b.save(ctx, e, name, -1); err != nil {
		return fail("delete", err, e.token, e.id)
	}
	switch _, err := b.fetch(ctx, name, e.token); {
	case err == nil, errors.Is(err, core.ErrCorrupt):
		return fail("delete", errors.New("the store kept a session that it was told to delete"))
	default:
		return ignoreAbsent(err)
	}
}

// unmapped returns the values that a Record cannot hold: those whose keys are not
// strings, and those that the codec cannot encode. Saves write them back unchanged.
func (m mapping) unmapped(values map[any]any) map[any]any {
	var others map[any]any
	for k, v := range values {
		key, ok := k.(string)
		if ok && isReserved(key) {
			continue
		}
		if ok {
			_, ok = m.fromNative(v)
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

// fingerprint identifies one state of a session, whether Satchel or gorilla wrote it.
type fingerprint [sha256.Size]byte

// fingerprintOf hashes a gorilla session and its record.
func (m mapping) fingerprintOf(values map[any]any, r *core.Record) (f fingerprint) {
	sum := sha256.New()
	add := func(b []byte) {
		sum.Write(binary.AppendUvarint(nil, uint64(len(b))))
		sum.Write(b)
	}
	add(headerBytes(values[headerKey]))
	flashes, _ := values[flashKey].([]any)
	for _, flash := range flashes {
		raw, ok := m.fromNative(flash)
		if !ok { // fmt prints pointers as addresses, which differ from load to load
			raw = fmt.Append(nil, flash)
		}
		add(raw)
	}
	add(nil)
	raws := maps.Collect(r.Values())
	for _, key := range slices.Sorted(maps.Keys(raws)) {
		if !isReserved(key) {
			add([]byte(key))
			add(raws[key])
		}
	}
	return fingerprint(sum.Sum(nil))
}
