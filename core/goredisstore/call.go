package goredisstore

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
)

//go:embed lua/save.lua
var saveSource string

//go:embed lua/touch.lua
var touchSource string

//go:embed lua/delete.lua
var deleteSource string

//go:embed lua/reserve.lua
var reserveSource string

//go:embed lua/confirm.lua
var confirmSource string

//go:embed lua/release.lua
var releaseSource string

var (
	saveScript    = redis.NewScript(saveSource)
	touchScript   = redis.NewScript(touchSource)
	deleteScript  = redis.NewScript(deleteSource)
	reserveScript = redis.NewScript(reserveSource)
	confirmScript = redis.NewScript(confirmSource)
	releaseScript = redis.NewScript(releaseSource)
)

// patience is how many calls may be waiting for a client that does not obey
// its context: more would be a pile of goroutines without a purpose.
const patience = 512

// Within runs f, which sends commands with the context that it is given, and
// returns its error, or an earlier one when that context ends: after
// [Config.Timeout] at the latest. Without the client's ContextTimeoutEnabled,
// f may still be running then, and nothing that it writes may be looked at.
func (s *Store) Within(ctx context.Context, f func(context.Context) error) error {
	if t, ok := ctx.Deadline(); !ok || time.Until(t) > s.config.Timeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.config.Timeout)
		defer cancel()
	}
	if s.obedient {
		return f(ctx)
	}
	select {
	case s.waiting <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-s.waiting }()
		done <- f(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// obeys reports whether client's calls end with their context. By default
// go-redis goes on for the sum of its timeouts and retries.
func obeys(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		return c.Options().ContextTimeoutEnabled
	case *redis.Ring:
		return c.Options().ContextTimeoutEnabled
	}
	return false
}

// run runs a script by its hash, or by its text where the server has
// forgotten it: after SCRIPT FLUSH, a restart or a failover.
func (s *Store) run(ctx context.Context, script *redis.Script, key string, args ...any) (any, error) {
	var answer any
	err := s.Within(ctx, func(ctx context.Context) (err error) {
		keys := []string{key}
		result, err := s.client.EvalSha(ctx, script.Hash(), keys, args...).Result()
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			result, err = script.Eval(ctx, s.client, keys, args...).Result()
		}
		answer = result
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// attempts is an argument that says how often its command was sent before.
// go-redis sends a command again when the connection breaks, and does not say
// so; but it asks the arguments for their bytes each time.
type attempts int

// MarshalBinary implements [encoding.BinaryMarshaler].
func (a *attempts) MarshalBinary() ([]byte, error) {
	*a++
	if *a == 1 {
		return firstAttempt, nil
	}
	return laterAttempt, nil
}

var firstAttempt, laterAttempt = []byte("0"), []byte("1")

// failed says what could not be done. The error matches none of the core's
// sentinels but ErrUnavailable: absent and unavailable are different things.
func failed(what string, err error) error {
	if errors.Is(err, redis.Nil) { // nobody may take this for an answer
		err = errors.New("no answer")
	}
	return fmt.Errorf("goredisstore: %s: %w: %w", what, core.ErrUnavailable, err)
}

// wrongType reports whether something that is no session lies under the key.
func wrongType(err error) bool {
	return err != nil && strings.Contains(err.Error(), "WRONGTYPE")
}

func milliseconds(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// timeToLive returns how long Redis is to keep a key that expires at t: by the
// clock of the application, which is the one that t was made with. Never zero,
// which would be an error, or worse, for ever.
func (s *Store) timeToLive(t time.Time) string {
	return strconv.FormatInt(max(t.Sub(s.config.Now()).Milliseconds(), 1), 10)
}
