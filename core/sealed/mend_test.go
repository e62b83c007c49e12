package sealed_test

import (
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// While keys rotate, what is put back goes where its entry is, and a search finds
// what any key has sealed.
func TestI2EncryptedMendsUnderTheEntrysName(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		before, during := r.with(r.old), r.with(r.next, r.old)
		index, _ := core.StoreAs[core.UserIndex](sealed.Store(r.data, ring(r, r.next, r.old)))
		lose := func() {
			t.Helper()
			ids, err := index.List(t.Context(), "ann")
			if lost := (*core.IncompleteError)(nil); errors.As(err, &lost) {
				err = lost.Restored(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				if err := index.Release(t.Context(), "ann", id); err != nil {
					t.Fatal(err)
				}
			}
		}
		clients := r.logins(before, 3)
		newest := r.logins(during, 1)[0]
		lose()
		clients[1].under(during).do(func(s *core.Session) {
			if infos, err := s.List(t.Context()); len(infos) != 4 || err != nil {
				t.Errorf("List: %v, %v", infos, err)
			}
		})
		r.wantList(before, clients...)
		lose()
		r.clock.Advance(10 * time.Minute)
		for _, c := range append(clients, newest) {
			c.under(during).user() // touches
		}
		r.wantList(before, clients...)
		r.wantList(during, append(clients, newest)...)
		lose()
		clients[0].under(during).do(func(s *core.Session) { s.Set("k", "moves out of the lost index") })
		r.wantList(during, append(clients, newest)...)
		if n, err := during.RevokeUser(t.Context(), "ann"); n != 4 || err != nil || r.store.Len() != 0 {
			t.Errorf("RevokeUser: %d, %v, and %d are left", n, err, r.store.Len())
		}
	})
}
