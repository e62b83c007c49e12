package core

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
)

// plan is what a commit is about to store.
type plan struct {
	next     Record
	changed  bool
	numbers  []uint64 // of the added flashes, zero for those that are not stored
	flashes  int      // how many flashes next has
	shed     int      // how many unread flashes had to make room
	newToken bool
}

// plan works out what this request's changes make of the base.
func (s *Session) plan(shows bool, maxFlashes int, id *ID) (p plan, err error) {
	now := s.m.config.Now().Truncate(time.Millisecond)
	values, valuesChanged, err := s.planValues()
	if err != nil {
		return p, err
	}
	flashes, flashesChanged := s.planFlashes(&p, shows, maxFlashes)
	if s.stored {
		remember := s.remember != unset && (s.remember == yes) != s.base.Remembered
		p.changed = valuesChanged || flashesChanged || s.login != "" || s.renew || remember || s.timeouts != nil
		p.newToken = s.renew || remember
	} else {
		p.changed = len(values) > 1 || p.flashes > 0 || s.login != ""
		p.newToken = true
	}
	if !p.changed {
		return p, nil
	}
	if !s.stored && id.IsZero() {
		if *id, err = newID(s.m.config.Rand); err != nil {
			return p, err
		}
	}
	s.planHeader(&p.next, now, *id)
	p.next.values, p.next.flashes = values, flashes
	p.next.nextFlash = s.base.nextFlash
	for _, n := range p.numbers {
		p.next.nextFlash = max(p.next.nextFlash, n+1)
	}
	return p, nil
}

// planHeader fills in identity and times.
func (s *Session) planHeader(next *Record, now time.Time, newID ID) {
	*next = s.base
	next.SavedAt = now
	begun := now
	if least := time.UnixMilli(s.m.notBefore.Load()); begun.Before(least) {
		begun = least // what begins after RevokeAll is not before it
	}
	restart := !s.stored // of the absolute lifetime
	if !s.stored {
		next.ID, next.CreatedAt = newID, begun
	}
	if s.login != "" {
		next.User, next.AuthenticatedAt, next.Remembered = s.login, begun, false
		next.idle, next.lifetime = 0, 0
		restart = true
	}
	if restart && s.m.config.Describe != nil && s.ex != nil {
		next.Label = shorten(s.m.config.Describe(s.ex), maxLabel)
	}
	if s.remember != unset {
		next.Remembered = s.remember == yes
	}
	if s.timeouts != nil {
		next.idle, next.lifetime = s.timeouts.Idle, s.timeouts.Lifetime
	}
	if restart || s.remember != unset || s.timeouts != nil {
		next.Deadline = time.Time{}
		if life := s.m.config.timeouts(next).Lifetime; life != NoTimeout {
			next.Deadline = next.Begun().Add(life)
			if restart {
				next.Deadline = now.Add(life)
			}
		}
	}
	if keep := s.stored && s.noTouch && s.login == "" && s.remember == unset && s.timeouts == nil; !keep {
		next.Expires = s.m.config.expiry(next, now)
	}
}

// planValues returns the values section after this request's changes, and
// whether it differs from the base's.
func (s *Session) planValues() (section []byte, changed bool, err error) {
	base := &s.base
	if s.cleared {
		changed = s.clears()
		base = &Record{}
	}
	size := 1 + len(base.values)
	for i := range s.changes {
		c := &s.changes[i]
		if c.err != nil {
			continue
		}
		if c.raw, err = c.applyTo(base.value(c.key)); err != nil {
			return nil, false, err
		}
		old := s.base.value(c.key)
		changed = changed || (old == nil) != (c.raw == nil) || !bytes.Equal(old, c.raw)
		size += len(c.key) + len(c.raw) + 2*binary.MaxVarintLen32
	}
	if !changed {
		return s.base.values, false, nil
	}
	buf := make([]byte, 1, size)
	count := uint64(0)
	c := cursor{buf: base.values}
	for range c.count() {
		key, raw := c.bytes(), c.bytes()
		if !slices.ContainsFunc(s.changes, func(c change) bool { return c.key == string(key) }) {
			buf = appendString(buf, key)
			buf = appendString(buf, raw)
			count++
		}
	}
	for i := range s.changes {
		if s.changes[i].raw != nil {
			buf = appendString(buf, s.changes[i].key)
			buf = appendString(buf, s.changes[i].raw)
			count++
		}
	}
	return withCount(buf, count), true, nil
}

// clears reports whether the base has a value that Clear removes for good.
func (s *Session) clears() bool {
	for key := range s.base.Values() {
		if !slices.ContainsFunc(s.changes, func(c change) bool { return c.key == key }) {
			return true
		}
	}
	return false
}

// withCount puts the number of members in front of a section that was built
// with one byte left for it.
func withCount(buf []byte, count uint64) []byte {
	if count < 0x80 {
		buf[0] = byte(count)
		return buf
	}
	return append(binary.AppendUvarint(make([]byte, 0, len(buf)+2), count), buf[1:]...)
}

// planFlashes returns the flashes section after this request, and whether it
// differs from the base's.
func (s *Session) planFlashes(p *plan, shows bool, most int) (section []byte, changed bool) {
	if len(s.added) == 0 && (len(s.taken) == 0 || !shows) && s.base.flashCount() <= most {
		p.flashes = s.base.flashCount()
		return s.base.flashes, false
	}
	now := s.m.config.Now()
	var unread []flash
	s.base.eachFlash(func(f flash) bool {
		if shows && slices.Contains(s.taken, f.number) {
			changed = true
		} else if f.expired(now) {
			changed = true
		} else {
			unread = append(unread, f)
		}
		return true
	})
	p.numbers = make([]uint64, len(s.added))
	number := s.base.nextFlash
	for i, f := range s.added {
		if f.taken && shows {
			continue
		}
		f.number = number
		p.numbers[i] = number
		number++
		unread = append(unread, f)
		changed = true
	}
	if p.shed = max(0, len(unread)-most); p.shed > 0 {
		unread = unread[p.shed:]
		changed = true
	}
	p.flashes = len(unread)
	if !changed {
		return s.base.flashes, false
	}
	buf := make([]byte, 1, 64*(1+len(unread)))
	for i := range unread {
		buf = unread[i].appendTo(buf)
	}
	return withCount(buf, uint64(len(unread))), true
}
