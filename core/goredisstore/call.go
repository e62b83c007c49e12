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

// run runs a script by its hash, or by its text where the server has
// forgotten it: after SCRIPT FLUSH, a restart or a failover.
func (s *Store) run(ctx context.Context, script *redis.Script, key string, args ...any) *redis.Cmd {
	keys := []string{key}
	cmd := s.client.EvalSha(ctx, script.Hash(), keys, args...)
	if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		return script.Eval(ctx, s.client, keys, args...)
	}
	return cmd
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

// Deadline returns ctx, ended after [Config.Timeout] at the latest, and a
// function that frees what it needs.
func (s *Store) Deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if t, ok := ctx.Deadline(); ok && time.Until(t) <= s.config.Timeout {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.config.Timeout)
}

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
