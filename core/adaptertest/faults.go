package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// op is an operation of a session backend.
type op string

const (
	opLoad   op = "load"
	opSave   op = "save"
	opTouch  op = "touch"
	opDelete op = "delete"
)

var errDown = errors.New("adaptertest: the backend is down")

// faults counts a backend's operations, and makes them fail or wait as a case
// wants.
type faults struct {
	mu     sync.Mutex
	counts map[op]int
	hooks  map[op]func(context.Context) error
	lost   map[op]error
	mangle func(core.Entry) core.Entry
	begin  func() // called before faults of loads; nil for none
}

func newFaults() *faults {
	return &faults{counts: map[op]int{}, hooks: map[op]func(context.Context) error{}, lost: map[op]error{}}
}

// before counts an operation and runs the case's hook.
func (f *faults) before(ctx context.Context, o op) error {
	f.mu.Lock()
	f.counts[o]++
	hook := f.hooks[o]
	f.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx)
}

// after returns the error that hides an operation's success.
func (f *faults) after(o op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost[o]
}

// count returns how often o was called.
func (f *faults) count(o op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[o]
}

// hook runs fn before every o; a nil fn ends that.
func (f *faults) hook(o op, fn func(context.Context) error) {
	if o == opLoad && fn != nil && f.begin != nil {
		f.begin()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks[o] = fn
}

// down makes operations fail.
func (f *faults) down(ops ...op) {
	for _, o := range ops {
		f.hook(o, func(context.Context) error { return fmt.Errorf("%w: %w", core.ErrUnavailable, errDown) })
	}
}

// up ends all faults.
func (f *faults) up() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.hooks)
	clear(f.lost)
	f.mangle = nil
}

// loseAnswer lets o succeed but reports err; nil ends that.
func (f *faults) loseAnswer(o op, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost[o] = err
}

// corrupt changes every entry that is loaded.
func (f *faults) corrupt(mangle func(core.Entry) core.Entry) {
	if f.begin != nil {
		f.begin()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mangle = mangle
}

// faultyStore is a store that counts and can be told to fail. To the core it seems
// to wait for a network, so that deadlines apply.
type faultyStore struct {
	core.Store
	faults *faults
}

// Unwrap lets the core find the store's optional abilities.
func (s *faultyStore) Unwrap() core.Store { return s.Store }

// Local implements [core.Local].
func (s *faultyStore) Local() bool { return false }

// WithConfig implements [core.Configurable], for a store that does.
func (s *faultyStore) WithConfig(c core.Config) (core.Store, error) {
	inner, err := configured(s.Store, c)
	return &faultyStore{inner, s.faults}, err
}

// Load implements [core.Store].
func (s *faultyStore) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if err := s.faults.before(ctx, opLoad); err != nil {
		return core.Entry{}, err
	}
	e, err := s.Store.Load(ctx, id)
	s.faults.mu.Lock()
	mangle := s.faults.mangle
	s.faults.mu.Unlock()
	if err == nil && mangle != nil {
		e = mangle(e)
	}
	return e, err
}

// Save implements [core.Store].
func (s *faultyStore) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if err := s.faults.before(ctx, opSave); err != nil {
		return 0, err
	}
	v, err := s.Store.Save(ctx, id, e, base)
	if lost := s.faults.after(opSave); err == nil && lost != nil {
		return 0, lost
	}
	return v, err
}

// Touch implements [core.Store].
func (s *faultyStore) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	if err := s.faults.before(ctx, opTouch); err != nil {
		return err
	}
	return s.Store.Touch(ctx, id, base, expires)
}

// Delete implements [core.Store].
func (s *faultyStore) Delete(ctx context.Context, id core.ID) error {
	if err := s.faults.before(ctx, opDelete); err != nil {
		return err
	}
	return s.Store.Delete(ctx, id)
}

// faultySealer is a sealer that counts and can be told to fail.
type faultySealer struct {
	core.Sealer
	faults *faults
}

// WithConfig implements [core.Configurable], for a sealer that does.
func (s *faultySealer) WithConfig(c core.Config) (core.Sealer, error) {
	inner, err := configured(s.Sealer, c)
	return &faultySealer{inner, s.faults}, err
}

// Open implements [core.Sealer].
func (s *faultySealer) Open(ctx context.Context, scope core.Scope, token string) (*core.Record, error) {
	if err := s.faults.before(ctx, opLoad); err != nil {
		return nil, err
	}
	return s.Sealer.Open(ctx, scope, token)
}

// Seal implements [core.Sealer].
func (s *faultySealer) Seal(ctx context.Context, scope core.Scope, r *core.Record) (string, error) {
	if err := s.faults.before(ctx, opSave); err != nil {
		return "", err
	}
	token, err := s.Sealer.Seal(ctx, scope, r)
	if lost := s.faults.after(opSave); err == nil && lost != nil {
		return "", lost
	}
	return token, err
}
