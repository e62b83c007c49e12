package filestore

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// FuzzLog opens whatever a log may have: it is refused as it is, or opened; then it opens
// again with the same sessions.
func FuzzLog(f *testing.F) {
	d, _ := grown(f, 3)
	whole := d.content(logName(1))
	f.Add(whole, uint16(0), byte(0))
	f.Add(whole, uint16(headerSize+10), byte(1))
	f.Add(whole[:len(whole)-3], uint16(0), byte(0))
	f.Add(whole[:headerSize], uint16(0), byte(0))
	f.Fuzz(func(t *testing.T, raw []byte, at uint16, flip byte) {
		raw = bytes.Clone(raw)
		if int(at) < len(raw) {
			raw[at] ^= flip
		}
		d := newSimDisk()
		d.put(logName(1), raw)
		c := Config{Logger: quiet, SweepInterval: -1, Now: func() time.Time { return time.Unix(1<<34, 0) }}
		s, err := openFiles(d, "/sim", c, swift)
		if err != nil {
			if !bytes.Equal(d.content(logName(1)), raw) {
				t.Error("a refused log was changed")
			}
			return
		}
		n := s.Len()
		shut(t, s)
		if s, err = openFiles(d, "/sim", c, swift); err != nil || s.Len() != n {
			t.Fatalf("the second Open: %v, want %d sessions", err, n)
		}
		shut(t, s)
	})
}

// FuzzRecords reads whatever a frame with a right checksum may have.
func FuzzRecords(f *testing.F) {
	var e encoder
	e.Put(sessionID(1), core.Entry{Data: []byte("data"), User: "alice", Version: 3, Expires: time.Unix(1<<31, 5)})
	e.Touch(sessionID(1), 3, time.Unix(-1, 999_999_999))
	e.Member("alice", sessionID(1), 2)
	e.Mark("alice", 9, time.Unix(5, 0))
	e.Release("bob", sessionID(2))
	e.Delete(sessionID(2))
	f.Add(e.buf)
	e.DeleteAll()
	e.end()
	f.Add(e.buf)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var again encoder
		d := decoder{to: &again}
		err := d.read(raw)
		if err != nil && !errors.Is(err, errMalformed) {
			t.Errorf("error %v", err)
		}
		if len(again.buf) > len(raw)+10 {
			t.Errorf("%d bytes from %d", len(again.buf), len(raw))
		}
		// What was read is written and read as the same.
		var third encoder
		if err := (&decoder{to: &third}).read(again.buf); err != nil || !bytes.Equal(third.buf, again.buf) {
			t.Errorf("read again: %v, %d bytes of %d", err, len(third.buf), len(again.buf))
		}
	})
}
