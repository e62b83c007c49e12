package sqlsessions

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// markGrace is how much longer an index stays marked than what Mend has entered lives.
const markGrace = 5 * time.Minute

// Mend implements [core.Mender], in one round trip if nothing is missing.
func (s *Store) Mend(ctx context.Context, user string, id core.ID, until time.Time) error {
	if err := fits(user); err != nil {
		return s.failed("mend", err)
	}
	err := s.call(ctx, func(ctx context.Context, _ bool) error { return s.mend(ctx, user, id, until) })
	if err != nil {
		return s.failed("mend", err)
	}
	return nil
}

// errNothing ends a transaction that has nothing to store.
var errNothing = errors.New("nothing to store")

func (s *Store) mend(ctx context.Context, user string, id core.ID, until time.Time) error {
	now, place, lasts := s.config.Now().UnixMilli(), s.place(), ceil(until.Add(markGrace))
	if s.dialect == Postgres {
		_, err := s.db.Exec(ctx, s.st.mend, []byte(user), id[:], place, now, markRow, lasts)
		return err
	}
	there, err := s.isThere(ctx, s.db, s.st.isMember, []byte(user), id[:], now)
	if err != nil || there {
		return err
	}
	err = s.db.Tx(ctx, func(tx Runner) error {
		n, err := tx.Exec(ctx, s.st.mend, []byte(user), id[:], place, now)
		if err == nil && n == 0 {
			err = errNothing
		}
		if err == nil {
			_, err = tx.Exec(ctx, s.st.mark, []byte(user), markRow, place, lasts)
		}
		return err
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return err
}

// TouchAndMend implements [core.TouchMender], in one round trip in PostgreSQL and two
// otherwise, if nothing is missing.
func (s *Store) TouchAndMend(ctx context.Context, user string, id core.ID, base core.Version, expires time.Time) error {
	if s.dialect != Postgres {
		err := s.Touch(ctx, id, base, expires)
		if err == nil {
			_ = s.Mend(ctx, user, id, expires)
		}
		return err
	}
	var touched, member int
	err := s.call(ctx, func(ctx context.Context, _ bool) error {
		at := ceil(expires)
		err := s.db.Query(ctx, s.st.touchAndFind, func(scan Scan) error { return scan(&touched, &member) },
			id[:], int64(base), at, bucket(at), s.config.Now().UnixMilli(), []byte(user))
		if err == nil && touched == 0 {
			err = s.stillThere(ctx, id)
		}
		return err
	})
	if err != nil {
		return s.failed("touch", err)
	}
	if member == 0 {
		_ = s.Mend(ctx, user, id, expires) // its failure fails nothing: the next touch tries again
	}
	return nil
}

// restored takes user's mark away if it is the one that was entered at place.
func (s *Store) restored(ctx context.Context, user string, place int64) error {
	err := s.call(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Exec(ctx, s.st.unmark, []byte(user), markRow, place)
		return err
	})
	if err != nil {
		return s.failed("mend", err)
	}
	return nil
}

// Forgetful implements [core.Mender]: a database drops nothing at will.
func (s *Store) Forgetful() bool { return false }

// Search implements [core.Mender]. It reads the table in small steps: ten seconds
// bound each step, but only ctx bounds the whole.
func (s *Store) Search(ctx context.Context, users ...string) ([]core.ID, error) {
	var found []core.ID
	for from, more := []byte{}, true; more; {
		var ids []core.ID
		next := from
		err := s.step(ctx, func(ctx context.Context) error {
			rows := 0
			ids, next, more = nil, from, false
			err := s.db.Query(ctx, s.st.search, func(scan Scan) error {
				var (
					raw, owner []byte
					expires    int64
					id         core.ID
				)
				if err := scan(&raw, &owner, &expires); err != nil {
					return err
				}
				rows++
				next = raw
				if len(raw) == copy(id[:], raw) && owner != nil && slices.Contains(users, string(owner)) && expires > s.config.Now().UnixMilli() {
					ids = append(ids, id)
				}
				return nil
			}, from)
			more = rows == 1000
			return err
		})
		if err != nil {
			return nil, s.failed("search", err)
		}
		found, from = append(found, ids...), next
	}
	return found, nil
}
