// Package boltstore keeps sessions in a file of go.etcd.io/bbolt.
package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"github.com/satchel-go/satchel/core"
)

//recipe:store

// Store is a core.Store in a bbolt file.
type Store struct {
	db  *bbolt.DB
	now func() time.Time
}

var bucket = []byte("sessions")

// New returns a store in db. A nil now means time.Now.
func New(db *bbolt.DB, now func() time.Time) (*Store, error) {
	if now == nil {
		now = time.Now
	}
	return &Store{db, now}, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
}

// Load implements core.Store.
func (s *Store) Load(ctx context.Context, id core.ID) (e core.Entry, err error) {
	if err := ctx.Err(); err != nil {
		return e, err // which is not "not found"
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		e, err = s.get(tx, id)
		return err
	})
	return e, err
}

// Save implements core.Store. It compares and stores in one transaction.
func (s *Store) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	err := s.update(ctx, func(b *bbolt.Bucket) error {
		there, err := s.get(b.Tx(), id)
		switch {
		case err != nil && base != 0:
			return err // gone: never bring it back
		case err == nil && there.Version != base:
			return core.ErrConflict
		}
		next, err := b.NextSequence() // no version ever comes twice
		if err != nil {
			return err
		}
		e.Version = core.Version(next)
		return b.Put(id[:], encode(e))
	})
	return e.Version, err
}

// Touch implements core.Store. An entry that has changed keeps its expiry.
func (s *Store) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	return s.update(ctx, func(b *bbolt.Bucket) error {
		e, err := s.get(b.Tx(), id)
		if err != nil || e.Version != base {
			return err
		}
		e.Expires = expires
		return b.Put(id[:], encode(e))
	})
}

// Delete implements core.Store.
func (s *Store) Delete(ctx context.Context, id core.ID) error {
	return s.update(ctx, func(b *bbolt.Bucket) error { return b.Delete(id[:]) })
}

func (s *Store) update(ctx context.Context, f func(*bbolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error { return f(tx.Bucket(bucket)) })
}

// get returns the entry of id, or core.ErrNotFound if there is none or it has expired.
func (s *Store) get(tx *bbolt.Tx, id core.ID) (core.Entry, error) {
	data := tx.Bucket(bucket).Get(id[:])
	if data == nil {
		return core.Entry{}, core.ErrNotFound
	}
	e, err := decode(data)
	if err == nil && !s.now().Before(e.Expires) {
		err = core.ErrNotFound
	}
	return e, err
}

//recipe:end

//recipe:bytes

// An entry is its version, its expiry and the length of its user, 8 bytes each; the user;
// and the data.
const header = 24

func encode(e core.Entry) []byte {
	b := make([]byte, 0, header+len(e.User)+len(e.Data))
	for _, n := range [...]uint64{uint64(e.Version), uint64(e.Expires.UnixMilli()), uint64(len(e.User))} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return append(append(b, e.User...), e.Data...)
}

// decode copies: bbolt's memory is good only during the transaction.
func decode(b []byte) (core.Entry, error) {
	if len(b) < header || uint64(len(b)-header) < binary.BigEndian.Uint64(b[16:]) {
		return core.Entry{}, core.ErrCorrupt
	}
	data := header + int(binary.BigEndian.Uint64(b[16:]))
	return core.Entry{
		Version: core.Version(binary.BigEndian.Uint64(b)),
		Expires: time.UnixMilli(int64(binary.BigEndian.Uint64(b[8:]))),
		User:    string(b[header:data]),
		Data:    bytes.Clone(b[data:]),
	}, nil
}

//recipe:end

//recipe:sweep

// Sweep implements core.Sweeper: bbolt does not expire anything by itself. Call it
// every few minutes.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	err = s.update(ctx, func(b *bbolt.Bucket) error {
		c := b.Cursor()
		for id, data := c.First(); id != nil; id, data = c.Next() {
			if e, err := decode(data); err == nil && !s.now().Before(e.Expires) {
				if err := c.Delete(); err != nil {
					return err
				}
				removed++
			}
		}
		return nil
	})
	return removed, err
}

//recipe:end
