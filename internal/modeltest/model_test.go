package modeltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// model is what is stored, and who has which right, as the promises want it.
type model struct {
	w        *world
	sessions map[core.ID]*record
	order    []core.ID // of the sessions' making
	tokens   map[string]grant
	made     int // how many tokens
	texts    int // how many flashes

	// withdrawn says when a place in a user's index was last taken away. It
	// is all that the model knows of the index.
	withdrawn map[place]int
	places    map[place]*actor // who reserved a place last
	reindexed bool             // a session that could not be ended was put back
	unindexed map[core.ID]bool // putting it back has failed
	seen      map[string]int   // by how many responses a flash was shown
}

// grant is what a token that a client was given stands for.
type grant struct {
	id    core.ID
	token int
}

// place is one in a user's index.
type place struct {
	user string
	id   core.ID
}

func newModel(w *world) *model {
	return &model{
		w: w, sessions: map[core.ID]*record{}, tokens: map[string]grant{}, withdrawn: map[place]int{},
		places: map[place]*actor{}, unindexed: map[core.ID]bool{}, seen: map[string]int{},
	}
}

// act is what an actor has under way: a load, a commit or a revocation.
type act struct {
	loading    bool // of the request's session, by its token
	opening    bool // of a job's session, by its ID
	committing bool
	sent       bool // the header has gone
	shows      bool // the response shows flashes
	began      time.Time
	start      time.Time // the same, on the machine's clock
	planned    time.Time // when the record that is about to be stored was made

	trouble   bool // an operation went wrong, on purpose
	stripped  bool // of a renewal that came after the header
	reload    bool // the next load fetches the newest record
	reloaded  bool
	conflicts int
	touched   bool // or tried to be
	touchGone bool // the session was gone when it was to be touched
	gone      bool // the core was told that the session is gone, or renewed
	dropped   bool // the core was told that a login's place in the index is gone

	saved    core.ID // what was stored
	result   record  // as it was stored
	token    bool    // with a new token
	answered bool    // the core knows that it was stored
	undone   bool    // and was deleted again
	undoing  bool    // or was tried to be

	places  map[place]int    // reserved, and when
	since   time.Time        // of the last reservation
	evicted map[core.ID]bool // to make room for this login
	full    bool             // the limit was reached
	doomed  bool             // the user's sessions were revoked meanwhile: it must not end well

	// Of a revocation:
	targets  map[core.ID]bool // which sessions it may end
	named    bool             // they were named, not listed
	listed   bool
	except   core.ID
	of       string    // only of this user
	theirs   bool      // and it was this user's at first
	victims  []core.ID // which must have ended if it says so
	inFlight []commitOf
}

// commitOf names one commit of an actor.
type commitOf struct {
	a       *actor
	commits int
}

// name is short for an ID: S0 is the first session that was stored.
func (m *model) name(id core.ID) string {
	if i := slices.Index(m.order, id); i >= 0 {
		return fmt.Sprintf("S%d", i)
	}
	return id.String()
}

// session returns the live session id, or nil.
func (m *model) session(id core.ID) *record {
	if r := m.sessions[id]; r != nil && r.live(m.w.clock) {
		return r
	}
	return nil
}

// present is what a request that presents a token must see (L1, L4, T1).
func (m *model) present(v *view, token string) {
	g, known := m.tokens[token]
	r := m.session(g.id)
	switch {
	case !known || r == nil:
	case g.token == r.token:
		v.id, v.base, v.token = g.id, r.clone(), g.token
	case g.token == r.before && m.w.clock.Sub(r.replaced) < lateFor:
		v.wasLate = true
		m.w.counts.superseded++
	}
}

// loaded is told of every load.
func (m *model) loaded(c call, err error) {
	t, v := &c.a.act, c.a.view
	r := m.session(c.id)
	if c.fault != loses && errors.Is(err, core.ErrNotFound) && r != nil {
		violate("L3", "%s is there, and the store says that it is not", m.name(c.id))
	}
	if c.fault == loses || err != nil && !errors.Is(err, core.ErrNotFound) {
		return
	}
	switch {
	case t.loading:
		m.present(v, c.a.token)
	case t.opening:
		if r != nil {
			v.id, v.base, v.token, v.byID, v.noTouch = c.id, r.clone(), r.token, true, true
		}
	case t.committing && t.reload && c.id == v.id:
		t.reload, t.reloaded = false, true
		if r == nil || r.token != v.token && !v.byID {
			t.gone = true
			return
		}
		v.base = r.clone()
	}
}

// saved is told of every save.
func (m *model) saved(c call, version core.Version, err error) {
	t := &c.a.act
	switch {
	case errors.Is(err, core.ErrNotFound):
		if m.session(c.id) != nil {
			violate("K1", "a save to %s was refused as if it were gone", m.name(c.id))
		}
		t.gone = t.gone || c.fault != loses
	case errors.Is(err, core.ErrConflict):
		t.conflicts++
		t.reload = c.fault != loses && time.Since(t.start) < commitTimeout
	case err == nil:
		m.store(c, version)
	}
}

// store checks that a save was due, and that it stored what it should.
func (m *model) store(c call, version core.Version) {
	a, t, v := c.a, &c.a.act, c.a.view
	cur := m.mayStore(a, c.id)
	next := v.next(cur, c.asked, t.shows)
	if !v.changed(cur, c.asked, t.shows) {
		violate("C2", "%s was saved without a change", m.name(c.id))
	}
	next.version = version
	if t.token = v.newToken(cur); t.token {
		if t.sent {
			violate("C6", "%s got a new token after the header", m.name(c.id))
		}
		next.orphan = false
		m.made++
		if next.token = m.made; !v.minted {
			next.before, next.replaced = cur.token, c.called
		}
	}
	if v.noTouch && next.expires.Equal(cur.expires) {
		// The core keeps the expiry that it has just loaded. A touch in the
		// meantime leaves the version alone, so it may be undone.
		if e, err := m.w.raw.Load(context.Background(), c.id); err == nil && e.Expires.Equal(v.base.expires) {
			next.expires = e.Expires
		}
	}
	if m.sessions[c.id] == nil {
		m.order = append(m.order, c.id)
	}
	m.sessions[c.id] = &next
	m.compare(c.id)
	t.saved, t.result, t.answered = c.id, next.clone(), c.fault != loses
	if v.id != c.id {
		v.id = core.ID{}
	}
}

// mayStore checks that a may store to id now, and returns what is there.
func (m *model) mayStore(a *actor, id core.ID) *record {
	t, v := &a.act, a.view
	cur := m.session(id)
	switch {
	case !t.committing:
		violate("C1", "%s was stored outside a commit", m.name(id))
	case !t.saved.IsZero() && !t.undone:
		violate("K1", "one commit has stored twice")
	case v.standing() != live:
		violate("L4", "a request without a right to it has stored %s", m.name(id))
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
	return &record{}
}

// touched is told of every touch.
func (m *model) touched(c call, base core.Version, err error) {
	t, v, r := &c.a.act, c.a.view, m.session(c.id)
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
		violate("T2", "%s was touched without need", m.name(c.id))
	}
	if r != nil && r.version == base {
		r.expires = r.expiry(c.asked)
		m.compare(c.id)
	}
	if c.fault != loses {
		v.base.expires = v.base.expiry(c.asked)
	}
}

// deleted is told of every deletion.
func (m *model) deleted(c call, err error) {
	t, v := &c.a.act, c.a.view
	if err != nil {
		return
	}
	undo := t.saved == c.id && !t.saved.IsZero()
	logsOut := v != nil && (slices.Contains(v.endings, c.id) || v.aside != nil && v.aside.id == c.id)
	if m.session(c.id) != nil && !undo && !logsOut && !t.evicted[c.id] && !(t.targets[c.id] && (t.of == "" || t.of == m.sessions[c.id].user)) {
		violate("L3", "%s was deleted, and nobody wanted that", m.name(c.id))
	}
	t.undone = t.undone || undo
	m.end(c.id)
	if m.isStored(c.id) {
		violate("K2", "%s was deleted, and is there", m.name(c.id))
	}
}

func (m *model) end(id core.ID) {
	if r := m.sessions[id]; r != nil {
		r.gone = true
		m.withdraw(r.user, id)
		for _, a := range m.w.actors { // a place is lost with the entry, also an open one
			for p := range a.act.places {
				if p.id == id {
					m.withdraw(p.user, id)
				}
			}
		}
	}
}

// isStored reports whether id is really there.
func (m *model) isStored(id core.ID) bool {
	_, err := m.w.raw.Load(context.Background(), id)
	return !errors.Is(err, core.ErrNotFound)
}

func (m *model) withdraw(user string, id core.ID) { m.withdrawn[place{user, id}] = m.w.steps }
