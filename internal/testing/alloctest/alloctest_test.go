package alloctest

import "testing"

// recorder is a testing.TB that records whether it has failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

var sink []byte

func TestBound(t *testing.T) {
	runs := 0
	f := func() {
		sink = make([]byte, 100_000)
		runs++
	}
	r := &recorder{TB: t}
	Bound(r, 110_000, f)
	if r.failed || runs != 1 {
		t.Errorf("below the limit: failed %v after %d runs", r.failed, runs)
	}
	runs = 0
	Bound(r, 90_000, f)
	if !r.failed || runs != tries {
		t.Errorf("above the limit: failed %v after %d runs", r.failed, runs)
	}
}

func TestPerRun(t *testing.T) {
	if allocs, bytes := PerRun(func() { sink = make([]byte, 1000) }); allocs != 1 || bytes != 1024 {
		t.Errorf("%d allocations of %d bytes, want one of 1024", allocs, bytes)
	}
}
