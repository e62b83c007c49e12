package gorillastore

import (
	"context"
	"errors"
	"net/http"

	"github.com/gorilla/sessions"
	"github.com/rbcervilla/redisstore/v9"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
)

// RedisPrefix is the default key prefix of [RedisStore] and of redisstore itself.
const RedisPrefix = "session:"

// RedisStore returns a store for [core.ServerSide] that keeps sessions in Redis
// through rbcervilla/redisstore, with every promise of package core. redisstore
// loads and deletes them with its key prefix and serializer; its session IDs are
// Satchel's IDs. RedisStore does not use redisstore's Save, which overwrites and
// re-creates sessions blindly. Instead, it compares and sets the same key, as
// package goredisstore does. client must meet the requirements of
// [goredisstore.New].
//
// The Prefix in c is [RedisPrefix] by default.
//
// No gorilla program can read these sessions; for that, see [RedisCompatible].
func RedisStore(client redis.UniversalClient, c goredisstore.Config) core.Store {
	if c.Prefix == "" {
		c.Prefix = RedisPrefix
	}
	s := &redisStore{Store: goredisstore.New(client, c)}
	if s.Client() == nil {
		return s // Validate says so
	}
	s.redisstore = newRedisStore(goredisstore.Primary(s.Client()), c.Prefix, entrySerializer{})
	return s
}

// newRedisStore returns a redisstore with these settings.
func newRedisStore(client redis.UniversalClient, prefix string, serializer redisstore.SessionSerializer) *redisstore.RedisStore {
	// NewRedisStore sends a PING. Without a server, that would take seconds and then
	// fail with a vaguer error than Validate's. The cancelled ctx prevents it.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s, _ := redisstore.NewRedisStore(ctx, client)
	s.KeyPrefix(prefix)
	s.Serializer(serializer)
	return s
}

// redisStore is the native store with redisstore's loads and deletes.
type redisStore struct {
	*goredisstore.Store

	redisstore *redisstore.RedisStore
}

// sessionName is the name of redisstore's cookie. Clients never see it: redisstore
// gets only requests that are made up here.
const sessionName = "s"

// Load implements [core.Store], in one round trip.
func (s *redisStore) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	var value []byte
	err := s.Within(ctx, func(ctx context.Context) error {
		session, err := s.redisstore.New(newRequest(ctx, sessionName, id.String()), sessionName)
		if err == nil && session.IsNew {
			return redis.Nil
		}
		value, _ = session.Values[entryKey].([]byte)
		return err
	})
	if err != nil {
		return s.Loaded(nil, err)
	}
	return s.Loaded(value, nil)
}

// Delete implements [core.Store], in two round trips: the second notifies watchers.
func (s *redisStore) Delete(ctx context.Context, id core.ID) error {
	session := sessions.NewSession(s.redisstore, sessionName)
	session.ID = id.String()
	session.Options.MaxAge = -1
	return s.Deleted(ctx, id, s.Within(ctx, func(ctx context.Context) error {
		return session.Save(newRequest(ctx, sessionName, ""), cookieCapture{http.Header{}})
	}))
}

// entryKey is the key of the stored bytes in redisstore's session.
type entryKeyType struct{}

var entryKey entryKeyType

// entrySerializer passes bytes through, because Redis holds the entry instead of
// redisstore's map.
type entrySerializer struct{}

func (entrySerializer) Deserialize(b []byte, s *sessions.Session) error {
	s.Values[entryKey] = b
	return nil
}

func (entrySerializer) Serialize(*sessions.Session) ([]byte, error) {
	return nil, errors.New("gorillastore: redisstore's Save must not be used")
}
