package core

import (
	"fmt"
	"math/bits"
	"strings"
)

// change is what a request wants to do to one key. Several calls fold into one
// change, because only Update depends on the previous value.
type change struct {
	key     string
	raw     []byte // the value as the request reads it now, nil if absent
	updates []func(raw []byte) ([]byte, error)
	err     error
	size    int // what it counts in tally.bytes
}

// applyTo returns what the change makes of raw, the key's value in a record; nil
// means absent.
func (c *change) applyTo(raw []byte) ([]byte, error) {
	if c.updates == nil {
		return c.raw, nil
	}
	var err error
	for _, update := range c.updates {
		if raw, err = update(raw); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

// few is how many keys are searched one by one. For more, a request gets indexes, or
// a client could choose keys that cost quadratic time.
const few = 16

// tally is what is known of an intent's changes as a whole.
type tally struct {
	at      map[string]int // where each key's change is, once there are more than a few
	bytes   int            // of the values that are set, as they would be stored
	failed  int32          // how many changes have an error
	largest int32          // which change set the largest value
	shrunk  bool           // it may be another one
}

// find returns where the change to key is, or -1 if there is none.
func find[K string | []byte](in *intent, key K) int {
	if len(in.changes) <= few {
		for i := range in.changes {
			if in.changes[i].key == string(key) {
				return i
			}
		}
		return -1
	}
	if len(in.at) != len(in.changes) {
		in.at = make(map[string]int, 2*len(in.changes))
		for i := range in.changes {
			in.at[in.changes[i].key] = i
		}
	}
	if i, ok := in.at[string(key)]; ok {
		return i
	}
	return -1
}

// read returns the encoded value of key as this request sees it, nil if absent.
func (s *Session) read(key string) []byte {
	if i := find(&s.intent, key); i >= 0 {
		return s.changes[i].raw
	}
	if s.cleared {
		return nil
	}
	return s.index.value(&s.base, key)
}

// change returns the change to key, and adds one that changes nothing if there is
// none yet.
func (s *Session) change(key string) *change {
	i := find(&s.intent, key)
	if i < 0 {
		i = len(s.changes)
		s.changes = append(s.changes, change{key: key, raw: s.read(key)})
		if s.at != nil {
			s.at[key] = i
		}
	}
	return &s.changes[i]
}

// put makes raw what c's key is to have, or err the reason why it cannot be
// changed: then the value stays.
func (s *Session) put(c *change, raw []byte, err error) {
	if err == nil {
		err = s.fits(c, raw)
	}
	if c.err != nil {
		s.failed--
	}
	if c.err = err; err != nil {
		s.failed++
		return
	}
	size := entrySize(c.key, raw)
	s.bytes += size - c.size
	switch i := find(&s.intent, c.key); {
	case i == int(s.largest):
		s.shrunk = s.shrunk || size < c.size
	case size > s.changes[s.largest].size:
		s.largest = int32(i)
	}
	c.raw, c.size = raw, size
}

// fits returns an error if the values that this request sets are too large for any
// record, so that it does not gather more of them until the commit.
func (s *Session) fits(c *change, raw []byte) error {
	total, limit := s.bytes-c.size+entrySize(c.key, raw), s.m.config.MaxBytes
	if total <= limit || raw == nil {
		return nil
	}
	if s.shrunk {
		for i := range s.changes {
			if s.changes[i].size > s.changes[s.largest].size {
				s.largest = int32(i)
			}
		}
		s.shrunk = false
	}
	key, value := c.key, raw
	if other := &s.changes[s.largest]; len(other.raw) > len(raw) && other.size > 0 {
		key, value = other.key, other.raw
	}
	return fmt.Errorf("core: set a value: %w", &SizeError{Key: strings.Clone(key), Bytes: len(value), Total: total, Limit: limit})
}

// entrySize returns what a value takes in a record.
func entrySize(key string, raw []byte) int {
	if raw == nil {
		return 0
	}
	return uvarintSize(len(key)) + len(key) + uvarintSize(len(raw)) + len(raw)
}

func uvarintSize(n int) int { return max(1, (bits.Len(uint(n))+6)/7) }

// valueIndex finds the values of one record.
type valueIndex struct{ *indexed } // nil until it is asked of a record with more than a few

type indexed struct {
	of    *byte // the first of the record's values
	size  int   // of the values
	asked int
	at    map[string][]byte // once it has been asked for more than a few
}

// value is [Record.value].
func (x *valueIndex) value(r *Record, key string) []byte {
	c := cursor{buf: r.values}
	if c.count() <= few {
		return r.value(key)
	}
	if x.indexed == nil || x.of != &r.values[0] || x.size != len(r.values) {
		x.indexed = &indexed{of: &r.values[0], size: len(r.values)}
	}
	if x.at == nil {
		if x.asked++; x.asked <= few {
			return r.value(key)
		}
		x.at = make(map[string][]byte)
		for key, raw := range r.Values() {
			if _, ok := x.at[key]; !ok {
				x.at[key] = raw
			}
		}
	}
	return x.at[key]
}
