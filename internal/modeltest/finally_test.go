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
		if m.session(id) == nil && m.isStored(id) {
			violate("K2", "%s has ended, and is stored", m.name(id))
		}
	}
	m.rights()
	stored := 0
	for _, r := range m.sessions {
		if !r.gone { // it may have expired, and be gone or not
			stored++
		}
	}
	if n := m.w.raw.Len(); n > stored {
		violate("C1", "%d sessions are stored, want %d", n, stored)
	}
	m.lists()
}

// rights tries every token that was ever handed out: at most one of a session
// is good for anything (promises K2, K3, I1).
func (m *model) rights() {
	for token, g := range m.tokens {
		want := newView(m.w)
		m.present(want, token)
		x := &exchange{ctx: context.Background(), cookies: cookieName + "=" + token, response: map[string]string{}}
		s, err := m.w.direct.Load(x)
		if err != nil {
			violate("L3", "%v", err)
		}
		if s.ID() != want.id || s.Ended() != (want.standing() == late) {
			violate("K3", "token %d of %s gives %s, ended %v; want %s", g.token, m.name(g.id), m.name(s.ID()), s.Ended(), m.name(want.id))
		}
	}
}

// lists checks the users' indexes, and that whoever is revoked is gone (promise I2).
func (m *model) lists() {
	ctx := context.Background()
	for _, user := range users {
		infos, err := m.w.direct.List(ctx, user)
		if err != nil {
			violate("I2", "%v", err)
		}
		var ids []core.ID
		for _, i := range infos {
			ids = append(ids, i.ID)
		}
		m.indexed(user, ids)
		if err := m.w.direct.RevokeUser(ctx, user); err != nil && !errors.Is(err, core.ErrNotFound) {
			violate("I2", "%v", err)
		}
	}
	for id, r := range m.sessions {
		if r.user != "" && r.live(m.w.clock) && !r.orphan && !m.unindexed[id] && m.isStored(id) {
			violate("I2", "%s of %s survived RevokeUser", m.name(id), r.user)
		}
	}
}
