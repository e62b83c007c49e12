package goredisstore

import (
	"context"
	"crypto/fips140"
	_ "embed"
	"errors"
	"fmt"
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

//go:embed lua/list.lua
var listSource string

//go:embed lua/release.lua
var releaseSource string

var (
	saveScript    = NewScript(saveSource)
	touchScript   = NewScript(touchSource)
	deleteScript  = NewScript(deleteSource)
	reserveScript = NewScript(reserveSource)
	confirmScript = NewScript(confirmSource)
	listScript    = NewScript(listSource)
	releaseScript = NewScript(releaseSource)
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

// Script is a Lua script for [Store.Run].
type Script struct{ text, hash string }

// NewScript returns the script with this text.
func NewScript(text string) *Script {
	script := &Script{text: text}
	if !fips140.Enabled() { // Redis calls scripts by their SHA-1, which FIPS 140 forbids us to compute
		script.hash = redis.NewScript(text).Hash()
	}
	return script
}

// command returns what runs the script, by its hash if we have it.
func (script *Script) command() (name, which string) {
	if script.hash == "" {
		return "eval", script.text
	}
	return "evalsha", script.hash
}

// Get reads a key from a master only. A server that has become a replica, while
// connections to it are still open, may lack a session, and an absent session
// logs somebody out. So it sends GETEX, which changes nothing without options,
// but which replicas refuse as a write; go-redis then connects anew.
func Get(ctx context.Context, c Processor, key string) *redis.StringCmd {
	cmd := redis.NewStringCmd(ctx, "getex", key)
	_ = c.Process(ctx, cmd) // the error is cmd's
	return cmd
}

// Primary returns a client whose Get is [Get].
func Primary(client redis.UniversalClient) redis.UniversalClient { return primary{client} }

type primary struct{ redis.UniversalClient }

func (p primary) Get(ctx context.Context, key string) *redis.StringCmd { return Get(ctx, p, key) }

// Processor is a client or a pipeline.
type Processor interface {
	Process(ctx context.Context, cmd redis.Cmder) error
}

// Run runs a script on one key, within [Config.Timeout]: by its hash, or by its
// text where the server has forgotten it, after SCRIPT FLUSH, a restart or a
// failover. In FIPS 140 mode it is always sent by its text. It is for stores that keep more in the same Redis. The answer is
// what go-redis makes of it: int64, string or []any.
func (s *Store) Run(ctx context.Context, script *Script, key string, args ...any) (any, error) {
	var answer any
	err := s.Within(ctx, func(ctx context.Context) (err error) {
		name, which := script.command()
		cmd := s.send(ctx, name, which, key, args)
		if refusedByReplica(cmd.Err()) {
			s.leaveReplica(ctx, key)
			cmd = s.send(ctx, name, which, key, args)
		}
		if err := cmd.Err(); err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
			cmd = s.send(ctx, "eval", script.text, key, args)
		}
		answer, err = cmd.Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

func (s *Store) send(ctx context.Context, command, script, key string, args []any) *redis.Cmd {
	all := make([]any, 0, 4+len(args))
	all = append(append(all, command, script, 1, key), args...)
	cmd := redis.NewCmd(ctx, all...)
	if a, ok := all[len(all)-1].(*Attempts); ok {
		a.cmd, a.sent = cmd, false // an earlier command was refused
	}
	_ = s.client.Process(ctx, cmd) // the error is cmd's
	return cmd
}

// refusedByReplica recognises what Redis before version 7 answers on a former
// master: "ERR Error running script (…): @user_script: 1: -READONLY …". Later
// ones say READONLY first, and go-redis does by itself what leaveReplica does.
func refusedByReplica(err error) bool {
	return err != nil && strings.Contains(err.Error(), "-READONLY ") && isAnswer(err)
}

// leaveReplica makes go-redis give up its connections to a replica, by a write
// that has no effect on a master. Else it would keep them for half an hour.
func (s *Store) leaveReplica(ctx context.Context, key string) {
	_ = s.client.HDel(ctx, key, "-").Err()
}

// Attempts is an argument of a script, the last one, that says whether the
// command may have run before: "1", else "0". A new one is needed for each call.
//
// go-redis sends a command again when the connection breaks, and does not say
// so; but it asks the arguments for their bytes each time.
type Attempts struct {
	cmd  *redis.Cmd
	sent bool // cmd has been sent
	lost bool // an earlier attempt has got no answer
}

// MarshalBinary implements [encoding.BinaryMarshaler].
func (a *Attempts) MarshalBinary() ([]byte, error) {
	if a.sent && !isAnswer(a.cmd.Err()) {
		a.lost = true
	}
	a.sent = true
	a.cmd.SetErr(nil) // it says nothing about the attempts that follow
	if a.lost {
		return lostAttempt, nil
	}
	return noLostAttempt, nil
}

// isAnswer reports whether err is what the server has said instead of running
// a command, such as where its slot has moved to. A client of one server keeps
// such errors to itself while it retries; then it is false too.
func isAnswer(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

var noLostAttempt, lostAttempt = []byte("0"), []byte("1")

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

// timeToLive returns how long Redis is to keep a key that expires at t: by the
// clock of the application, which is the one that t was made with. Never zero,
// which would be an error, or worse, for ever.
func (s *Store) timeToLive(t time.Time) int64 {
	return max(t.Sub(s.config.Now()).Milliseconds(), 1)
}
