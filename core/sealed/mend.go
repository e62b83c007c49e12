package sealed

import (
	"context"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// encryptedMender is an encryptedIndex whose wrapped index can be mended.
type encryptedMender struct {
	*encryptedIndex
	mender core.Mender // the wrapped index
}

var (
	_ core.Mender      = (*encryptedMender)(nil)
	_ core.TouchMender = (*encryptedMender)(nil)
)

// Mend implements [core.Mender], under the pseudonym that the entry carries.
func (s *encryptedMender) Mend(ctx context.Context, user string, id core.ID, until time.Time) error {
	if s.err != nil {
		return s.err
	}
	names := s.names(user)
	if !s.rotating() {
		return s.mender.Mend(ctx, names[0], id, until)
	}
	e, err := s.inner.Load(core.Fresh(ctx), id)
	switch {
	case isGone(err):
		return nil
	case err != nil:
		return err
	case !slices.Contains(names, e.User):
		return nil
	}
	return s.mender.Mend(ctx, e.User, id, until)
}

// TouchAndMend implements [core.TouchMender]. While keys rotate, it first has to
// see under which pseudonym the entry is.
func (s *encryptedMender) TouchAndMend(ctx context.Context, user string, id core.ID, base core.Version, expires time.Time) error {
	if s.err != nil {
		return s.err
	}
	if t, ok := s.inner.(core.TouchMender); ok && !s.rotating() {
		return t.TouchAndMend(ctx, s.keys()[0].pseudonym(user), id, base, expires)
	}
	if err := s.inner.Touch(ctx, id, base, expires); err != nil {
		return err
	}
	_ = s.Mend(ctx, user, id, expires)
	return nil
}

// Search implements [core.Mender], under every pseudonym.
func (s *encryptedMender) Search(ctx context.Context, users ...string) ([]core.ID, error) {
	if s.err != nil {
		return nil, s.err
	}
	var names []string
	for _, user := range users {
		names = append(names, s.names(user)...)
	}
	return s.mender.Search(ctx, names...)
}

// Forgetful implements [core.Mender].
func (s *encryptedMender) Forgetful() bool { return s.mender.Forgetful() }
