package core

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// plan is what a commit is about to store.
type plan struct {
	next     Record
	changed  bool
	numbers  []uint64 // of the added flashes; unnumbered for those that are not stored
	flashes  int      // number of flashes in next
	evicted  int      // number of unread flashes dropped to make room
	newToken bool
	cookie   bool   // the client is sent the token that it has, for longer
	token    string // that it is sent
}

// unnumbered is no flash's number: they count from zero.
const unnumbered = ^uint64(0)

// plan applies this request's changes to the base.
func (s *Session) plan(shows bool, maxFlashes int, id *ID) (p plan, err error) {
	now := s.m.config.Now().Truncate(time.Millisecond)
	values, valuesChanged, err := s.planValues()
	if err != nil {
		return p, err
	}
	flashes, flashesChanged := s.planFlashes(&p, shows, maxFlashes)
	if s.stored {
		remember := s.changesRemember()
		p.newToken = s.renew || remember && s.m.config.Carrier == (Carrier{}) // the cookie itself changes
		p.changed = valuesChanged || flashesChanged || s.login != "" || p.newToken || remember || s.timeouts != nil
	} else {
		p.newToken = true
		p.changed = len(values) > 1 || p.flashes > 0 || s.login != ""
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
	p.cookie = !p.newToken && (s.cookieDue(now) || s.movesCookie(&p.next))
	s.planRight(&p.next, p.newToken || p.cookie)
	p.next.values, p.next.flashes = values, flashes
	p.next.nextFlash = s.base.nextFlash
	for _, n := range p.numbers {
		if n != unnumbered {
			p.next.nextFlash = max(p.next.nextFlash, n+1)
		}
	}
	return p, nil
}

// changesRemember reports whether Remember changes whether the cookie outlives the
// browser.
func (s *Session) changesRemember() bool {
	return s.remember != unset && (s.remember == yes) != s.base.Remembered
}

// movesCookie reports whether the client's cookie is to follow next's timeouts. After
// the header it cannot, which matters only where they prolong the session. Before, it
// always does: a job may have prolonged the session, and a response may have been lost.
func (s *Session) movesCookie(next *Record) bool {
	if s.m.config.Carrier != (Carrier{}) || s.m.traits.ClientSide || s.timeouts == nil || s.token == "" || !next.Remembered {
		return false
	}
	return !s.sent || !s.base.Deadline.IsZero() && (next.Deadline.IsZero() || next.Deadline.After(s.base.Deadline))
}

// planHeader fills in next's identity, deadline and expiry.
func (s *Session) planHeader(next *Record, now time.Time, newID ID) {
	*next = s.base
	next.SavedAt, next.adopted = now, false
	next.seen, next.uncut = time.Time{}, time.Time{}
	if s.m.traits.ClientSide && !now.After(s.base.SavedAt) {
		// Of two records of one session, the later save counts, whatever the clocks of
		// the two servers say.
		next.SavedAt = s.base.SavedAt.Add(time.Millisecond)
	}
	s.planIdentity(next, now, newID)
	next.Deadline = s.planDeadline(next, now)
	next.Expires = s.planExpiry(next, now)
}

// planRight notes when the client was last given the session's token, unless next's
// login tells that.
func (s *Session) planRight(next *Record, newToken bool) {
	if s.login != "" || s.reauthenticate {
		next.move.renewed = 0
	}
	if before := s.base.entitled(); s.stored && newToken && next.entitled() <= before {
		next.move.renewed = max(next.SavedAt.UnixMilli(), before+1)
	}
}

// begins reports whether the absolute lifetime begins with this commit.
func (s *Session) begins() bool { return !s.stored || s.login != "" || s.reauthenticate }

// retimed reports whether the request has changed the session's timeouts.
func (s *Session) retimed() bool { return s.remember != unset || s.timeouts != nil }

// planIdentity fills in the session's ID, user, label, beginning and timeouts.
func (s *Session) planIdentity(next *Record, now time.Time, newID ID) {
	begun := now
	if least := time.UnixMilli(s.m.notBefore.Load()); begun.Before(least) {
		begun = least // a session that begins after RevokeAll must not date from before it
	}
	if !s.stored {
		next.ID, next.CreatedAt = newID, begun
	}
	if s.login != "" {
		next.User, next.AuthenticatedAt, next.Remembered = s.login, begun, false
		next.idle, next.lifetime = 0, 0
	}
	if s.reauthenticate && next.User != "" {
		next.AuthenticatedAt = begun
	}
	if ex := s.exchange(); s.begins() && s.m.config.Describe != nil && ex != nil {
		next.Label = strings.Clone(shorten(s.m.config.Describe(ex), maxLabel))
	}
	if s.remember != unset {
		next.Remembered = s.remember == yes
	}
	if s.timeouts != nil {
		next.idle, next.lifetime = s.timeouts.Idle, s.timeouts.Lifetime
	}
}

// planDeadline returns the end of the absolute lifetime, or zero if there is none.
func (s *Session) planDeadline(next *Record, now time.Time) time.Time {
	if !s.begins() && !s.retimed() {
		return s.base.Deadline
	}
	life := s.m.config.timeouts(next).Lifetime
	switch {
	case life == NoTimeout:
		return time.Time{}
	case s.begins():
		return now.Add(life)
	}
	return next.begun().Add(life)
}

// planExpiry returns when the session ends unless it is used before.
func (s *Session) planExpiry(next *Record, now time.Time) time.Time {
	if s.keepsExpiry() {
		return s.base.Expires
	}
	return s.m.config.expiry(next, now)
}

// keepsExpiry reports whether this commit leaves the expiry as it is.
func (s *Session) keepsExpiry() bool {
	return s.noTouch && !s.begins() && !s.retimed()
}

// planValues returns the values section after this request's changes, and reports
// whether it differs from the base's.
func (s *Session) planValues() (section []byte, changed bool, err error) {
	base, index := &s.base, &s.index
	if s.cleared {
		changed = s.clears()
		base, index = &Record{}, &valueIndex{}
	}
	size := 1 + len(base.values)
	for i := range s.changes {
		c := &s.changes[i]
		if c.err != nil {
			continue
		}
		if c.raw, err = c.applyTo(index.value(base, c.key)); err != nil {
			return nil, false, err
		}
		old := s.index.value(&s.base, c.key)
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
		if find(&s.intent, key) < 0 {
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

// clears reports whether the base has a value that the request has cleared and not
// set again.
func (s *Session) clears() bool {
	for key := range s.base.Values() {
		if find(&s.intent, key) < 0 {
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

// planFlashes returns the flashes section after this request, and reports whether
// it differs from the base's.
func (s *Session) planFlashes(p *plan, shows bool, most int) (section []byte, changed bool) {
	keeps := len(s.added) == 0 && (len(s.consumed) == 0 || !shows)
	if keeps && (s.base.flashCount() <= most || !s.changed()) { // a request that only reads drops none
		p.flashes = s.base.flashCount()
		return s.base.flashes, false
	}
	now := s.m.config.Now()
	var unread []flash
	s.base.eachFlash(func(f flash) bool {
		if shows && slices.Contains(s.consumed, f.number) {
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
		if f.consumed && shows || f.expired(now) { // which must not push out another
			p.numbers[i] = unnumbered
			continue
		}
		f.number = number
		p.numbers[i] = number
		number++
		unread = append(unread, f)
		changed = true
	}
	if p.evicted = max(0, len(unread)-most); p.evicted > 0 {
		unread = unread[p.evicted:]
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
