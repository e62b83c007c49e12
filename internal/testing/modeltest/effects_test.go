package modeltest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// loaded is called for every load.
func (m *model) loaded(c call, err error) {
	t, v := &c.a.act, c.a.view
	r := m.session(c.id)
	asks := t.committing && t.gone && !t.asked && v.login != "" && c.id == v.id
	t.asked = t.asked || asks
	if c.fault != loses && errors.Is(err, core.ErrNotFound) && m.stored(c.id) != nil {
		violate("L3", "%s exists, and the store says that it does not", m.name(c.id))
	}
	if c.fault == loses || err != nil && !errors.Is(err, core.ErrNotFound) {
		return
	}
	switch {
	case asks && r != nil && r.before == v.token && m.w.clock.Sub(r.renewed) < lateFor && r.user == v.login &&
		(v.base.user != v.login || r.loggedIn.After(v.base.loggedIn)):
		t.kept = maps.Clone(v.base.values) // a double click
		m.w.counts.when(len(t.kept) > 0, "logins that kept what they had loaded")
	case t.loading:
		m.present(v, c.a.token)
		v.aged = c.mayAge && !v.id.IsZero()
	case t.refreshing && c.id == v.id, c.a.touchesFromCopy(c.id):
		if t.committing && (!v.used || v.noTouch || !v.base.touchDue(c.called)) {
			violate("T2", "%s was fetched for a touch that is not due", m.name(c.id))
		}
		if !v.keepsExpiry() {
			r = m.stored(c.id)
		}
		if !v.refetched(r, c.called) {
			t.gone, t.touchGone = true, t.committing
		} else if t.committing {
			v.copyIs(copyOld)
		}
	case t.opening:
		if r != nil {
			v.sees(c.id, r)
			v.byID, v.noTouch = true, true
		}
	case r == nil && m.stored(c.id) != nil && (t.targets != nil || t.committing && c.id != v.id && m.stored(c.id).user == v.login):
		t.expired = append(t.expired, c.id) // the core ends it, even if another request prolongs it meanwhile
	case t.committing && t.evicted[c.id] && r != nil:
		t.notTheirs[c.id] = r.user != v.login // if so, it only leaves the index
	case t.committing && c.id == v.id && (c.reloads || t.writes && !t.tried && !c.asked.Before(v.base.expires)):
		t.reloaded, t.tried = true, true
		if !v.keepsExpiry() {
			r = m.stored(c.id)
		}
		t.gone = !v.refetched(r, c.called) || t.gone
	}
}

// saved is called for every save.
func (m *model) saved(c call, version core.Version, err error) {
	t := &c.a.act
	t.tried = true
	switch {
	case errors.Is(err, core.ErrNotFound):
		if m.stored(c.id) != nil {
			violate("K1", "a save to %s was refused as if it were gone", m.name(c.id))
		}
		t.gone = t.gone || c.fault != loses
	case errors.Is(err, core.ErrConflict):
		t.conflicts++
		t.retries = t.retries || c.fault != loses && time.Since(t.start) < commitTimeout
		t.reload = c.fault != loses && time.Since(t.start) < commitTimeout
	case err == nil:
		m.store(c, version)
	}
}

// store checks that a save was due, and that it stored the right record.
func (m *model) store(c call, version core.Version) {
	a, t, v := c.a, &c.a.act, c.a.view
	cur := m.mayStore(a, c.id)
	next, shed := v.next(cur, c.asked, t.shows)
	if !v.changed(cur, c.asked, t.shows) {
		violate("C2", "%s was saved without a change", m.name(c.id))
	}
	next.version, next.saved, t.shed = version, c.asked, shed
	if v.tooLarge(&next) {
		violate("E2", "%s was stored with %d bytes", m.name(c.id), next.size(m.w.schedule.setup.unit))
	}
	t.again, t.until = !t.sent && v.sendsAgain(cur, c.asked), next.cookieUntil(m.w.clock)
	m.w.counts.when(t.again, "cookies that followed new timeouts")
	m.w.counts.when(next.own != core.Timeouts{}, "sessions with timeouts of their own")
	if t.token = v.newToken(cur); t.token {
		if t.sent {
			violate("C6", "%s got a new token after the header", m.name(c.id))
		}
		next.orphan = false
		m.made++
		next.renewed = c.called
		if next.token = m.made; !v.minted {
			next.before = cur.token
		}
	}
	if v.noTouch && t.reloaded && next.expires.Equal(cur.expires) {
		// The core keeps the expiry that it has just loaded. A touch since then
		// leaves the version alone, so it may be undone.
		if e, err := m.w.raw.Load(context.Background(), c.id); err == nil && e.Expires.Equal(v.base.kept()) {
			next.expires, next.touched = v.base.expires, v.base.touched
		}
	}
	if t.fresh = m.sessions[c.id] == nil; t.fresh {
		m.order = append(m.order, c.id)
	}
	m.sessions[c.id] = &next
	m.changed(c.id, a.mayAge())
	m.compare(c.id)
	t.saved, t.result, t.answered = c.id, next.clone(), c.fault != loses
	if v.id != c.id { // nothing of the ended session is left to show
		for _, f := range v.base.flashes {
			delete(v.read, f.text)
		}
		if !v.id.IsZero() {
			v.former = v.id
		}
		v.id = core.ID{}
	}
}

// mayStore checks that a may store to id now, and returns what is stored.
func (m *model) mayStore(a *actor, id core.ID) *record {
	t, v := &a.act, a.view
	cur := m.stored(id)
	switch {
	case !t.committing:
		violate("C1", "%s was stored outside a commit", m.name(id))
	case !t.saved.IsZero() && !t.undone:
		violate("K1", "one commit has stored twice")
	case v.standing() != live:
		violate("L4", "a request without a right to it has stored %s", m.name(id))
	case v.id.IsZero() && a.role == job:
		violate("C1", "a job has stored a session that no client will ever have")
	case v.id == id && cur == nil:
		violate("K2", "%s was brought back", m.name(id))
	case v.id == id && cur.token != v.token && !v.byID:
		violate("K3", "%s was renewed, and a request with its old token has stored to it", m.name(id))
	case v.id == id:
		return cur
	case m.sessions[id] != nil:
		violate("L1", "a new session got the ID of %s", m.name(id))
	case !v.id.IsZero() && (v.login == "" || !t.gone):
		violate("K2", "changes of %s were stored as a new session", m.name(v.id))
	}
	return &record{values: t.kept}
}

// touched is called for every touch.
func (m *model) touched(c call, base core.Version, err error) {
	t, v, r := &c.a.act, c.a.view, m.stored(c.id)
	switch {
	case errors.Is(err, core.ErrNotFound):
		if r != nil {
			violate("T1", "a touch of %s was refused as if it were gone", m.name(c.id))
		}
		t.gone = t.gone || c.fault != loses
		t.touchGone = t.gone
		return
	case err != nil:
		return
	case !v.used || v.noTouch || c.id != v.id || !v.base.touchDue(c.asked):
		violate("T2", "%s was touched unnecessarily", m.name(c.id))
	}
	if r != nil && r.version == base {
		r.touch(c.asked)
		m.changed(c.id, c.a.mayAge())
		m.compare(c.id)
	}
	if c.fault != loses {
		v.base.expires, v.base.touched = v.base.expiry(c.asked), c.asked
		v.copyIs(copyOld)
	}
}

// deleted is called for every deletion.
func (m *model) deleted(c call, err error) {
	t := &c.a.act
	if err != nil {
		return
	}
	if m.session(c.id) != nil && !m.mayDelete(c.a, c.id) {
		violate("L3", "%s was deleted without a reason", m.name(c.id))
	}
	if t.targets != nil && m.session(c.id) != nil && !slices.Contains(t.expired, c.id) {
		t.ended = append(t.ended, c.id)
	}
	t.undone = t.undone || t.saved == c.id
	m.end(c.id, c.a.mayAge())
	if m.isStored(c.id) {
		violate("K2", "%s was deleted, and still exists", m.name(c.id))
	}
}

// mayDelete reports whether a has a reason to delete the session id: it undoes its
// own save, logs out, makes room, or revokes.
func (m *model) mayDelete(a *actor, id core.ID) bool {
	t, v := &a.act, a.view
	switch {
	case t.saved == id, slices.Contains(t.expired, id), t.evicted[id] && !t.notTheirs[id]:
		return true
	case v != nil && (slices.Contains(v.endings, id) || v.aside != nil && v.aside.id == id):
		return true
	}
	return t.targets[id] && (t.of == "" || t.of == m.sessions[id].user)
}

// end notes that the session id is gone. The process with copies knows it if that was its own doing.
func (m *model) end(id core.ID, own bool) {
	if r := m.sessions[id]; r != nil {
		r.gone = true
		m.changed(id, own)
		m.withdraw(r.user, id)
		for _, a := range m.w.actors { // a place is lost with the entry, even a reserved one
			for p := range a.act.places {
				if p.id == id {
					m.withdraw(p.user, id)
				}
			}
		}
	}
}

// isStored reports whether id is really in the store.
func (m *model) isStored(id core.ID) bool {
	_, err := m.w.raw.Load(context.Background(), id)
	return !errors.Is(err, core.ErrNotFound)
}

func (m *model) withdraw(user string, id core.ID) { m.withdrawn[place{user, id}] = m.w.steps }
