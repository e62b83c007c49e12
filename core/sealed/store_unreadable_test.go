package sealed_test

import (
	"context"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// damaged is a store in which one entry cannot be read.
type damaged struct {
	core.Store
	core.UserIndex
	id core.ID
}

func (d *damaged) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if id == d.id {
		return core.Entry{}, core.ErrCorrupt
	}
	return d.Store.Load(ctx, id)
}

func TestE3UnreadableSessionAmongOthers(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		d := &damaged{Store: r.data, UserIndex: r.data.(core.UserIndex)}
		r.data = d
		bad := r.logins(r.limited(3, core.EndOldest, r.old), 2)[0]
		d.id = bad.id()
		during := r.limited(3, core.EndOldest, r.next, r.old)
		c := newClient(t, during)
		c.do(func(s *core.Session) { s.Login("ann") })
		if c.user() != "ann" {
			t.Error("E3: an entry that cannot be read keeps its user from logging in while keys rotate")
		}
		infos, err := during.List(t.Context(), "ann")
		if err != nil || len(infos) != 2 || infos[0].ID == d.id || infos[1].ID == d.id {
			t.Errorf("E3: List: %v, %v; want the two that can be read", infos, err)
		}
		if _, err := during.RevokeUser(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
		if r.store.Len() != 0 {
			t.Errorf("E3: RevokeUser has left %d sessions", r.store.Len())
		}
	})
}

func TestE3ListAfterAKeyIsLost(t *testing.T) {
	rotations(t, func(_ *testing.T, r *rotation) {
		clients := r.logins(r.with(r.old), 1)
		during := r.with(r.next, r.old)
		clients = append(clients, r.logins(during, 1)...)
		lost := r.with(sealed.GenerateKey(), r.next)
		r.wantList(lost, clients[1])
	})
}
