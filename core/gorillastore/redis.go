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

// RedisPrefix begins the keys of [Redis], as it does redisstore's own.
const RedisPrefix = "session:"

// Redis returns a backend that keeps sessions in Redis through
// rbcervilla/redisstore, with every promise of package core: redisstore loads
// and deletes, under its key prefix and through its serializer, and Satchel's
// IDs are its session IDs. Only its Save is not used, which overwrites and
// re-creates blindly: Satchel compares and sets the same key instead, as
// package goredisstore does, whose demands on client hold here too.
//
// The sessions are Satchel's and no gorilla program can read them: for that
// see RedisCompatible.
func Redis(client redis.UniversalClient) core.Backend {
	return core.ServerSide(RedisStore(client, goredisstore.Config{}))
}

// RedisStore returns the store behind [Redis], for options and for wrappers.
// The Prefix in c is [RedisPrefix] by default.
func RedisStore(client redis.UniversalClient, c goredisstore.Config) core.Store {
	if c.Prefix == "" {
		c.Prefix = RedisPrefix
	}
	s := &redisStore{Store: goredisstore.New(client, c)}
	if s.Client() == nil {
		return s // Validate says so
	}
	// NewRedisStore sends a PING, which would take seconds without a server, and fail
	// with less of an explanation than Validate.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.redisstore, _ = redisstore.NewRedisStore(ctx, goredisstore.Primary(s.Client()))
	s.redisstore.KeyPrefix(c.Prefix)
	s.redisstore.Serializer(entrySerializer{})
	return s
}

// redisStore is the native store, except for what redisstore does.
type redisStore struct {
	*goredisstore.Store

	redisstore *redisstore.RedisStore
}

// sessionName is what redisstore looks for among the cookies. Clients never
// see it: what redisstore is given are requests made up here.
const sessionName = "s"

// Load implements [core.Store], in one round trip.
func (s *redisStore) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	var value []byte
	err := s.Within(ctx, func(ctx context.Context) error {
		request := &http.Request{Header: http.Header{"Cookie": {sessionName + "=" + id.String()}}}
		session, err := s.redisstore.New(request.WithContext(ctx), sessionName)
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

// Delete implements [core.Store], in two round trips: the second tells those
// who wait for the session's end.
func (s *redisStore) Delete(ctx context.Context, id core.ID) error {
	session := sessions.NewSession(s.redisstore, sessionName)
	session.ID = id.String()
	session.Options.MaxAge = -1
	return s.Deleted(ctx, id, s.Within(ctx, func(ctx context.Context) error {
		return session.Save((&http.Request{}).WithContext(ctx), noResponse{})
	}))
}

// entryKey is where redisstore's session has the bytes that Redis has.
type entryKeyType struct{}

var entryKey entryKeyType

// entrySerializer hands on bytes: what is stored is not redisstore's map but
// the entry.
type entrySerializer struct{}

func (entrySerializer) Deserialize(b []byte, s *sessions.Session) error {
	s.Values[entryKey] = b
	return nil
}

func (entrySerializer) Serialize(*sessions.Session) ([]byte, error) {
	return nil, errors.New("gorillastore: redisstore's Save is not to be used")
}

// noResponse takes the cookie that redisstore sets when it deletes.
type noResponse struct{}

func (noResponse) Header() http.Header         { return make(http.Header) }
func (noResponse) Write(b []byte) (int, error) { return len(b), nil }
func (noResponse) WriteHeader(int)             {}
