package filestore

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/journal"
)

// The kinds of records. What follows each is what encoder appends.
const (
	kindPut = 1 + iota
	kindTouch
	kindDelete
	kindDeleteAll
	kindMember
	kindRelease
	kindMark
	kindEnd // the last record of a snapshot, with the number of those before
)

// encoder appends what it is told as records.
type encoder struct {
	buf   []byte
	count uint64 // of records
}

var _ journal.Journal = (*encoder)(nil)

func (e *encoder) kind(k byte) {
	e.buf = append(e.buf, k)
	e.count++
}

func (e *encoder) id(id core.ID)   { e.buf = append(e.buf, id[:]...) }
func (e *encoder) number(n uint64) { e.buf = binary.AppendUvarint(e.buf, n) }

// time appends any time that there is, to the nanosecond.
func (e *encoder) time(t time.Time) {
	e.buf = binary.AppendVarint(e.buf, t.Unix())
	e.number(uint64(t.Nanosecond()))
}

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	e.buf = append(e.buf, s...)
}

// Put implements [journal.Journal], as do the other methods.
func (e *encoder) Put(id core.ID, entry core.Entry) {
	e.kind(kindPut)
	e.id(id)
	e.number(uint64(entry.Version))
	e.time(entry.Expires)
	e.text(entry.User)
	e.number(uint64(len(entry.Data)))
	e.buf = append(e.buf, entry.Data...)
}

func (e *encoder) Touch(id core.ID, v core.Version, expires time.Time) {
	e.kind(kindTouch)
	e.id(id)
	e.number(uint64(v))
	e.time(expires)
}

func (e *encoder) Delete(id core.ID) {
	e.kind(kindDelete)
	e.id(id)
}

func (e *encoder) Expire(id core.ID) { e.Delete(id) }

func (e *encoder) DeleteAll() { e.kind(kindDeleteAll) }

func (e *encoder) Member(user string, id core.ID, tick uint64) {
	e.kind(kindMember)
	e.id(id)
	e.number(tick)
	e.text(user)
}

func (e *encoder) Release(user string, id core.ID) {
	e.kind(kindRelease)
	e.id(id)
	e.text(user)
}

func (e *encoder) Mark(user string, tick uint64, until time.Time) {
	e.kind(kindMark)
	e.number(tick)
	e.time(until)
	e.text(user)
}

func (e *encoder) end() {
	n := e.count
	e.kind(kindEnd)
	e.number(n)
}

var errMalformed = errors.New("a malformed record")

// decoder reads records and tells a journal.
type decoder struct {
	to    journal.Journal
	count uint64 // of records before the end
	ended bool   // the end of a snapshot was read
}

// read reads the records of one frame. It keeps nothing of buf.
func (d *decoder) read(buf []byte) error {
	c := cursor{buf: buf}
	for len(c.buf) > 0 {
		if d.ended {
			return errMalformed
		}
		d.record(&c)
		if c.bad {
			return errMalformed
		}
	}
	return nil
}

// record reads one record. Nothing is told of a bad one.
func (d *decoder) record(c *cursor) {
	tell := func(f func()) {
		if !c.bad {
			f()
		}
	}
	switch kind := c.take(1)[0]; kind {
	case kindPut:
		id, v, expires := c.id(), core.Version(c.number()), c.time()
		user, data := string(c.bytes()), c.bytes()
		c.bad = c.bad || v == 0
		tell(func() {
			d.to.Put(id, core.Entry{Data: append(make([]byte, 0, len(data)), data...), Expires: expires, User: user, Version: v})
		})
	case kindTouch:
		id, v, expires := c.id(), core.Version(c.number()), c.time()
		tell(func() { d.to.Touch(id, v, expires) })
	case kindDelete:
		id := c.id()
		tell(func() { d.to.Delete(id) })
	case kindDeleteAll:
		d.to.DeleteAll()
	case kindMember:
		id, tick, user := c.id(), c.number(), string(c.bytes())
		tell(func() { d.to.Member(user, id, tick) })
	case kindRelease:
		id, user := c.id(), string(c.bytes())
		tell(func() { d.to.Release(user, id) })
	case kindMark:
		tick, until, user := c.number(), c.time(), string(c.bytes())
		tell(func() { d.to.Mark(user, tick, until) })
	case kindEnd:
		d.ended = true
		c.bad = c.number() != d.count || c.bad
		return
	default:
		c.bad = true
	}
	d.count++
}

// cursor takes the parts of records from the front of buf. After a bad part all are
// empty.
type cursor struct {
	buf []byte
	bad bool
}

// take returns the next n bytes; if they are not there, zeros for a small n.
func (c *cursor) take(n uint64) []byte {
	if c.bad || n > uint64(len(c.buf)) {
		c.bad = true
		return make([]byte, min(n, uint64(len(core.ID{}))))
	}
	taken := c.buf[:n]
	c.buf = c.buf[n:]
	return taken
}

func (c *cursor) id() core.ID   { return core.ID(c.take(uint64(len(core.ID{})))) }
func (c *cursor) bytes() []byte { return c.take(c.number()) }

func (c *cursor) number() uint64 {
	n, size := binary.Uvarint(c.buf)
	return n * c.skip(size)
}

func (c *cursor) time() time.Time {
	sec, size := binary.Varint(c.buf)
	sec *= int64(c.skip(size))
	nsec := c.number()
	if nsec >= 1e9 {
		c.bad = true
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec))
}

// skip passes over a number of this size. It returns 0 if it is bad, else 1.
func (c *cursor) skip(size int) uint64 {
	if c.bad || size <= 0 {
		c.bad = true
		return 0
	}
	c.buf = c.buf[size:]
	return 1
}
