package metrics

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// constants returns the values of the constants of a type in core/event.go.
func constants(t *testing.T, typ string) (values []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../core/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	prefix := map[string]string{"EventKind": "Event", "Reason": "Reason"}[typ]
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || spec.Names[0].Name[:len(prefix)] != prefix {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			value, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	if len(values) < 15 {
		t.Fatalf("found only %q", values)
	}
	return values
}

// A kind or reason that is new in core, and missing in the table, is noticed here and
// not by whoever wonders about _OTHER.
func TestEveryKindAndReasonHasASeries(t *testing.T) {
	for _, kind := range constants(t, "EventKind") {
		own, known := reasons[core.EventKind(kind)]
		if kind == string(core.EventFinished) {
			if known {
				t.Error("finished is counted, and EventOf says it is not")
			}
			continue
		}
		if !known {
			t.Errorf("the kind %q is not in the table", kind)
		}
		e := core.Event{Kind: core.EventKind(kind)}
		if len(own) > 0 {
			e.Reason = own[0]
		}
		if i, counted := EventOf(&e); !counted || OccasionAt(i).Kind != e.Kind || OccasionAt(i).Reason != e.Reason {
			t.Errorf("%q is counted as %v", kind, OccasionAt(i))
		}
	}
	for _, reason := range constants(t, "Reason") {
		used := false
		for _, own := range reasons {
			used = used || slices.Contains(own, core.Reason(reason))
		}
		if !used {
			t.Errorf("the reason %q belongs to no kind in the table", reason)
		}
	}
}

// Whatever core tells, now or later, there are no other series than those, and those
// of this release are few.
func TestSeriesAreClosed(t *testing.T) {
	series := 0
	for _, o := range Occasions() {
		if o.Kind != Other && o.Reason != Other {
			series++
		}
	}
	series += len(Loads) + len(Commits) + 1
	t.Logf("%d series of a Manager", series)
	if series > 60 {
		t.Errorf("a Manager has %d series, want at most 60", series)
	}
	seen := map[Occasion]bool{}
	kinds := append(constants(t, "EventKind"), "frobnicated", "", Other, "rejected ")
	for _, kind := range kinds {
		for _, reason := range append(constants(t, "Reason"), "too green", "", Other) {
			e := core.Event{Kind: core.EventKind(kind), Reason: core.Reason(reason), Took: 1}
			i, counted := EventOf(&e)
			if !counted {
				continue
			}
			o := OccasionAt(i)
			seen[o] = true
			if own, known := reasons[e.Kind]; !known && (o != Occasion{Kind: Other}) ||
				known && o.Kind != e.Kind || known && own != nil && !slices.Contains(own, e.Reason) && o.Reason != Other {
				t.Errorf("%q for the reason %q is counted as %v", kind, reason, o)
			}
			for range 2 {
				i, _ := LoadOf(&e)
				j, _ := CommitOf(&e)
				if i >= len(Loads) || j >= len(Commits) {
					t.Errorf("%q has no outcome", kind)
				}
				e.ID[0] = 1
			}
		}
	}
	for o := range seen {
		if !slices.Contains(occasions, o) {
			t.Errorf("%v is none of the series", o)
		}
	}
}

func TestOutcomes(t *testing.T) {
	id := core.ID{1}
	conflict := fmt.Errorf("save: %w", core.ErrConflict)
	for _, tc := range []struct {
		e            core.Event
		load, commit string
		size         int
	}{
		{core.Event{Kind: core.EventLoaded, ID: id, Bytes: 9, Took: 1}, "loaded", "", 0},
		{core.Event{Kind: core.EventRejected, Took: 1}, "rejected", "", 0},
		{core.Event{Kind: core.EventRejected, Reason: core.ReasonMalformed}, "", "", 0}, // no backend was asked
		{core.Event{Kind: core.EventAbsent}, "", "", 0},
		{core.Event{Kind: core.EventUnavailable, Took: 1}, "unavailable", "", 0},
		{core.Event{Kind: core.EventUnavailable, ID: id, Took: 1}, "", "failed", 0}, // a touch
		{core.Event{Kind: core.EventUnavailable}, "", "", 0},                        // a watcher
		{core.Event{Kind: core.EventAborted, Took: 1}, "aborted", "", 0},
		{core.Event{Kind: core.EventCreated, ID: id, Bytes: 9, Took: 1}, "", "saved", 9},
		{core.Event{Kind: core.EventLogin, ID: id, Bytes: 9, Took: 1}, "", "saved", 9},
		{core.Event{Kind: core.EventLogout, ID: id, Bytes: 9, Took: 1}, "", "", 0},
		{core.Event{Kind: core.EventTouched, ID: id, Bytes: 9, Took: 1}, "", "touched", 0},
		{core.Event{Kind: core.EventDropped, Took: 1}, "", "dropped", 0},
		{core.Event{Kind: core.EventDropped}, "", "", 0}, // by Logout
		{core.Event{Kind: core.EventConflict, ID: id, Took: 1}, "", "", 0},
		{core.Event{Kind: core.EventFailed, Err: conflict, Took: 1}, "", "conflict", 0},
		{core.Event{Kind: core.EventFailed, Err: core.ErrUnavailable, Took: 1}, "", "failed", 0},
		{core.Event{Kind: core.EventFinished, ID: id}, "", "", 0},
	} {
		name := func(place int, ok bool, of []string) string {
			if !ok {
				return ""
			}
			return of[place]
		}
		i, ok := LoadOf(&tc.e)
		if got := name(i, ok, Loads); got != tc.load {
			t.Errorf("%v: load %q, want %q", tc.e, got, tc.load)
		}
		i, ok = CommitOf(&tc.e)
		if got := name(i, ok, Commits); got != tc.commit {
			t.Errorf("%v: commit %q, want %q", tc.e, got, tc.commit)
		}
		if n, ok := SizeOf(&tc.e); n != tc.size && ok || ok != (tc.size > 0) {
			t.Errorf("%v: size %d, want %d", tc.e, n, tc.size)
		}
	}
}

type slow struct{}

func (slow) Error() string { return "i/o timeout" }
func (slow) Timeout() bool { return true }

func TestErrorTypes(t *testing.T) {
	for want, errs := range map[string][]error{
		"timeout":       {context.DeadlineExceeded, slow{}},
		"canceled":      {context.Canceled},
		"conflict":      {core.ErrConflict},
		"too_large":     {core.ErrTooLarge, &core.SizeError{Key: "secret"}},
		"session_limit": {core.ErrSessionLimit},
		"ended":         {core.ErrEnded},
		Other:           {errors.New("dial tcp 10.0.0.1:6379"), core.ErrUnavailable},
	} {
		for _, err := range errs {
			if got := TypeOf(fmt.Errorf("core: %w: %w", core.ErrUnavailable, err)); got != want {
				t.Errorf("%v: %q, want %q", err, got, want)
			}
		}
	}
}

// Alerts compare with a time before, so what they look at begins at zero.
func TestAlertsMissNoFirstEvent(t *testing.T) {
	var alerting []string
	for _, o := range Occasions() {
		if o.Alerting() {
			alerting = append(alerting, string(o.Kind)+" "+string(o.Reason))
		}
	}
	slices.Sort(alerting)
	want := []string{
		"away ", "failed ", "rejected corrupt", "rejected newer", "rejected unknown", "too late afterwards", "too late late flash",
		"too late late logout", "too late no cookie", "too late read-only", "unavailable ",
	}
	if !slices.Equal(alerting, want) {
		t.Errorf("from zero: %q", alerting)
	}
}

// source is a core.Counter.
type source struct {
	core.Store
	n   int
	err error
}

func (s *source) Count(ctx context.Context) (int, error) {
	if _, ok := ctx.Deadline(); !ok {
		return 0, errors.New("no deadline: a scrape may hang")
	}
	return s.n, s.err
}

func TestSourcesSumOrSayNothing(t *testing.T) {
	var s Sources
	if _, known := s.Sessions(t.Context()); known {
		t.Error("known without a store")
	}
	one, two := &source{n: 3}, &source{n: 4}
	s.add(one)
	s.add(two)
	s.add(one) // of another Manager on the same store
	s.add(nil)
	if n, known := s.Sessions(t.Context()); n != 7 || !known {
		t.Errorf("%d sessions, known: %v", n, known)
	}
	two.err = errors.New("down")
	if n, known := s.Sessions(t.Context()); known {
		t.Errorf("%d sessions, while one store is down", n)
	}
	if _, ok := s.Migration(); ok {
		t.Error("a migration without one")
	}
	m := core.Migrating(nil, nil)
	s.AddMigration(nil)
	s.AddMigration(m)
	s.AddMigration(m)
	if _, ok := s.Migration(); !ok || len(s.migrations) != 1 {
		t.Errorf("%d migrations", len(s.migrations))
	}
}
