package chaos

import "testing"

// TestWatch shows that only what clients notice of a fault counts, and not what came before,
// after, or from another probe.
func TestWatch(t *testing.T) {
	for _, tc := range []struct {
		name string
		op   Op
		base string
		want int64
	}{
		{"lost", Op{Begin: 110, End: 120, Outcome: unknown}, "a", 1},
		{"refused", Op{Begin: 110, End: 120, Outcome: refused}, "a", 1},
		{"slow", Op{Begin: 110, End: 110 + int64(slow)}, "a", 1},
		{"quick", Op{Begin: 110, End: 109 + int64(slow)}, "a", 0},
		{"asked before", Op{Begin: 90, End: 120, Outcome: unknown}, "a", 0},
		{"asked after", Op{Begin: 200, End: 220, Outcome: unknown}, "a", 0},
		{"of another probe", Op{Begin: 110, End: 120, Outcome: unknown}, "b", 0},
	} {
		w := &watch{begin: 100, url: "a"}
		w.ended.Store(200)
		if w.see(tc.op, tc.base); w.hits.Load() != tc.want {
			t.Errorf("%s: counted %d times, want %d", tc.name, w.hits.Load(), tc.want)
		}
	}
}

// TestVisits shows that a visit with a lost answer has no verdict, and that what a visit has
// found is the session's.
func TestVisits(t *testing.T) {
	v := newLoad([]string{"http://127.0.0.1"}).newVisitor("v")
	v.want(false, "rule", "broken")
	v.lost = true
	v.want(false, "rule", "not known")
	found, err := v.session.Judge()
	if err != nil || len(found) != 1 || found[0].Rule != "rule" {
		t.Errorf("found %v, error %v, want the one", found, err)
	}
}
