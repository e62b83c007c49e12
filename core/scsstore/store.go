package scsstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/gob"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

// minDecoded is the size up to which every session is decoded. What gob allocates for the
// worst of them is some multiple of it.
const minDecoded = 1 << 20

// errAbsent means that the token has no session.
var errAbsent = fmt.Errorf("scsstore: load: %w", core.ErrNotFound)

// entry is a session as the store returned it.
type entry struct {
	inplace.Entry

	data     []byte
	deadline time.Time
	values   map[string]any
	others   map[string]any // values that a Record cannot hold
}

// tokenBytes is how many random bytes are in a token of scs, in base64.
const tokenBytes = 32

// newEntry returns an entry for token; ok is false if scs has never made such a token.
func (s *store) newEntry(token string) (e *entry, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	e = &entry{Entry: inplace.Entry{Token: token, ID: token}}
	if s.hash {
		sum := sha256.Sum256([]byte(token))
		e.ID = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return e, err == nil && len(raw) == tokenBytes && !strings.ContainsAny(token, "\r\n")
}

// Fetch implements [inplace.Store].
func (s *store) Fetch(ctx context.Context, _, token string) (*entry, error) {
	e, ok := s.newEntry(token)
	if !ok {
		return e, errAbsent
	}
	type found struct {
		data []byte
		ok   bool
	}
	answer := make(chan found, 1) // buffered for an answer that comes too late
	err := s.Call(ctx, func() error {
		data, ok, err := s.find(ctx, e.ID)
		answer <- found{data, ok}
		return err
	})
	if err != nil {
		return e, inplace.Fail(label, "load", err, token, e.ID)
	}
	f := <-answer
	if !f.ok {
		return e, errAbsent
	}
	e.data, e.State = f.data, sha256.Sum256(f.data)
	return e, nil
}

// Read implements [inplace.Store].
func (s *store) Read(ctx context.Context, scope core.Scope, token string) (*entry, error) {
	e, err := s.Fetch(ctx, scope.Name, token)
	if err == nil {
		err = s.decode(e)
	}
	if err == nil {
		err = s.read(scope, e)
	}
	return e, err
}

// Create implements [inplace.Store].
func (s *store) Create(ctx context.Context, scope core.Scope, r *core.Record, old *entry) (*entry, error) {
	var raw [tokenBytes]byte
	_, _ = rand.Read(raw[:]) // never fails; not Config.Rand, because the store cannot tell a token that is taken
	e, _ := s.newEntry(base64.RawURLEncoding.EncodeToString(raw[:]))
	if old != nil {
		e.others = old.others
	}
	return e, s.Write(ctx, scope, e, r)
}

// Write implements [inplace.Store].
func (s *store) Write(ctx context.Context, scope core.Scope, e *entry, r *core.Record) error {
	values, err := s.toSCS(inplace.WithName(scope), r, e.others)
	if err != nil {
		return err
	}
	return s.put(ctx, e, r, values)
}

// Leave implements [inplace.Store].
func (s *store) Leave(ctx context.Context, _ string, e *entry, r *core.Record, left []byte) error {
	return s.put(ctx, e, r, map[string]any{inplace.LeftKey: s.values.Bytes(left)})
}

// FetchLeft implements [inplace.Store].
func (s *store) FetchLeft(ctx context.Context, name, token string) (any, error) {
	e, err := s.Fetch(ctx, name, token)
	if err == nil {
		err = s.decode(e)
	}
	if err != nil {
		return nil, err
	}
	left, ok := e.values[inplace.LeftKey]
	if !ok || len(e.values) > 1 {
		return nil, errAbsent
	}
	return left, nil
}

// put makes values the content of e.
func (s *store) put(ctx context.Context, e *entry, r *core.Record, values map[string]any) error {
	data, err := s.encode(deadlineOf(r), values)
	if err == nil {
		err = s.Call(ctx, func() error { return s.commit(ctx, e.ID, data, r.KeepUntil()) })
	}
	if err != nil {
		return inplace.Fail(label, "save", err, e.Token, e.ID)
	}
	e.State = sha256.Sum256(data)
	return nil
}

// Remove implements [inplace.Store].
func (s *store) Remove(ctx context.Context, _ string, e *entry) error {
	if err := s.Call(ctx, func() error { return s.delete(ctx, e.ID) }); err != nil {
		return inplace.Fail(label, "delete", err, e.Token, e.ID)
	}
	return nil
}

// find, commit and delete give the store a context if it takes one, as scs does.

func (s *store) find(ctx context.Context, key string) ([]byte, bool, error) {
	if c, ok := s.old.(interface {
		FindCtx(context.Context, string) ([]byte, bool, error)
	}); ok {
		return c.FindCtx(ctx, key)
	}
	return s.old.Find(key)
}

func (s *store) commit(ctx context.Context, key string, data []byte, expiry time.Time) error {
	if c, ok := s.old.(interface {
		CommitCtx(context.Context, string, []byte, time.Time) error
	}); ok {
		return c.CommitCtx(ctx, key, data, expiry)
	}
	return s.old.Commit(key, data, expiry)
}

func (s *store) delete(ctx context.Context, key string) error {
	if c, ok := s.old.(interface {
		DeleteCtx(context.Context, string) error
	}); ok {
		return c.DeleteCtx(ctx, key)
	}
	return s.old.Delete(key)
}

// decode sets what is in e's data. A type that this program has not registered with gob is
// a mistake of the program, and no reason to end sessions: scs cannot read them either.
func (s *store) decode(e *entry) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("scsstore: load: %w: the codec panicked: %v", core.ErrCorrupt, p)
		}
	}()
	if len(e.data) > s.maxBytes {
		return inplace.Fail(label, "load", fmt.Errorf("the session has %d bytes, more than four times core.Config.MaxBytes: raise that", len(e.data)))
	}
	deadline, values, err := s.codec.Decode(e.data)
	switch {
	case err != nil && strings.HasPrefix(err.Error(), "gob: name not registered"):
		return inplace.Fail(label, "load", fmt.Errorf("a value has a type that this program has not given to gob.Register: %w", err), e.Token, e.ID)
	case err != nil:
		return fmt.Errorf("scsstore: load: %w: %w", core.ErrCorrupt, inplace.Hide(err, e.Token, e.ID))
	}
	e.deadline, e.values = deadline, values
	return nil
}

// gobCodec is scs's GobCodec for data that somebody may have tampered with.
type gobCodec struct{ scs.GobCodec }

// Decode implements [scs.Codec]. gob makes a map as large as the data says it is, if there
// is none yet: gigabytes, for a few bytes.
func (gobCodec) Decode(data []byte) (time.Time, map[string]any, error) {
	session := struct {
		Deadline time.Time
		Values   map[string]any
	}{Values: map[string]any{}}
	err := gob.NewDecoder(bytes.NewReader(data)).Decode(&session)
	return session.Deadline, session.Values, err
}

func (s *store) encode(deadline time.Time, values map[string]any) (data []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			data, err = nil, errors.New("the codec panicked")
		}
	}()
	return s.codec.Encode(deadline.UTC(), values)
}
