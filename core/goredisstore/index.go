package goredisstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
)

// A user's index is a hash from session ID to member. A member is three numbers:
// its place in the order of entry, when its reservation lapses (0: none), and
// until when it is confirmed:
//
//	-2  taken out to be deleted, but the deletion has not been reported; instead of
//	    when its reservation lapses, it has until when it was confirmed (0: not known)
//	-1  not confirmed
//	 0  for as long as its session lives
//	 t  for as long as its session lives, at most until t, which touches and saves move
//
// The member "" holds the number of the last entry. The member "!" marks an index that
// has lost some; it says which session was put back first, and when. In a cluster, the sessions
// lie in other slots than the index, so no script can check whether they live. Go
// checks, and passes vanished members to the script, which removes those that
// have not changed meanwhile.
const (
	notConfirmed = -1
	takenOut     = -2

	markMember = "!"
)

const (
	reservationTime = time.Minute

	// memberGrace is how much longer a session is a member than its expiry, as far as
	// the index was told.
	memberGrace = 5 * time.Minute

	// unboundedTime is how long the index lasts after a login of which it was not told
	// how long it lasts. Browsers keep no cookie longer.
	unboundedTime = 400 * 24 * time.Hour

	// healAbove is how many members List returns without checking whether they live.
	healAbove = 32

	// lookAtOnce is how many sessions one call looks up, and releaseAtOnce how
	// many it takes out. They keep each call within its timeout, however many
	// sessions a user has.
	lookAtOnce    = 1000
	releaseAtOnce = 1000
)

// The keys of indexes have userMark after the prefix, and then userHash bytes of the hash of
// the user.
const (
	userMark = "u:"
	userHash = 15
)

// UserKey returns the key of user's index. It does not show the user's name,
// which may be long or personal, but it is not secret.
func (s *Store) UserKey(user string) string {
	sum := sha256.Sum256([]byte(user))
	return s.config.Prefix + userMark + base64.RawURLEncoding.EncodeToString(sum[:userHash])
}

// Reserve implements [core.UserIndex], in one round trip, or at least three if it
// may have to remove members. It reads more than 64 of them only for an exact limit,
// or at a ceiling. A reservation lapses after one minute.
func (s *Store) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	now := s.config.Now()
	excess := "end"
	switch policy {
	case core.RefuseLogin:
		excess = "refuse"
	case core.Ceiling:
		excess = "ceiling"
	}
	args := []any{id.String(), now.UnixMilli(), now.Add(reservationTime).UnixMilli(), strconv.Itoa(max(limit, 0)), excess, "0"}
	keys := []string{s.UserKey(user)}
	answer, err := texts(s.enter(ctx, reserveScript, keys, args))
	if err == nil && len(answer) > 0 && answer[0] == "look" {
		var vanished []member
		if vanished, err = s.vanished(ctx, parseMembers(answer[1:])); err != nil {
			return nil, err
		}
		args[len(args)-1] = "1"
		for _, m := range vanished {
			args = append(args, m.id.String(), m.text)
		}
		answer, err = texts(s.enter(ctx, reserveScript, keys, args))
	}
	switch {
	case err != nil:
		return nil, failed("reserve", err)
	case len(answer) == 0 || answer[0] == "look":
		return nil, failed("reserve", errors.New("unexpected answer from the script"))
	case answer[0] == "limit":
		return nil, fmt.Errorf("goredisstore: reserve: %w", core.ErrSessionLimit)
	}
	var end []core.ID
	for _, text := range answer[1:] {
		if id, err := core.ParseID(text); err == nil {
			end = append(end, id)
		}
	}
	return end, nil
}

// texts returns the answer of a script that answers with a list.
func texts(answer any, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	list, _ := answer.([]any)
	all := make([]string, len(list))
	for i := range list {
		all[i], _ = list[i].(string)
	}
	return all, nil
}

// Confirm implements [core.UserIndex], in one round trip.
func (s *Store) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	now := s.config.Now()
	bound, lasts := int64(0), now.Add(unboundedTime)
	if !until.IsZero() {
		lasts = until.Add(memberGrace)
		bound = lasts.UnixMilli()
	}
	there, err := s.Run(ctx, confirmScript, s.UserKey(user), id.String(), now.UnixMilli(), bound, s.timeToLive(lasts))
	if err != nil {
		return failed("confirm", err)
	}
	if there != int64(1) {
		return fmt.Errorf("goredisstore: confirm: %w", core.ErrNotFound)
	}
	return nil
}

// Release implements [core.UserIndex], in one round trip.
func (s *Store) Release(ctx context.Context, user string, id core.ID) error {
	if _, err := s.Run(ctx, releaseScript, s.UserKey(user), s.config.Now().UnixMilli(), id.String(), ""); err != nil {
		return failed("release", err)
	}
	return nil
}

// List implements [core.UserIndex], in one round trip unless there are many
// members, or some are waiting to be deleted.
func (s *Store) List(ctx context.Context, user string) ([]core.ID, error) {
	answer, err := texts(s.Run(ctx, listScript, s.UserKey(user)))
	if err != nil {
		return nil, failed("list", err)
	}
	now, members := s.config.Now(), parseMembers(answer)
	var there, over []member
	check := len(members) > healAbove
	for _, m := range members {
		if m.over(now) {
			over = append(over, m)
			continue
		}
		there = append(there, m)
		check = check || m.till == takenOut
	}
	if check {
		vanished, err := s.vanished(ctx, there)
		if err != nil {
			return nil, err
		}
		over = append(over, vanished...)
		gone := make(map[core.ID]bool, len(vanished))
		for _, m := range vanished {
			gone[m.id] = true
		}
		there = slices.DeleteFunc(there, func(m member) bool { return gone[m.id] })
	}
	for part := range slices.Chunk(over, releaseAtOnce) {
		args := make([]any, 0, 1+2*len(part))
		args = append(args, now.UnixMilli())
		for _, m := range part {
			args = append(args, m.id.String(), m.text)
		}
		if _, err := s.Run(ctx, releaseScript, s.UserKey(user), args...); err != nil {
			return nil, failed("list", err)
		}
	}
	slices.SortFunc(there, func(a, b member) int { return cmp.Compare(a.number, b.number) })
	ids := make([]core.ID, len(there))
	for i, m := range there {
		ids[i] = m.id
	}
	if mark := markIn(answer); mark != "" {
		return ids, &core.IncompleteError{Restored: func(ctx context.Context) error {
			if _, err := s.Run(ctx, releaseScript, s.UserKey(user), s.config.Now().UnixMilli(), markMember, mark); err != nil {
				return failed("mend", err)
			}
			return nil
		}}
	}
	return ids, nil
}

// vanished returns the members whose sessions are gone. A member with an open
// reservation need not have a session yet.
func (s *Store) vanished(ctx context.Context, members []member) ([]member, error) {
	now := s.config.Now()
	looked := make([]member, 0, len(members))
	for _, m := range members {
		if m.till == takenOut || !now.Before(m.lapses) {
			looked = append(looked, m)
		}
	}
	var gone []member
	for part := range slices.Chunk(looked, lookAtOnce) {
		of, err := s.vanishedOf(ctx, part)
		if err != nil {
			return nil, err
		}
		gone = append(gone, of...)
	}
	return gone, nil
}

func (s *Store) vanishedOf(ctx context.Context, members []member) ([]member, error) {
	answers := make([]*redis.StringCmd, len(members))
	err := s.Within(ctx, func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, m := range members {
				answers[i] = Get(ctx, p, s.Key(m.id))
			}
			return nil
		})
		return err
	})
	if err != nil && !wrongType(err) && !errors.Is(err, redis.Nil) {
		return nil, failed("look for sessions", err)
	}
	var gone []member
	for i, m := range members {
		_, err := s.Loaded(answers[i].Bytes())
		switch {
		case errors.Is(err, core.ErrNotFound):
			gone = append(gone, m)
		case errors.Is(err, core.ErrUnavailable):
			return nil, err
		} // otherwise something is there, readable or not
	}
	return gone, nil
}
