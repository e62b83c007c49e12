package chaos

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

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
		{"slow", Op{Begin: 110, End: 110 + 750}, "a", 1},
		{"slow, but not for so long", Op{Begin: 110, End: 109 + 750}, "a", 0},
		{"asked before", Op{Begin: 90, End: 120, Outcome: unknown}, "a", 0},
		{"asked after", Op{Begin: 200, End: 220, Outcome: unknown}, "a", 0},
		{"of another probe", Op{Begin: 110, End: 120, Outcome: unknown}, "b", 0},
	} {
		w := &watch{begin: 100, slow: 750, url: "a"}
		w.ended.Store(200)
		if w.see(tc.op, tc.base); w.hits.Load() != tc.want {
			t.Errorf("%s: counted %d times, want %d", tc.name, w.hits.Load(), tc.want)
		}
	}
}

// TestSlowVisit shows that a visit whose session may have expired meanwhile has no verdict.
func TestSlowVisit(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	defer srv.Close()
	for _, slow := range []bool{true, false} {
		v := newLoad([]string{srv.URL}).newVisitor("v")
		if slow {
			v.used -= int64(idle/2) + 1
		}
		v.alive("logged out", "after a while")
		found, err := v.session.Judge()
		if err != nil || (len(found) == 0) != slow {
			t.Errorf("slow %v: found %v, error %v", slow, found, err)
		}
	}
}

// TestFits shows that only a violation of a rule that fits is the one that a run waits for.
func TestFits(t *testing.T) {
	l := newLoad(nil)
	l.fits = []string{"values"}
	v := l.newVisitor("v")
	if v.broke("cookie", ""); l.seen.Load() {
		t.Error("another rule")
	}
	if v.broke("values", ""); !l.seen.Load() {
		t.Error("the rule is not seen")
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
