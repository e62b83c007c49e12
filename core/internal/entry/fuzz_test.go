package entry

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// slack is what parsing may allocate for any input: its result and an error.
const slack = 2 << 10

// FuzzSEC46Entry: reading returns what was written, and copies only the user's
// name.
func FuzzSEC46Entry(f *testing.F) {
	expires := time.UnixMilli(1_900_000_000_123)
	for _, e := range []core.Entry{
		{Data: []byte("data"), Expires: expires}, {Data: []byte("data"), Expires: expires, User: "ann"}, {User: strings.Repeat("u", 300)}, {},
	} {
		good := Append(nil, &e, 7)
		f.Add(good)
		f.Add(good[:len(good)-1])
	}
	head := Append(nil, &core.Entry{User: "ann"}, 7)[:HeadLength]
	f.Add(append(bytes.Clone(head), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 'a'))
	f.Add(append(bytes.Clone(head), 0xff, 0xff, 0xff, 0xff, 0x0f, 'a'))
	f.Add(append([]byte{WithUser + 1}, head[1:]...))
	f.Add([]byte("not a session, but a text of another program"))
	f.Fuzz(func(t *testing.T, value []byte) {
		var e core.Entry
		var err error
		alloctest.Bound(t, len(value)+slack, func() { e, err = Parse(value) })
		if err != nil {
			if !errors.Is(err, core.ErrCorrupt) && !errors.Is(err, core.ErrNewerVersion) || e.Data != nil || e.User != "" {
				t.Errorf("%v with %v", err, e)
			}
			return
		}
		if len(e.User)+len(e.Data) > len(value) {
			t.Errorf("%d and %d bytes of %d", len(e.User), len(e.Data), len(value))
		}
		again := Append(nil, &e, e.Version)
		same, err := Parse(again)
		if err != nil || len(again) > Size(&e) || same.User != e.User || !bytes.Equal(same.Data, e.Data) ||
			same.Version != e.Version || !same.Expires.Equal(e.Expires) {
			t.Errorf("%x became %x: %v", value, again, err)
		}
		SetExpiry(again, expires)
		if moved, err := Parse(again); err != nil || moved.User != e.User || !bytes.Equal(moved.Data, e.Data) || moved.Version != e.Version || !moved.Expires.Equal(expires) {
			t.Errorf("%x with another expiry became %x: %v", value, again, err)
		}
		SetExpiry(again, e.Expires)
		if value[0] == plain && !bytes.Equal(again, value) {
			t.Errorf("%x was written as %x", value, again)
		}
	})
}
