package core_test

import "testing"

// The cookie of an explicit commit is written again if the handler has emptied the
// header since, and not doubled if it has not.
func TestC7CookieOfAnExplicitCommitSurvivesAResetHeader(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		for _, reset := range []bool{false, true} {
			c := newClient(t, w.m)
			r := c.begin()
			r.s.Set("k", "v")
			if err := r.s.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if reset {
				r.x.ResetResponse()
			}
			if err := r.end(200); err != nil {
				t.Fatal(err)
			}
			if len(r.x.setCookie) != 1 || r.x.response["Cache-Control"] != "no-store" || c.get("k") != "v" {
				t.Errorf("header emptied %t: %q %v", reset, r.x.setCookie, r.x.response)
			}
		}
	})
}

func TestHeaderSent(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		r := newClient(t, w.m).begin()
		r.s.Set("k", "v")
		if err := r.s.Commit(t.Context()); err != nil || r.s.HeaderSent() {
			t.Errorf("before the header: %v, sent %t", err, r.s.HeaderSent())
		}
		if err := r.end(200); err != nil || !r.s.HeaderSent() {
			t.Errorf("after it: %v, sent %t", err, r.s.HeaderSent())
		}
	})
}
