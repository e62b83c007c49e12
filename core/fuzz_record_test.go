package core

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

var testNow = time.UnixMilli(1_900_000_000_123)

// fuzzRecord has something in each field.
func fuzzRecord() *Record {
	return &Record{
		ID: ID{1, 2, 3, 4, 5}, User: "ann", Label: "Firefox", CreatedAt: testNow, AuthenticatedAt: testNow.Add(time.Minute),
		SavedAt: testNow.Add(time.Hour), Deadline: testNow.Add(12 * time.Hour), Expires: testNow.Add(30 * time.Minute),
		Remembered: true, idle: time.Minute, lifetime: NoTimeout, move: moveState{placeLeaving, oldOpen, 3, 1, 2, 4, origin{5, sum{6}}}, nextFlash: 9,
		values:  []byte{2, 1, 'k', 2, 0x61, 'v', 0, 1, 0xf6},
		flashes: append([]byte{1}, (&flash{number: 8, kind: "info", expires: 5, payload: []byte("hello")}).appendTo(nil)...),
	}
}

// recordSeeds are records and near misses.
func recordSeeds() (seeds [][]byte) {
	bare := &Record{ID: ID{1, 2, 3, 4, 5}, CreatedAt: testNow, SavedAt: testNow, Expires: testNow}
	for _, r := range []*Record{fuzzRecord(), bare} {
		for _, whole := range []bool{true, false} {
			good := r.appendTo(nil, whole)
			seeds = append(seeds, good, good[:len(good)-1], append(bytes.Clone(good), 0))
		}
	}
	whole := bare.appendTo(nil, true)
	head := whole[:len(whole)-1]
	return append(seeds, nil, []byte{1}, []byte{2, 0}, []byte{0, 0},
		append(bytes.Clone(head), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), // values without end
		append(bytes.Clone(head), 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 'k'),                    // a key that is longer than all
		withFlag(append(bytes.Clone(head), 0, 3, 0, 0), flagFlashes),                       // flashes that are cut off
		withFlag(append(bytes.Clone(head), 0, 0, 0), flagFlashes),                          // none, said at length
	)
}

// withFlag sets a flag of a whole record.
func withFlag(record []byte, flag byte) []byte {
	record[1] |= flag
	return record
}

// FuzzSEC46Span: lengths of time come back, and have one spelling.
func FuzzSEC46Span(f *testing.F) {
	for _, ms := range []int64{0, 1, -1, 24 * 60 * spanUnit, -spanUnit, 24*60*spanUnit + 1, 1<<62 - 1, -1 << 62} {
		f.Add(ms)
	}
	f.Fuzz(func(t *testing.T, ms int64) {
		if ms < -1<<62 || ms >= 1<<62 {
			t.Skip("146 million years")
		}
		c := cursor{buf: appendSpan(nil, ms)}
		if got := c.span(); got != ms || c.bad || len(c.buf) != 0 {
			t.Errorf("%d became %d", ms, got)
		}
		d := cursor{buf: binary.AppendVarint(nil, ms)}
		if got := d.span(); !d.bad {
			again := cursor{buf: appendSpan(nil, got)}
			if same := again.span(); same != got {
				t.Errorf("%d was read and became %d", got, same)
			}
		}
	})
}

// FuzzSEC46ScopedUser: a user comes back from any namespace, and a store's answer never
// panics.
func FuzzSEC46ScopedUser(f *testing.F) {
	for _, s := range []string{"", "ann", "[", "[0]x", "[3]x", "[-1]x", "[99999999999999999999]x", "[1]", "[1]xy", "[1", "[01]xy"} {
		f.Add("", s)
		f.Add("shop", s)
	}
	f.Fuzz(func(t *testing.T, namespace, user string) {
		if got, err := unscopedUser(scopedUser(namespace, user)); err != nil || got != user {
			t.Errorf("%q in %q became %q, %v", user, namespace, got, err)
		}
		if got, err := unscopedUser(user); err != nil && (got != "" || !errors.Is(err, ErrCorrupt)) {
			t.Errorf("%q: %q, %v", user, got, err)
		}
	})
}

// FuzzSEC46Record: reading copies only the user's name and the label, and writing
// what was read gives the same record.
func FuzzSEC46Record(f *testing.F) {
	for _, seed := range recordSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		var r *Record
		var err error
		alloctest.Bound(t, len(data)+slack, func() { r, err = ParseRecord(data) })
		if !bytes.Equal(before, data) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerVersion) && !errors.Is(err, errOtherID) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		walk(t, r, len(data))
		again, err := r.MarshalBinary()
		if err != nil || len(again) > r.sizeHint() {
			t.Fatalf("%d bytes, hint %d: %v", len(again), r.sizeHint(), err)
		}
		same, err := ParseRecord(again)
		if err != nil {
			t.Fatalf("cannot be read again: %v", err)
		}
		if third, err := same.MarshalBinary(); err != nil || !bytes.Equal(again, third) {
			t.Errorf("%x became %x, %v", again, third, err)
		}
	})
}

// walk visits all that is in r, as handlers and sealers would.
func walk(t *testing.T, r *Record, size int) {
	total, n := 0, 0
	alloctest.Bound(t, 4*size+slack, func() {
		total, n = 0, 0
		for key, raw := range r.Values() {
			total += len(key) + len(raw)
			_ = r.value(key)
		}
		r.eachFlash(func(f flash) bool {
			total, n = total+len(f.kind)+len(f.payload), n+1
			return true
		})
	})
	if total > size || n != r.flashCount() || r.size() > size+len(emptySection)*2 {
		t.Errorf("%d bytes of values and %d flashes, of %d said, size %d, in %d bytes", total, n, r.flashCount(), r.size(), size)
	}
	copied := r.WithContent(r.Values(), r.StoredFlashes())
	if _, err := copied.MarshalBinary(); err != nil {
		t.Error(err)
	}
}

// entryStore answers every Load with the same data.
type entryStore struct {
	Store
	data []byte
}

func (s entryStore) Load(context.Context, ID) (Entry, error) {
	return Entry{Data: s.data, User: "ann", Version: 1, Expires: testNow.Add(time.Hour)}, nil
}

// FuzzSEC46Entry: whatever a store has under an ID, the token gets its session or a
// known kind of error, and never a session of another secret.
func FuzzSEC46Entry(f *testing.F) {
	scope := Scope{Namespace: "shop", Name: "__Host-session", Purpose: "session"}
	id, sec := ID{1, 2, 3, 4, 5}, secret{7}
	h := &serverHandle{id: id, current: hashSecret(scope, id, sec)}
	late := &serverHandle{id: id, current: hash{9}, previous: h.current, rotated: testNow.UnixMilli()}
	other := &serverHandle{id: id, current: hash{9}, previous: hash{8}, rotated: -1}
	for _, h := range []*serverHandle{h, late, other} {
		good := h.seal(fuzzRecord())
		f.Add(good)
		f.Add(good[:len(good)-3])
		f.Add(append([]byte{2}, good[1:]...))
		f.Add(append([]byte{0}, good[1:]...))
	}
	stranger := fuzzRecord()
	stranger.ID = ID{9, 9, 9, 9, 9}
	f.Add(h.seal(stranger))
	f.Add([]byte{0x81})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		b := &serverSide{store: entryStore{data: data}, now: func() time.Time { return testNow }}
		for _, load := range []func() (LoadResult, error){
			func() (LoadResult, error) { return b.Load(t.Context(), scope, Tokens{Session: formatToken(id, sec)}) },
			func() (LoadResult, error) { return b.LoadID(t.Context(), id) },
		} {
			var l LoadResult
			var err error
			alloctest.Bound(t, len(data)+slack, func() { l, err = load() })
			switch {
			case errors.Is(err, ErrNotFound), errors.Is(err, ErrCorrupt), errors.Is(err, ErrNewerVersion), errors.Is(err, errOtherID):
				if l.Handle != nil {
					t.Errorf("%v, with a session", err)
				}
			case err != nil:
				t.Errorf("an error of no kind: %v", err)
			case l.Superseded:
				if len(l.Record.values)+len(l.Record.flashes) > 0 || !bytes.Contains(data, h.current[:]) {
					t.Errorf("superseded, but it is not in %x", data)
				}
			case l.Record.ID != id || l.Record.move.hidden():
				t.Errorf("another session: %v", l.Record.ID)
			case !l.Handle.(*serverHandle).byID && !bytes.Equal(data[1:entryShort], h.current[:]):
				t.Errorf("the hash does not match: %x", data)
			}
		}
	})
}
