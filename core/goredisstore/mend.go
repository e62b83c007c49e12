package goredisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/entry"
)

// Mend implements [core.Mender], in one round trip, or two in a cluster. It keeps a
// member for five minutes longer than until.
func (s *Store) Mend(ctx context.Context, user string, id core.ID, until time.Time) error {
	keys, args := s.mending(user, id, until)
	if len(keys) == 1 { // the script cannot see the session
		if _, err := s.Load(ctx, id); errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrUnavailable) {
			return nil
		}
	}
	if _, err := s.enter(ctx, mendScript, keys, args); err != nil {
		return failed("mend", err)
	}
	return nil
}

// mending returns what mendScript needs. Only on one server can it see whether the
// session is there.
func (s *Store) mending(user string, id core.ID, until time.Time) (keys []string, args []any) {
	keys = append(make([]string, 0, 2), s.UserKey(user))
	if _, one := s.client.(*redis.Client); one {
		keys = append(keys, s.Key(id))
	}
	return keys, []any{id.String(), s.config.Now().UnixMilli(), until.Add(memberGrace).UnixMilli()}
}

// TouchAndMend implements [core.TouchMender], in one round trip: a pipeline, which a
// cluster's client sends to both servers at once.
func (s *Store) TouchAndMend(ctx context.Context, user string, id core.ID, base core.Version, expires time.Time) error {
	keys, args := s.mending(user, id, expires)
	var (
		result  any
		entered string
		unable  bool // the server does not know the script, or the index is none
	)
	err := s.Within(ctx, func(ctx context.Context) error {
		touch := newCommand(ctx, touchScript.command, s.touching(id, base, expires))
		mend := newCommand(ctx, mendScript.command, arguments(keys, args))
		_, _ = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			_ = p.Process(ctx, touch)
			return p.Process(ctx, mend)
		})
		entered, _ = mend.Val().(string)
		unable = mend.Err() != nil && redis.HasErrorPrefix(mend.Err(), "NOSCRIPT") || wrongType(mend.Err())
		result = touch.Val()
		return touch.Err() // that of mend fails nothing
	})
	switch {
	case err == nil && unable, err != nil && isAnswer(err):
		// One by one: the server has no script, or is a replica by now.
		if err = s.Touch(ctx, id, base, expires); err == nil {
			_ = s.Mend(ctx, user, id, expires)
		}
		return err
	case err != nil:
		return failed("touch", err)
	case result == int64(-1):
		if entered != "" { // on another server than the session was, and perhaps with a mark
			_, _ = s.Run(ctx, releaseScript, keys[0], args[1], id.String(), entered, markMember, fmt.Sprint(args[0], " ", args[1]))
		}
		return fmt.Errorf("goredisstore: touch: %w", core.ErrNotFound)
	}
	return nil
}

// Forgetful implements [core.Mender]: see [Config.AllowEviction].
func (s *Store) Forgetful() bool { return s.config.AllowEviction }

// Search implements [core.Mender]. Like [Store.DeleteAll], it walks through the keys
// in small steps, on every master of a cluster, and only ctx bounds the whole.
func (s *Store) Search(ctx context.Context, users ...string) ([]core.ID, error) {
	search := searching{store: s, users: users, found: map[core.ID]bool{}}
	for _, user := range users {
		search.length = max(search.length, entry.HeadLength+binary.MaxVarintLen16+len(user))
	}
	if err := s.onMasters(ctx, search.on); err != nil {
		return nil, failed("search", err)
	}
	ids := make([]core.ID, 0, len(search.found))
	for id := range search.found {
		ids = append(ids, id)
	}
	return ids, nil
}

// searching is one Search.
type searching struct {
	store  *Store
	users  []string
	length int // how many bytes of an entry show its user

	mu    sync.Mutex
	found map[core.ID]bool
}

func (f *searching) on(ctx context.Context, c redis.Cmdable) error {
	pattern := globEscaper.Replace(f.store.config.Prefix) + "*"
	var cursor uint64
	for {
		next, err := f.batch(ctx, c, cursor, pattern)
		if err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return ctx.Err()
		}
	}
}

// batch looks at some keys. It asks for one of them as a master only answers: a
// replica may lack sessions.
func (f *searching) batch(ctx context.Context, c redis.Cmdable, cursor uint64, pattern string) (uint64, error) {
	var next uint64
	err := f.store.Within(ctx, func(ctx context.Context) error {
		keys, after, err := c.Scan(ctx, cursor, pattern, batch).Result()
		next = after
		keys = slices.DeleteFunc(keys, func(key string) bool { _, ok := f.id(key); return !ok })
		if err != nil || len(keys) == 0 {
			return err
		}
		heads := make([]*redis.StringCmd, len(keys))
		_, err = c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, key := range keys {
				heads[i] = p.GetRange(ctx, key, 0, int64(f.length)-1)
			}
			_ = Get(ctx, p, keys[0])
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) && !wrongType(err) {
			return err
		}
		return f.add(keys, heads)
	})
	if err != nil {
		return 0, err
	}
	return next, nil
}

// id returns the session that key is of, if it is of one.
func (f *searching) id(key string) (core.ID, bool) {
	id, err := core.ParseID(strings.TrimPrefix(key, f.store.config.Prefix))
	return id, err == nil
}

func (f *searching) add(keys []string, heads []*redis.StringCmd) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, key := range keys {
		head, err := heads[i].Bytes()
		if err != nil && !wrongType(err) {
			return err
		}
		if user, ok := userIn(head); ok && slices.Contains(f.users, user) {
			id, _ := f.id(key)
			f.found[id] = true
		}
	}
	return nil
}

// userIn returns the user at the beginning of an entry, if it is complete.
func userIn(head []byte) (string, bool) {
	if len(head) < entry.HeadLength || head[0] != entry.WithUser {
		return "", false
	}
	n, size := binary.Uvarint(head[entry.HeadLength:])
	if size <= 0 || n > uint64(len(head)-entry.HeadLength-size) {
		return "", false
	}
	return string(head[entry.HeadLength+size:][:n]), true
}
