package core_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/satchel-go/satchel/core"
)

// What no other test of this package has noticed when it was broken on purpose.

func TestC6BodyIsHeldForFlashesJustAdded(t *testing.T) {
	r := newClient(t, sealed(t).m).begin()
	r.s.Flash("info", "1")
	if got := r.s.HoldBody(200); got != 32<<10 {
		t.Errorf("holds %d: a read while the page is written would come too late", got)
	}
}

func TestC7AskingWhetherToHoldIsNoUse(t *testing.T) {
	c := newClient(t, sealed(t).m)
	c.status(303, func(s *core.Session) { s.Flash("info", "1") })
	x := c.status(200, nil)
	before := x.response["Vary"]
	r := c.begin()
	if r.s.HoldBody(200) == 0 {
		t.Fatal("nothing is held")
	}
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	if got := r.x.response["Vary"]; got != before {
		t.Errorf("Vary is %q, without the question %q", got, before)
	}
}

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

func TestI2OwnRevocationsAreNoticedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := server(t)
		var id core.ID
		newClient(t, w.m).do(func(s *core.Session) { s.Login("ann") })
		list, err := w.m.List(t.Context(), "ann")
		if err != nil || len(list) != 1 {
			t.Fatalf("ann has %v, %v", list, err)
		}
		id = list[0].ID
		plain := w.manager(core.ServerSide(&hooked{Store: w.store}))
		done, err := plain.Done(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begun := time.Now()
		if err := plain.Revoke(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		<-done
		if d := time.Since(begun); d != 0 {
			t.Errorf("noticed after %v", d)
		}
	})
}
