package modeltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

var (
	keys  = []string{"a", "b", "n"}
	kinds = []string{"info", "error"}
	users = []string{"ann", "bob"}
)

// do runs one operation of a handler, and applies it to the view.
func (a *actor) do(o op) {
	s, v, m := a.s, a.view, a.w.model
	a.w.note("%v", o)
	a.w.counts["operations: "+string(o.do)]++
	text, now := "", a.w.clock
	switch o.do {
	case look:
		v.used = true
		m.look(s, v)
	case set:
		s.Set(o.key, o.n)
	case del:
		s.Delete(o.key)
	case clearAll:
		s.Clear()
	case incr:
		core.Update(s, o.key, func(n int) int { return n + o.n })
	case flashIt, addTyped:
		m.texts++
		if text = fmt.Sprintf("f%d", m.texts); o.do == flashIt {
			s.Flash(o.key, text)
		} else {
			core.NewFlashKey[string](o.key).Add(s, text)
		}
	case readFlashes, takeTyped:
		want := v.wanted(o, now)
		m.w.counts.when(len(want) < len(v.visible(now)), "reads that left other kinds alone")
		m.w.counts.when(v.inAdvance && len(unread(v.base.flashes, now)) > len(v.own), "flashes that were withheld from a page in advance")
		if o.do == readFlashes {
			sameFlashes("F6", s.Flashes(o.filter()...), want)
		} else {
			sameTyped(core.NewFlashKey[string](o.key).Take, s, want)
		}
	case keepFlashes:
		m.w.counts.when(len(v.read) > 0, "flashes that were taken back")
		s.KeepFlashes(o.filter()...)
	case renew:
		s.Renew()
	case reauth:
		s.Reauthenticate()
	case remember:
		s.Remember(o.n == 1)
	case setTimeouts:
		s.SetTimeouts(o.own.Idle, o.own.Lifetime)
	case skipTouch:
		s.SkipTouch()
	case login:
		m.w.counts.when(v.user() == o.user, "logins of users who were logged in already")
		m.w.counts.when(v.user() != "" && v.user() != o.user, "logins of another user")
		s.Login(o.user)
	case logout:
		s.Logout()
	case wait:
		a.step()
	case commit:
		a.commitNow()
		return
	case refresh:
		a.refresh()
		return
	case list, revokeOwn, revokeOthers:
		a.others(o)
		return
	}
	v.do(o, text)
}

func (o op) filter() []string {
	if o.key == "" {
		return nil
	}
	return []string{o.key}
}

func sameFlashes(promise string, got []core.Flash, want []flash) {
	if !slices.EqualFunc(got, want, func(g core.Flash, w flash) bool { return g.Kind == w.kind && g.Text == w.text }) {
		violate(promise, "flashes are %v, want %v", got, want)
	}
}

func sameTyped(next func(*core.Session) (string, bool), s *core.Session, want []flash) {
	if text, ok := next(s); ok != (len(want) > 0) || ok && text != want[0].text {
		violate("F6", "the next typed flash is %q, %v, want %v", text, ok, want)
	}
}

func (a *actor) commitNow() {
	a.begin(a.sent, a.sent && a.shows)
	err := a.s.Commit(a.x.ctx)
	a.w.model.committed(a, err)
	if !a.sent && len(a.x.setCookie)+len(a.x.response) > 0 {
		violate("C7", "a handler's commit has written %q, %v into the header", a.x.setCookie, a.x.response)
	}
}

// look compares everything that the request sees with what it must see.
func (m *model) look(s *core.Session, v *view) {
	now := m.w.clock
	want, _ := v.next(&v.base, now, false)
	got := map[string]int{}
	for _, key := range s.Keys() {
		n, ok := core.Get[int](s, key)
		if !ok {
			violate("K1", "%q is listed, but does not exist", key)
		}
		got[key] = n
	}
	if fmt.Sprint(got) != fmt.Sprint(want.values) {
		violate("K1", "a request sees %v, want %v", got, want.values)
	}
	sameFlashes("F6", s.PeekFlashes(), v.wanted(op{do: readFlashes}, now))
	for _, kind := range kinds {
		sameTyped(core.NewFlashKey[string](kind).Peek, s, v.wanted(op{do: takeTyped, key: kind}, now))
	}
	if s.UserID() != v.user() {
		violate("I1", "a request sees user %q, want %q", s.UserID(), v.user())
	}
	if s.ID() != v.id || s.IsNew() != v.id.IsZero() {
		violate("L1", "a request sees session %s, want %s", m.name(s.ID()), m.name(v.id))
	}
	if s.Ended() != (v.standing() == late) {
		violate("L4", "Ended is %v", s.Ended())
	}
	m.sameTimes(s, &v.base, v.id)
}

// sameTimes compares the times of a session (promise T1).
func (m *model) sameTimes(s *core.Session, r *record, id core.ID) {
	for _, t := range []struct {
		name      string
		got, want time.Time
	}{
		{"CreatedAt", s.CreatedAt(), r.created},
		{"AuthenticatedAt", s.AuthenticatedAt(), r.loggedIn},
		{"ExpiresAt", s.ExpiresAt(), r.deadline},
		{"IdleExpiresAt", s.IdleExpiresAt(), r.expires},
	} {
		if !t.got.Equal(t.want) {
			violate("T1", "%s of %s is %v, want %v", t.name, m.name(id), t.got, t.want)
		}
	}
}

// compare checks that session id is stored as it should be.
func (m *model) compare(id core.ID) {
	r := m.session(id)
	if r == nil {
		return
	}
	err := m.w.direct.View(context.Background(), id, func(s *core.Session) error {
		v := newView(m.w)
		v.id, v.base = id, *r
		m.look(s, v)
		return nil
	})
	if err != nil {
		violate("K1", "%s is not stored: %v", m.name(id), err)
	}
}

// others are the operations on other sessions of the same user.
func (a *actor) others(o op) {
	m, v, ctx := a.w.model, a.view, context.Background()
	if v.aged {
		if a.refresh(); v.aged {
			return // a copy gives no right
		}
	}
	user := v.base.user
	a.act, a.events = act{targets: map[core.ID]bool{}, of: user}, nil
	switch o.do {
	case list:
		infos, err := a.s.List(ctx)
		a.listed(infos, err)
	case revokeOthers:
		a.act.except = v.id
		err := a.s.RevokeOthers(ctx)
		switch {
		case v.readOnly && errors.Is(err, core.ErrReadOnly):
		case v.wasLate && v.id.IsZero():
			mustBeRefused(err)
		case user == "" && errors.Is(err, core.ErrNotFound):
		default:
			a.settleRevocation(err)
		}
	case revokeOwn:
		id, ok := m.pick(o.n)
		if !ok || v.readOnly {
			return
		}
		if id == v.id && user != "" {
			v.logOut()
			a.begin(a.sent, a.sent && a.shows)
			m.committed(a, a.s.RevokeOwn(ctx, id))
			break
		}
		a.act.targets[id], a.act.named = true, true
		a.act.victims = []core.ID{id}
		a.act.theirs = m.sessions[id].landed && m.sessions[id].user == user
		err := a.s.RevokeOwn(ctx, id)
		if v.wasLate && v.id.IsZero() {
			mustBeRefused(err)
			break
		}
		if user == "" && errors.Is(err, core.ErrNotFound) {
			break
		}
		a.settleRevocation(err)
	}
	v.used = true
	a.act = act{}
}

// mustBeRefused checks that a token that was replaced ends no sessions but its own.
func mustBeRefused(err error) {
	if !errors.Is(err, core.ErrEnded) {
		violate("I2", "a late revocation ended with %v, want ErrEnded", err)
	}
}

func lists(infos []core.Info, id core.ID) bool {
	return slices.ContainsFunc(infos, func(i core.Info) bool { return i.ID == id })
}

// listed checks a list of sessions (promise I2).
func (a *actor) listed(infos []core.Info, err error) {
	m, t := a.w.model, &a.act
	if err != nil {
		if !a.view.readOnly && !t.trouble {
			violate("I2", "listing failed for no reason: %v", err)
		}
		return
	}
	for _, id := range t.victims {
		if m.session(id) != nil && !lists(infos, id) {
			violate("I2", "%s is missing from the list of its user", m.name(id))
		}
	}
	for _, i := range infos {
		if r := m.sessions[i.ID]; r == nil || r.user != t.of || i.User != t.of || i.Current != (i.ID == a.view.id) {
			violate("I2", "%s of %q is in the list of %q", m.name(i.ID), i.User, t.of)
		}
	}
}

// pick returns one of the sessions that were stored so far.
func (m *model) pick(nth int) (core.ID, bool) {
	if len(m.order) == 0 {
		return core.ID{}, false
	}
	return m.order[nth%len(m.order)], true
}

// shown counts how many responses show the flashes that a has read.
func (m *model) shown(a *actor) {
	for text := range a.view.read {
		m.seen[text]++
		m.w.counts.when(m.seen[text] == 2, "flashes that two overlapping requests showed")
	}
}
