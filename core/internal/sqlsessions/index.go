package sqlsessions

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// A member of a user's index is reserved until it lapses, and once confirmed it counts
// as long as its session lives, which a join tells. Beside the members, the index has
// rows of its own, which are told by the length of their IDs.
var (
	counterRow = []byte{0}   // changes whenever a login under a limit is admitted; comes before all members
	markRow    = []byte("m") // the index has lost members, until it lapses
)

// reservationTime is how long a reservation waits for its Confirm.
const reservationTime = time.Minute

// A ceiling need not be exact. One of smallCeiling or more is looked at by every
// ceilingEvery-th login only, which then ends at most endAtOnce sessions.
const (
	smallCeiling = 64
	ceilingEvery = 16
	endAtOnce    = 256
)

// Reserve implements [core.UserIndex], in one round trip without a limit. Below an exact
// limit it takes two in PostgreSQL, and at most eight in MySQL. What it takes out of the
// index it also deletes, in the same step. A reservation lapses after one minute.
//
// Of a [core.Ceiling] of 64 or more, only every sixteenth call looks whether it has
// been reached.
func (s *Store) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) (end []core.ID, err error) {
	if err := fits(user); err != nil {
		return nil, s.failed("reserve", err)
	}
	seldom := policy == core.Ceiling && limit >= smallCeiling
	err = s.call(ctx, func(ctx context.Context, _ bool) error {
		end = nil
		exact := limit > 0 && !seldom
		if seldom && s.logins.Add(1)%ceilingEvery == 0 {
			n, err := s.number(ctx, user)
			if err != nil {
				return err
			}
			exact = n >= limit
		}
		if !exact {
			return s.enter(ctx, s.db, user, id)
		}
		if s.dialect == Postgres {
			end, err = s.admit(ctx, user, id, limit, policy)
			return err
		}
		return s.db.Tx(ctx, func(tx Runner) (err error) {
			end, err = s.admitIn(ctx, tx, user, id, limit, policy)
			return err
		})
	})
	if err != nil {
		return nil, s.failed("reserve", err)
	}
	s.sweeper.start(s)
	return end, nil
}

// enter makes id user's newest member, with a reservation. A confirmed one stays so: its
// session is in use.
func (s *Store) enter(ctx context.Context, on Runner, user string, id core.ID) error {
	_, err := on.Exec(ctx, s.st.enter, []byte(user), id[:], s.place(), s.config.Now().Add(reservationTime).UnixMilli())
	return err
}

// number returns about how many members user has.
func (s *Store) number(ctx context.Context, user string) (n int, err error) {
	err = s.db.Query(ctx, s.st.count, func(scan Scan) error { return scan(&n) }, []byte(user))
	return n, err
}

// admit makes an exact decision without a lock: it reads, decides, and has one statement
// carry it out unless another login was admitted meanwhile.
func (s *Store) admit(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	all, counter, err := s.membersOf(ctx, s.db, user)
	if err != nil {
		return nil, err
	}
	end, err := decide(all, id, limit, policy)
	if err != nil {
		return nil, err
	}
	over := make([]byte, 0, len(end)*len(id))
	for _, id := range end {
		over = append(over, id[:]...)
	}
	now, won := s.config.Now(), false
	err = s.db.Query(ctx, s.st.admit, func(Scan) error { won = true; return nil },
		[]byte(user), id[:], s.place(), now.Add(reservationTime).UnixMilli(), over, counterRow, random(), counter, now.UnixMilli())
	if err == nil && !won {
		err = errAgain
	}
	return end, err
}

// admitIn is admit in a transaction, which begins by locking the user's counter.
func (s *Store) admitIn(ctx context.Context, tx Runner, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	if err := s.count(ctx, tx, user); err != nil {
		return nil, err
	}
	all, _, err := s.membersOf(ctx, tx, user)
	if err != nil {
		return nil, err
	}
	end, err := decide(all, id, limit, policy)
	if err != nil {
		return nil, err
	}
	for part := range slices.Chunk(end, endAtOnce) {
		n, ids := padded(part)
		args := append([]any{[]byte(user)}, ids...)
		if _, err := tx.Exec(ctx, s.st.several(s, n, `DELETE FROM {s} WHERE owner = $1 AND id IN `), args...); err != nil {
			return nil, err
		}
		if _, err := tx.Exec(ctx, s.st.several(s, n, `DELETE FROM {m} WHERE owner = $1 AND id IN `), args...); err != nil {
			return nil, err
		}
	}
	return end, s.enter(ctx, tx, user, id)
}

// count changes user's counter, so that logins under a limit wait for the transaction,
// or find that others were faster.
func (s *Store) count(ctx context.Context, on Runner, user string) error {
	_, err := on.Exec(ctx, s.st.enter, []byte(user), counterRow, random(), s.config.Now().UnixMilli())
	return err
}

// member is one session in a user's index.
type member struct {
	id     core.ID
	counts bool // reserved, or confirmed and alive
}

// membersOf returns user's members in the order of entry, and the counter, -1 if there is
// none.
func (s *Store) membersOf(ctx context.Context, on Runner, user string) (all []member, counter int64, err error) {
	counter = -1
	err = on.Query(ctx, s.st.members, func(scan Scan) error {
		var (
			id      []byte
			entered int64
			counts  int
			m       member
		)
		if err := scan(&id, &entered, &counts); err != nil {
			return err
		}
		m.counts = counts == 1
		if len(id) == len(m.id) {
			copy(m.id[:], id)
			all = append(all, m)
		} else if slices.Equal(id, counterRow) {
			counter = entered
		}
		return nil
	}, []byte(user), s.config.Now().UnixMilli())
	return all, counter, err
}

// decide returns which of the members, oldest first, make room for id.
func decide(all []member, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	var others []core.ID
	for _, m := range all {
		if m.counts && m.id != id {
			others = append(others, m.id)
		}
	}
	excess := len(others) + 1 - limit
	switch {
	case excess <= 0:
		return nil, nil
	case policy == core.RefuseLogin:
		return nil, core.ErrSessionLimit
	case policy == core.Ceiling:
		excess = min(excess, endAtOnce)
	}
	return others[:min(excess, len(others))], nil
}

// Confirm implements [core.UserIndex], in one round trip. It needs no time: the index
// sees whether the session lives.
func (s *Store) Confirm(ctx context.Context, user string, id core.ID, _ time.Time) error {
	err := s.call(ctx, func(ctx context.Context, _ bool) error {
		now := s.config.Now().UnixMilli()
		n, err := s.db.Exec(ctx, s.st.confirm, []byte(user), id[:], now)
		if err != nil || n > 0 {
			return err
		}
		there := false
		if s.dialect == MySQL { // which does not count what stays as it was
			there, err = s.isThere(ctx, s.db, s.st.isMember, []byte(user), id[:], now)
		}
		if err == nil && !there {
			err = core.ErrNotFound
		}
		return err
	})
	if err != nil {
		return s.failed("confirm", err)
	}
	return nil
}

// isThere reports whether a statement returns a row.
func (s *Store) isThere(ctx context.Context, on Runner, st *Statement, args ...any) (there bool, err error) {
	err = on.Query(ctx, st, func(Scan) error { there = true; return nil }, args...)
	return there, err
}

// Release implements [core.UserIndex], in one round trip.
func (s *Store) Release(ctx context.Context, user string, id core.ID) error {
	err := s.call(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Exec(ctx, s.st.release, []byte(user), id[:])
		return err
	})
	if err != nil {
		return s.failed("release", err)
	}
	return nil
}

// List implements [core.UserIndex], in one round trip. It leaves out sessions that are
// gone.
func (s *Store) List(ctx context.Context, user string) ([]core.ID, error) {
	var (
		ids  []core.ID
		lost *core.IncompleteError
	)
	err := s.call(ctx, func(ctx context.Context, _ bool) error {
		ids, lost = nil, nil
		return s.db.Query(ctx, s.st.list, func(scan Scan) error {
			var (
				raw     []byte
				entered int64
				id      core.ID
			)
			if err := scan(&raw, &entered); err != nil {
				return err
			}
			if len(raw) == len(id) {
				copy(id[:], raw)
				ids = append(ids, id)
			} else if slices.Equal(raw, markRow) {
				lost = &core.IncompleteError{Restored: func(ctx context.Context) error { return s.restored(ctx, user, entered) }}
			}
			return nil
		}, []byte(user), s.config.Now().UnixMilli())
	})
	switch {
	case err != nil:
		return nil, s.failed("list", err)
	case lost != nil:
		return ids, lost
	}
	return ids, nil
}

// several returns a statement that begins with text and ends with a list of n arguments,
// after the arguments in text.
func (st *statements) several(s *Store, n int, text string) *Statement {
	type key struct {
		n    int
		text string
	}
	if known, ok := st.lists.Load(key{n, text}); ok {
		return known.(*Statement)
	}
	var list strings.Builder
	before := strings.Count(text, "$")
	for i := range n {
		fmt.Fprintf(&list, ", $%d", before+i+1)
	}
	known, _ := st.lists.LoadOrStore(key{n, text}, s.names.statement(text+"("+list.String()[2:]+")"))
	return known.(*Statement)
}

// pairs returns the statement that removes n members that have no session and no open
// reservation.
func (st *statements) pairs(s *Store, n int) *Statement {
	if known, ok := st.lists.Load(n); ok {
		return known.(*Statement)
	}
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, " OR owner = $%d AND id = $%d", 2*i+2, 2*i+3)
	}
	known, _ := st.lists.LoadOrStore(n, s.names.statement(`DELETE FROM {m} WHERE lapses <= $1 AND (`+list.String()[len(" OR "):]+
		`) AND NOT EXISTS (SELECT 1 FROM {s} WHERE {s}.id = {m}.id)`))
	return known.(*Statement)
}

// padded returns ids as arguments. It repeats the last until there are a power of two, so
// that few different statements come of it.
func padded(ids []core.ID) (int, []any) {
	n := 1
	for n < len(ids) {
		n *= 2
	}
	args := make([]any, n)
	for i := range args {
		args[i] = ids[min(i, len(ids)-1)][:]
	}
	return n, args
}

// random returns a random number above zero.
func random() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return int64(binary.BigEndian.Uint64(b[:])>>1 | 1)
}
