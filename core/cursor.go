package core

import (
	"encoding/binary"
	"math"
)

// cursor reads the record format. At the end of its bytes, or at a malformed number,
// it turns bad and returns zeros from then on.
type cursor struct {
	buf []byte
	bad bool
}

func (c *cursor) fail() {
	c.buf, c.bad = nil, true
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.buf)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.buf = c.buf[n:]
	return v
}

// count reads the number of members of a section; an empty section may be nil.
func (c *cursor) count() uint64 {
	if len(c.buf) == 0 {
		return 0
	}
	return c.uvarint()
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.buf)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.buf = c.buf[n:]
	return v
}

// span reads what appendSpan wrote.
func (c *cursor) span() int64 {
	v := c.varint()
	n := v >> 1
	if v&1 == 0 {
		return n
	}
	const most = math.MaxInt64 / 2 / spanUnit
	if n < -most || n > most {
		c.fail()
		return 0
	}
	return n * spanUnit
}

func (c *cursor) bytes() []byte {
	n := c.uvarint()
	if n > uint64(len(c.buf)) {
		c.fail()
		return nil
	}
	return c.take(int(n))
}

// take reads n bytes. The caller has checked that they exist.
func (c *cursor) take(n int) []byte {
	b := c.buf[:n:n]
	c.buf = c.buf[n:]
	return b
}

// section checks a counted list and returns its bytes. The function item skips one
// member.
func (c *cursor) section(item func()) []byte {
	start := c.buf
	n := c.uvarint()
	if n > uint64(len(c.buf)) { // every member has at least one byte
		c.fail()
	}
	for ; n > 0 && !c.bad; n-- {
		item()
	}
	if c.bad {
		return nil
	}
	return start[: len(start)-len(c.buf) : len(start)-len(c.buf)]
}
