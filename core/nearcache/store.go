package nearcache

import (
	"context"
	"errors"
	"time"

	"github.com/satchel-go/satchel/core"
)

// Store is a [core.Store] that answers from copies of another's entries. It has the
// abilities of the other one. It is safe for concurrent use.
type Store struct {
	*cache // shared by what WithConfig returns
	inner  core.Store
	now    func() time.Time
}

var (
	_ core.Store                    = (*Store)(nil)
	_ core.TouchMender              = (*Store)(nil)
	_ core.AllDeleter               = (*Store)(nil)
	_ core.Windowed                 = (*Store)(nil)
	_ core.Configurable[core.Store] = (*Store)(nil)
)

// Unwrap returns the wrapped store.
func (s *Store) Unwrap() core.Store { return s.inner }

// Window implements [core.Windowed].
func (s *Store) Window() time.Duration { return s.config.Window }

// WithConfig implements [core.Configurable]: what it returns has the Manager's clock, and
// the same copies.
func (s *Store) WithConfig(c core.Config) (core.Store, error) {
	clone := *s
	if s.config.Now == nil {
		clone.now = c.Now
	}
	if inner, ok := s.inner.(core.Configurable[core.Store]); ok {
		var err error
		if clone.inner, err = inner.WithConfig(c); err != nil {
			return nil, err
		}
	}
	return &clone, nil
}

// Load implements [core.Store]: from a copy, unless [core.IsFresh]. An expired copy is no
// answer, and neither is that there was none: only the store says that a session is gone.
func (s *Store) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if !core.IsFresh(ctx) {
		if e, ok := s.get(id); ok && s.now().Before(e.Expires) {
			return e, nil
		}
	}
	m := s.begin(id)
	e, err := s.inner.Load(ctx, id)
	switch {
	case err == nil:
		s.put(id, m, e)
	case errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrUnavailable):
		s.drop(id)
	default:
		s.abandon(id, m)
	}
	return e, err
}

// Save implements [core.Store]. What was saved is the new copy. After an error nobody knows
// what is stored.
func (s *Store) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	m := s.beginAlone(id)
	v, err := s.inner.Save(ctx, id, e, base)
	if err != nil {
		s.drop(id)
		return v, err
	}
	e.Version = v
	s.putAlone(id, m, e)
	return v, nil
}

// Touch implements [core.Store]. It does not say whether it has moved the expiry, so there
// is no copy afterwards.
func (s *Store) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	s.drop(id)
	defer s.drop(id)
	return s.inner.Touch(ctx, id, base, expires)
}

// TouchAndMend implements [core.TouchMender], as well as the wrapped store can.
func (s *Store) TouchAndMend(ctx context.Context, user string, id core.ID, base core.Version, expires time.Time) error {
	s.drop(id)
	defer s.drop(id)
	if both, ok := s.inner.(core.TouchMender); ok {
		return both.TouchAndMend(ctx, user, id, base, expires)
	}
	if err := s.Touch(ctx, id, base, expires); err != nil { // drops what was read meanwhile, however long Mend takes
		return err
	}
	if index, ok := core.StoreAs[core.UserIndex](s.inner); ok {
		if mender, ok := index.(core.Mender); ok {
			_ = mender.Mend(ctx, user, id, expires) // the next touch tries again
		}
	}
	return nil
}

// Delete implements [core.Store].
func (s *Store) Delete(ctx context.Context, id core.ID) error {
	s.drop(id)
	defer s.drop(id) // what was read meanwhile
	return s.inner.Delete(ctx, id)
}

// DeleteAll implements [core.AllDeleter]. It returns [core.ErrUnsupported] if the wrapped
// store does not.
func (s *Store) DeleteAll(ctx context.Context) error {
	all, ok := core.StoreAs[core.AllDeleter](s.inner)
	if !ok {
		return core.ErrUnsupported
	}
	s.clear()
	defer s.clear()
	return all.DeleteAll(ctx)
}
