package core_test

import (
	"errors"
	"testing"

	"github.com/satchel-go/satchel/core"
)

func TestC6HijackComesBeforeWhatNeedsACookie(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		r := newClient(t, w.m).begin()
		r.s.Set("k", "v")
		if err := w.m.Commit(r.x, r.s, core.StatusHijacked); err != nil {
			t.Fatal(err)
		}
		w.m.Finish(r.s)
		if w.events.count(core.EventTooLate) != 1 || len(r.x.setCookie) != 0 {
			t.Errorf("%d changes too late, cookies %q", w.events.count(core.EventTooLate), r.x.setCookie)
		}
	})
}

func TestC4AbortRollsBack(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		r := newClient(t, w.m).begin()
		r.s.Set("k", "v")
		w.m.Abort(r.x, r.s)
		if w.events.count(core.EventRolledBack) != 1 || len(r.x.setCookie) != 0 {
			t.Errorf("%d rolled back, cookies %q", w.events.count(core.EventRolledBack), r.x.setCookie)
		}
	})
}

func TestC3FinishedTellsNoStatusAfterAFailedCommit(t *testing.T) {
	w := server(t)
	broken := &hooked{Store: w.store, before: func(string) error { return errors.New("down") }}
	w.m = w.manager(core.ServerSide(broken))
	r := newClient(t, w.m).begin()
	r.s.Set("k", "v")
	if r.end(200) == nil {
		t.Fatal("a commit that fails says nothing")
	}
	for _, e := range w.events.all {
		if e.Kind == core.EventFinished {
			if e.Status != 0 {
				t.Errorf("status %d, which the client has not got", e.Status)
			}
			return
		}
	}
	t.Error("no EventFinished")
}
