package goredisstore

import (
	"context"
	"crypto/fips140"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/entry"
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

//go:embed lua/mend.lua
var mendSource string

//go:embed lua/list.lua
var listSource string

//go:embed lua/release.lua
var releaseSource string

//go:embed lua/foreign.lua
var foreignSource string

var (
	saveScript    = NewScript(saveSource)
	touchScript   = NewScript(touchSource)
	deleteScript  = NewScript(deleteSource)
	reserveScript = NewScript(reserveSource)
	confirmScript = NewScript(confirmSource)
	mendScript    = NewScript(mendSource)
	listScript    = NewScript(listSource)
	releaseScript = NewScript(releaseSource)
	foreignScript = NewScript(foreignSource)
)

// patience is how many calls may wait for a client that does not obey its
// context. More would only pile up goroutines.
const patience = 512

// Within runs f, which sends commands with the context that it is given. It
// returns f's error, or the context's once that ends, after [Config.Timeout] at
// the latest. Without the client's ContextTimeoutEnabled, f may still be running
// then, and callers must not read anything that it writes.
func (s *Store) Within(ctx context.Context, f func(context.Context) error) error {
	if t, ok := ctx.Deadline(); !ok || time.Until(t) > s.config.Timeout {
		if s.obedient {
			if err := ctx.Err(); err != nil {
				return err
			}
			ctx = s.bounds.within(ctx, s.config.Timeout)
			return f(ctx)
		}
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
// go-redis continues for the sum of its timeouts and retries.
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
type Script struct {
	text    string
	command [2]any // that runs it, by its hash if we have it
}

// NewScript returns a script with this text.
func NewScript(text string) *Script {
	script := &Script{text: text, command: [2]any{"eval", text}}
	if !fips140.Enabled() { // Redis identifies scripts by their SHA-1, which FIPS 140 forbids us to compute
		script.command = [2]any{"evalsha", redis.NewScript(text).Hash()}
	}
	return script
}

// Get reads a key from a master only. A server that became a replica while
// connections to it are open may lack a session, and an absent session logs a
// user out. So Get sends GETEX, which changes nothing without options, but which
// replicas refuse as a write. go-redis then connects anew.
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

// Run runs a script on one key, within [Config.Timeout]. It sends the script's
// hash, or its text if the server has lost the script after SCRIPT FLUSH, a
// restart or a failover. In FIPS 140 mode it always sends the text. The answer
// has go-redis's type: int64, string or []any. Run is for stores that keep more
// in the same Redis.
func (s *Store) Run(ctx context.Context, script *Script, key string, args ...any) (any, error) {
	return s.run(ctx, script, arguments([]string{key}, args))
}

// arguments returns the arguments of a script's command. The first two, which the
// script has, are not filled in.
func arguments(keys []string, args []any) []any {
	all := make([]any, 3, 3+len(keys)+len(args))
	all[2] = len(keys)
	for _, key := range keys {
		all = append(all, key)
	}
	return append(all, args...)
}

// run is Run with arguments; several keys are in one slot.
func (s *Store) run(ctx context.Context, script *Script, all []any) (any, error) {
	var answer any
	err := s.Within(ctx, func(ctx context.Context) (err error) {
		cmd := s.send(ctx, script.command, all)
		if refusedByReplica(cmd.Err()) {
			s.leaveReplica(ctx, all[firstKey].(string))
			cmd = s.send(ctx, script.command, all)
		}
		if err := cmd.Err(); err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
			cmd = s.send(ctx, [2]any{"eval", script.text}, all)
		}
		answer, err = cmd.Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// enter is run for a script that enters a member into the index keys[0]. What another
// application has put there makes way: otherwise its user could never log in.
func (s *Store) enter(ctx context.Context, script *Script, keys []string, args []any) (any, error) {
	all := arguments(keys, args)
	answer, err := s.run(ctx, script, all)
	if !wrongType(err) {
		return answer, err
	}
	if _, err := s.Run(ctx, foreignScript, keys[0]); err != nil {
		return nil, err
	}
	return s.run(ctx, script, all)
}

func (s *Store) send(ctx context.Context, command [2]any, all []any) *redis.Cmd {
	cmd := newCommand(ctx, command, all)
	if a, ok := all[len(all)-1].(*Attempts); ok {
		a.cmd, a.sent = cmd, false // an earlier command was refused
	}
	_ = s.client.Process(ctx, cmd) // the error is cmd's
	return cmd
}

// newCommand returns the command with these arguments, which it keeps.
func newCommand(ctx context.Context, command [2]any, all []any) *redis.Cmd {
	copy(all, command[:])
	return redis.NewCmd(ctx, all...)
}

// firstKey is where the first key is among the arguments.
const firstKey = 3

// change has the arguments of a save or a touch, which go-redis reads through
// pointers: in an any, each number or slice of bytes would be another allocation.
type change struct {
	now, left     int64
	version, text bytesOf
	own           [8]byte // for version
	attempts      Attempts
	all           [firstKey + 6]any
}

// change returns the arguments of a script that changes the entry of id at base to text,
// which expires at that time. The last argument is attempts.
func (s *Store) change(id core.ID, base core.Version, text []byte, expires time.Time) *change {
	c := &change{now: s.config.Now().UnixMilli(), left: s.timeToLive(expires), text: text}
	if base != 0 { // for the scripts, no version is ""
		c.version = entry.AppendVersion(c.own[:0], base)
	}
	c.all = [...]any{2: 1, firstKey: s.Key(id), &c.version, &c.now, &c.left, &c.text, &c.attempts}
	return c
}

// bytesOf is bytes that are sent as they are.
type bytesOf []byte

// MarshalBinary implements [encoding.BinaryMarshaler].
func (b *bytesOf) MarshalBinary() ([]byte, error) { return *b, nil }

// refusedByReplica recognises the answer of a former master with Redis before
// version 7: "ERR Error running script (…): @user_script: 1: -READONLY …". Later
// versions begin with READONLY, and go-redis itself then does what leaveReplica
// does.
func refusedByReplica(err error) bool {
	return err != nil && strings.Contains(err.Error(), "-READONLY ") && isAnswer(err)
}

// leaveReplica makes go-redis drop its connections to a replica, with a write
// that has no effect on a master. Otherwise it would keep them for half an hour.
func (s *Store) leaveReplica(ctx context.Context, key string) {
	_ = s.client.HDel(ctx, key, "-").Err()
}

// Attempts is the last argument of a script. It is "1" if the command may have
// run before, otherwise "0". Each call needs a new one.
//
// When the connection breaks, go-redis sends a command again without saying so.
// But it marshals the arguments anew each time.
type Attempts struct {
	cmd  *redis.Cmd
	sent bool // cmd has been sent
	lost bool // an earlier attempt got no answer
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

// isAnswer reports whether err is the server's answer instead of running a
// command, such as where its slot has moved. A client of a single server does not
// show such errors while it retries, so isAnswer is then false too.
func isAnswer(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

var noLostAttempt, lostAttempt = []byte("0"), []byte("1")

// failed returns an error that says what could not be done. Of the core's
// sentinels it matches only ErrUnavailable: unavailable must not look absent.
func failed(what string, err error) error {
	switch {
	case errors.Is(err, redis.Nil): // must not pass for an absent session
		err = errors.New("no answer")
	case errors.Is(err, redis.ErrPoolTimeout), strings.HasPrefix(err.Error(), noSentinel):
		err = &net.OpError{Op: "dial", Net: "tcp", Err: err} // go-redis does not say that it is one
	}
	return fmt.Errorf("goredisstore: %s: %w: %w", what, core.ErrUnavailable, err)
}

// noSentinel begins go-redis's error if no Sentinel has named the master.
const noSentinel = "redis: all sentinels specified in configuration are unreachable"

// wrongType reports whether the key holds something that is not a session.
func wrongType(err error) bool {
	return err != nil && strings.Contains(err.Error(), "WRONGTYPE")
}

// timeToLive returns how long Redis is to keep a key that expires at t. It uses
// the application's clock, with which t was made. It never returns zero, which
// would be an error or, worse, mean for ever.
func (s *Store) timeToLive(t time.Time) int64 {
	return max(t.Sub(s.config.Now()).Milliseconds(), 1)
}
