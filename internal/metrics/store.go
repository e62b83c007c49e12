package metrics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/satchel-go/satchel/core"
)

// Call is a call of a store: one series of the histogram of calls.
type Call struct{ Operation, Outcome, ErrorType string }

// The operations, in the order of their names.
const (
	opLoad = iota
	opSave
	opTouch
	opDelete
	opReserve
	opConfirm
	opRelease
	opList
	opMend
	opSearch
)

var operations = []string{"load", "save", "touch", "delete", "reserve", "confirm", "release", "list", "mend", "search"}

// The results of calls, in the order of results.
const (
	ok = iota
	notFound
	conflict
	limit
	unreadable
	timeout
	canceled
	failed
)

var results = []Call{
	ok: {Outcome: "ok"}, notFound: {Outcome: "not_found"}, conflict: {Outcome: "conflict"}, limit: {Outcome: "limit"},
	unreadable: {Outcome: "unreadable"},
	timeout:    {Outcome: "error", ErrorType: "timeout"}, canceled: {Outcome: "error", ErrorType: "canceled"}, failed: {Outcome: "error", ErrorType: Other},
}

// AllCalls returns all series of calls. There are no others, whatever a store answers.
func AllCalls() (all []Call) {
	for _, operation := range operations {
		for _, c := range results {
			c.Operation = operation
			all = append(all, c)
		}
	}
	return all
}

// place returns the place of a call among AllCalls.
func place(operation int, err error) int { return operation*len(results) + resultOf(err) }

func resultOf(err error) int {
	if err == nil {
		return ok
	}
	switch {
	case errors.Is(err, core.ErrUnavailable): // whatever else it is
	case errors.Is(err, core.ErrNotFound):
		return notFound
	case errors.Is(err, core.ErrConflict):
		return conflict
	case errors.Is(err, core.ErrSessionLimit):
		return limit
	case errors.Is(err, core.ErrCorrupt), errors.Is(err, core.ErrNewerVersion):
		return unreadable
	}
	var incomplete *core.IncompleteError // As allocates: only for what happens rarely
	if errors.As(err, &incomplete) {
		return ok // that is an answer
	}
	switch TypeOf(err) {
	case "timeout":
		return timeout
	case "canceled":
		return canceled
	}
	return failed
}

// Recorder keeps measurements of calls. It is safe for concurrent use.
type Recorder interface {
	// Called records a call, by its place among AllCalls. It does not get the context: to
	// look for a span in that of a commit allocates.
	Called(place int, took time.Duration)

	// Same reports whether r records into the same series.
	Same(r Recorder) bool
}

// Store returns store with its calls measured. It keeps all abilities of store. One that
// the same series measure already, itself or in what it wraps, is returned as it is:
// each call counts once.
func Store(store core.Store, r Recorder) (measuredStore core.Store, added bool) {
	for s := store; s != nil; {
		if m, ok := s.(interface{ recorder() Recorder }); ok && m.recorder().Same(r) {
			return store, false
		}
		w, ok := s.(interface{ Unwrap() core.Store })
		if !ok {
			break
		}
		s = w.Unwrap()
	}
	if store == nil {
		return nil, false // which core.New refuses, and says so
	}
	return measure(store, r), true
}

func measure(store core.Store, r Recorder) core.Store {
	m := &measured{store, r}
	index, ok := core.StoreAs[core.UserIndex](store)
	if !ok {
		return m
	}
	indexed := &measuredIndex{m, index}
	mender, ok := index.(core.Mender)
	if !ok {
		return indexed
	}
	mending := &measuredMender{indexed, mender}
	if both, ok := store.(core.TouchMender); ok {
		return &measuredTouchMender{mending, both}
	}
	return mending
}

// measured is a store whose calls are measured. The core finds the abilities that are
// not here through Unwrap. The types below add those for which it does not look there.
type measured struct {
	inner core.Store
	r     Recorder
}

// measuredIndex is a measured store with a UserIndex.
type measuredIndex struct {
	*measured
	index core.UserIndex
}

// measuredMender is a measured store whose UserIndex is a Mender.
type measuredMender struct {
	*measuredIndex
	mender core.Mender
}

// measuredTouchMender is a measuredMender that touches and mends in one.
type measuredTouchMender struct {
	*measuredMender
	both core.TouchMender
}

var (
	_ core.Store                    = (*measured)(nil)
	_ core.Configurable[core.Store] = (*measured)(nil)
	_ core.UserIndex                = (*measuredIndex)(nil)
	_ core.Mender                   = (*measuredMender)(nil)
	_ core.TouchMender              = (*measuredTouchMender)(nil)
)

func (s *measured) recorder() Recorder { return s.r }

// Unwrap returns the store that is measured.
func (s *measured) Unwrap() core.Store { return s.inner }

// WithConfig implements [core.Configurable], for a store that does.
func (s *measured) WithConfig(c core.Config) (core.Store, error) {
	inner := s.inner
	if configurable, ok := inner.(core.Configurable[core.Store]); ok {
		var err error
		if inner, err = configurable.WithConfig(c); err != nil {
			return nil, err
		}
	}
	return measure(inner, s.r), nil
}

// Format implements [fmt.Formatter]: it prints what the store inside prints.
func (s *measured) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), s.inner)
}

func (s *measured) called(operation int, begun time.Time, err error) {
	s.r.Called(place(operation, err), time.Since(begun))
}

func (s *measured) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	begun := time.Now()
	e, err := s.inner.Load(ctx, id)
	s.called(opLoad, begun, err)
	return e, err
}

func (s *measured) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	begun := time.Now()
	v, err := s.inner.Save(ctx, id, e, base)
	s.called(opSave, begun, err)
	return v, err
}

func (s *measured) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	begun := time.Now()
	err := s.inner.Touch(ctx, id, base, expires)
	s.called(opTouch, begun, err)
	return err
}

func (s *measured) Delete(ctx context.Context, id core.ID) error {
	begun := time.Now()
	err := s.inner.Delete(ctx, id)
	s.called(opDelete, begun, err)
	return err
}

func (s *measuredIndex) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	begun := time.Now()
	end, err := s.index.Reserve(ctx, user, id, limit, policy)
	s.called(opReserve, begun, err)
	return end, err
}

func (s *measuredIndex) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	begun := time.Now()
	err := s.index.Confirm(ctx, user, id, until)
	s.called(opConfirm, begun, err)
	return err
}

func (s *measuredIndex) Release(ctx context.Context, user string, id core.ID) error {
	begun := time.Now()
	err := s.index.Release(ctx, user, id)
	s.called(opRelease, begun, err)
	return err
}

func (s *measuredIndex) List(ctx context.Context, user string) ([]core.ID, error) {
	begun := time.Now()
	ids, err := s.index.List(ctx, user)
	s.called(opList, begun, err)
	return ids, err
}

func (s *measuredMender) Mend(ctx context.Context, user string, id core.ID, until time.Time) error {
	begun := time.Now()
	err := s.mender.Mend(ctx, user, id, until)
	s.called(opMend, begun, err)
	return err
}

func (s *measuredMender) Search(ctx context.Context, users ...string) ([]core.ID, error) {
	begun := time.Now()
	ids, err := s.mender.Search(ctx, users...)
	s.called(opSearch, begun, err)
	return ids, err
}

func (s *measuredMender) Forgetful() bool { return s.mender.Forgetful() }

// TouchAndMend implements [core.TouchMender]. It is one call, and counts as a touch.
func (s *measuredTouchMender) TouchAndMend(ctx context.Context, user string, id core.ID, base core.Version, expires time.Time) error {
	begun := time.Now()
	err := s.both.TouchAndMend(ctx, user, id, base, expires)
	s.called(opTouch, begun, err)
	return err
}
