package modeltest

import (
	"context"
	"errors"

	"github.com/satchel-go/satchel/core"
)

// finally checks what is left when all actors are done.
func (m *model) finally() {
	for _, id := range m.order {
		m.compare(id)
		r := m.sessions[id]
		if m.stored(id) == nil && m.isStored(id) && (r == nil || r.gone || !r.lingers(m.w.clock)) {
			violate("K2", "%s has ended, and is stored", m.name(id))
		}
	}
	m.rights()
	stored := 0
	for _, r := range m.sessions {
		if !r.gone { // it may have expired, with or without being removed
			stored++
		}
	}
	if n := m.w.raw.Len(); n > stored {
		violate("C1", "%d sessions are stored, want %d", n, stored)
	}
	m.lists()
}

// rights tries every token that was ever handed out: at most one of each session
// still works (promises K2, K3, I1).
func (m *model) rights() {
	for token, g := range m.tokens {
		want := newView(m.w)
		m.present(want, token)
		carrier := m.w.schedule.setup.carrier
		x := &exchange{ctx: context.Background(), carrier: carrier, lines: carry(carrier, token), response: map[string]string{}}
		s, err := x.load(m.w.direct)
		if err != nil {
			violate("L3", "%v", err)
		}
		if s.ID() != want.id || s.Ended() != (want.standing() == late) {
			violate("K3", "token %d of %s gives %s, ended %v; want %s", g.token, m.name(g.id), m.name(s.ID()), s.Ended(), m.name(want.id))
		}
	}
}

// lists checks the users' indexes, and that revoked users' sessions are gone (promise I2).
func (m *model) lists() {
	ctx := context.Background()
	for _, user := range users {
		infos, err := m.w.direct.List(ctx, user)
		if err != nil {
			violate("I2", "%v", err)
		}
		m.indexed(user, infos)
		m.described(user, infos)
		if _, err := m.w.direct.RevokeUser(ctx, user); err != nil && !errors.Is(err, core.ErrNotFound) {
			violate("I2", "%v", err)
		}
	}
	for id, r := range m.sessions {
		if r.user != "" && r.live(m.w.clock) && !r.orphan && !m.unindexed[id] && m.isStored(id) {
			violate("I2", "%s of %s survived RevokeUser", m.name(id), r.user)
		}
	}
}

// described checks a list's order, and what it says about sessions.
func (m *model) described(user string, infos []core.Info) {
	for i, info := range infos {
		r := m.session(info.ID)
		if r == nil {
			violate("I2", "%s has ended, and is in the list of %s", m.name(info.ID), user)
		}
		if !info.CreatedAt.Equal(r.created) || !info.ExpiresAt.Equal(r.expires) || info.User != r.user || !info.LastSeen.Equal(r.seen()) {
			violate("I2", "%s is listed as %+v, want created %v, last seen %v, ends %v", m.name(info.ID), info, r.created, r.seen(), r.expires)
		}
		if i > 0 && m.entered[place{user, infos[i-1].ID}] > m.entered[place{user, info.ID}] {
			violate("I2", "%s is listed after %s, and is older", m.name(info.ID), m.name(infos[i-1].ID))
		}
	}
}
