package modeltest

import (
	"context"
	"errors"
	"slices"

	"github.com/satchel-go/satchel/core"
)

// reserved is called for every reservation.
func (m *model) reserved(c call, user string, limit int, end []core.ID, err error) {
	t := &c.a.act
	t.tried = true
	if errors.Is(err, core.ErrSessionLimit) {
		if t.evicted[c.id] {
			return // what was pushed out is not put back
		}
		m.mayRefuse(c, user, limit)
		t.full = true
		return
	}
	if err != nil {
		return
	}
	t.full = false
	first := t.places[place{user, c.id}] == 0 && !t.evicted[c.id] // otherwise it is put back
	t.putBack = t.putBack || !first
	if limit == 0 && m.w.schedule.setup.limit > 0 && (!t.committing || !first) {
		m.reindexed = true
	}
	if t.places == nil {
		t.places, t.evicted, t.notTheirs = map[place]int{}, map[core.ID]bool{}, map[core.ID]bool{}
	}
	for _, id := range end {
		m.madeRoom(place{user, id}, c.id, limit, end)
		m.withdraw(user, id)
		delete(m.lapses, place{user, id})
		t.evicted[id] = true
		r := m.session(id)
		if r == nil {
			if !m.isStored(id) {
				m.end(id, false) // it had expired
			}
			continue
		}
		// It may still be anonymous, and about to become user's.
		if r.user != user && m.places[place{user, id}] == nil || m.w.schedule.setup.limit == 0 || m.w.schedule.setup.refuse {
			violate("I1", "%s had to make room for a login of %s", m.name(id), user)
		}
		m.w.counts["sessions that made room for a login"]++
		if !m.isStored(id) {
			m.end(id, false) // this store deletes what it takes out of the index
		}
	}
	if t.targets != nil {
		m.withdraw(user, c.id) // a revocation failed half-way, and puts back what it may have taken
	}
	p := place{user, c.id}
	t.places[p], m.places[p], m.entered[p] = m.w.steps, c.a, m.w.steps
	t.since = m.w.clock
	m.lapses[p] = m.w.clock.Add(reservationTime)
}

// madeRoom checks that the session at p had to go for the login in id: as many as the limit are there
// with that login, and none of them is older.
func (m *model) madeRoom(p place, id core.ID, limit int, end []core.ID) {
	if m.session(p.id) == nil || m.withdrawn[p] > 0 {
		return // an earlier login has pushed it out, and failed
	}
	stay := map[core.ID]bool{id: true}
	for other, r := range m.sessions {
		if r.user != p.user || other == id || !r.landed || m.session(other) == nil || slices.Contains(end, other) || m.withdrawn[place{p.user, other}] > 0 {
			continue
		}
		stay[other] = true
		if m.entered[place{p.user, other}] < m.entered[p] {
			violate("I1", "%s had to make room, and %s is older", m.name(p.id), m.name(other))
		}
	}
	for q, until := range m.lapses {
		if q.user == p.user && m.w.clock.Before(until) && !slices.Contains(end, q.id) {
			stay[q.id] = true
		}
	}
	if len(stay) < limit {
		violate("I1", "%s had to make room for the %d of a limit of %d", m.name(p.id), len(stay), limit)
	}
}

// mayRefuse checks that a login had to be refused: as many as the limit are the user's other
// sessions, or another login has a place that has neither been taken away nor lapsed.
func (m *model) mayRefuse(c call, user string, limit int) {
	c.a.act.crowded = false
	others := map[core.ID]bool{}
	for p, until := range m.lapses {
		if p.user != user || p.id == c.id || !m.w.clock.Before(until) {
			continue
		}
		r := m.sessions[p.id]
		ending := r != nil && r.user == user && r.gone // and whoever ends it has yet to take it out of the index
		if m.places[p] != c.a || c.a.act.places[p] == 0 || ending {
			c.a.act.crowded = true
			others[p.id] = true
		}
	}
	for id, r := range m.sessions {
		if r.user == user && !r.gone && id != c.id && (m.w.clock.Before(r.kept()) || r.lingers(m.w.clock)) {
			others[id] = true
		}
	}
	if len(others) < limit {
		violate("I1", "%s has %d other sessions, and too many for a limit of %d", user, len(others), limit)
	}
}

// mustBeFull checks that a login which was refused had a living session or another
// login in its way (promises I1, T1).
func (m *model) mustBeFull(a *actor, user string) {
	for _, r := range m.sessions {
		if r.user == user && a.act.began.Before(r.expires) {
			return
		}
	}
	if !a.act.crowded {
		violate("I1", "%s was refused, and has no living session", user)
	}
}

// exact checks the limit when a login has succeeded.
func (m *model) exact(user string) {
	limit, n := m.w.schedule.setup.limit, 0
	for id, r := range m.sessions {
		if r.user == user && r.landed && r.live(m.w.clock) && !m.ending(nil, place{user, id}) {
			n++
		}
	}
	if limit > 0 && n > limit && !m.reindexed {
		violate("I1", "%s has %d sessions, and the limit is %d", user, n, limit)
	}
}

// shaky notes that putting a session back into the index went wrong, if an earlier call has used up
// the time, for example.
func (m *model) shaky(c call, user string, err error) {
	wrong := c.fault != "" || errors.Is(err, context.DeadlineExceeded)
	if r := m.session(c.id); wrong && r != nil && r.user == user {
		m.unindexed[c.id] = true
	}
}

// confirmed is called for every confirmation.
func (m *model) confirmed(c call, user string, err error) {
	t := &c.a.act
	if !errors.Is(err, core.ErrNotFound) {
		return
	}
	since, reserved := t.places[place{user, c.id}]
	lapsed := m.w.clock.Sub(t.since) >= reservationTime
	if reserved && !lapsed && t.saved == c.id && m.withdrawn[place{user, c.id}] < since {
		violate("I1", "a login of %s lost its place for no reason", user)
	}
	t.dropped = t.dropped || c.fault != loses
}

// released is called for every release.
func (m *model) released(c call, user string, err error) {
	if err == nil {
		m.withdraw(user, c.id)
		delete(m.lapses, place{user, c.id})
	}
}

// listed is called for every look at a user's sessions. For a revocation, that is
// the moment at which it happens.
func (m *model) listed(c call, user string, ids []core.ID, err error) {
	t := &c.a.act
	if err != nil || t.targets == nil || t.named {
		return
	}
	for _, id := range ids {
		if id != t.except {
			t.targets[id] = true
		}
	}
	if t.listed {
		return // the revocation looks again, but the first look counts
	}
	t.listed = true
	for _, id := range m.order {
		if r := m.session(id); r != nil && r.user == user && r.landed && !r.orphan && id != t.except && !m.unindexed[id] && !m.ending(c.a, place{user, id}) {
			t.victims = append(t.victims, id)
		}
	}
	m.logins(c.a, user)
}

// mended is called for every attempt to put a session back into the index.
func (m *model) mended(user string, id core.ID, lost bool, err error) {
	r := m.session(id)
	if err != nil || r == nil || r.user != user || !r.landed {
		return
	}
	delete(m.unindexed, id)
	if lost {
		m.entered[place{user, id}] = m.w.steps
		m.w.counts["sessions that were put back into the index"]++
	}
}

// searched is called for every search of the whole store for a user's sessions.
func (m *model) searched(c call, ids []core.ID, err error) {
	if t := &c.a.act; err == nil && t.targets != nil && !t.named {
		for _, id := range ids {
			if id != t.except {
				t.targets[id] = true
			}
		}
	}
	m.w.counts["searches for what the index has lost"]++
}

// ending reports whether another revocation is about to end the session at p. If
// that fails, its own caller learns of it.
func (m *model) ending(except *actor, p place) bool {
	for _, a := range m.w.actors {
		if a != except && a.act.targets[p.id] && m.withdrawn[p] > 0 {
			return true
		}
	}
	return false
}

// logins notes the logins in flight, which a revocation must reach too.
func (m *model) logins(a *actor, user string) {
	for _, b := range m.w.actors {
		for p := range b.act.places {
			if b != a && b.act.committing && (user == "" || p.user == user) && p.id != a.act.except && !b.act.undone {
				a.act.inFlight = append(a.act.inFlight, commitOf{b, b.commits})
				break
			}
		}
	}
}

// deletedAll is called for the deletion of everything.
func (m *model) deletedAll(c call, err error) {
	if err != nil {
		return
	}
	c.a.act.listed = true
	m.logins(c.a, "")
	for _, id := range m.order {
		if m.session(id) != nil {
			c.a.act.victims = append(c.a.act.victims, id)
		}
		m.end(id, c.a.mayAge())
		if m.isStored(id) {
			violate("I2", "all were deleted, and %s still exists", m.name(id))
		}
	}
	for _, a := range m.w.actors {
		for p := range a.act.places {
			m.withdraw(p.user, p.id)
		}
	}
	clear(m.lapses)
}

// revoked checks a successful revocation: none of its sessions is left, and no
// login in progress survives it (promise I2).
func (m *model) revoked(t *act) {
	for _, id := range t.victims {
		if m.session(id) != nil {
			violate("I2", "%s was revoked, and still lives", m.name(id))
		}
	}
	for _, f := range t.inFlight {
		if len(f.a.results) < f.commits {
			f.a.act.doomed = true // it has not ended yet
		} else if id := f.a.results[f.commits-1]; m.session(id) != nil {
			violate("I2", "a login in flight survived a revocation, as %s", m.name(id))
		}
	}
	m.w.counts["revocations"]++
	m.w.counts["logins in flight across a revocation"] += len(t.inFlight)
}

// spared reports whether the login of a may survive a revocation. Either another
// login has since taken the same place and survives too, so that the two cannot be
// told apart. Or places are limited, and the login had to give its place back
// before it took a new one.
func (m *model) spared(a *actor) bool {
	for p := range a.act.places {
		if m.places[p] != a || m.w.schedule.setup.limit > 0 && p.id != a.act.saved {
			return true
		}
	}
	return false
}

// indexed checks a list of a user's sessions.
func (m *model) indexed(user string, infos []core.Info) {
	for _, id := range m.order {
		r := m.session(id)
		if r == nil || r.user != "" && !r.landed || r.orphan || m.unindexed[id] {
			continue
		}
		if has := lists(infos, id); has != (r.user == user) {
			violate("I2", "%s of %q, in the list of %s: %v", m.name(id), r.user, user, has)
		}
	}
}
