package gorillastore

import (
	"context"
	"crypto/fips140"
	"crypto/sha1" //nolint:gosec // it tells states of a session apart, and Redis has it
	_ "embed"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gorilla/sessions"
	"github.com/rbcervilla/redisstore/v9"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
)

//go:embed lua/replace.lua
var replaceSource string

//go:embed lua/remove.lua
var removeSource string

var (
	replaceScript = goredisstore.NewScript(replaceSource)
	removeScript  = goredisstore.NewScript(removeSource)
)

const (
	keyBytes = 64  // that redisstore's default KeyGen draws
	keyChars = 103 // as which it writes them
)

// newToken returns a new key without its prefix.
func (b *compatible) newToken() (string, error) {
	if b.config.KeyGen != nil {
		token, err := b.config.KeyGen()
		if err == nil && !b.config.Token(token) {
			err = errors.New("KeyGen has made a key of unexpected characters: say in CompatibleConfig.Token what its keys look like")
		}
		if err != nil {
			return "", fail("draw a session ID", err, token)
		}
		return token, nil
	}
	raw := make([]byte, keyBytes)
	if _, err := io.ReadFull(b.random, raw); err != nil {
		return "", fail("draw a session ID", err)
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw), nil
}

// isKey reports whether redisstore's default KeyGen can have made token.
func isKey(token string) bool {
	return len(token) == keyChars && !strings.ContainsFunc(token, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '2' || r > '7')
	})
}

// kept is what Redis has under a key.
type kept struct {
	values  map[any]any
	sum     string        // of the bytes
	left    time.Duration // until Redis drops it; zero if it never does
	next    string        // the token that has taken its place
	renewed time.Time     // when
}

// fetch asks redisstore for the session of a token. What cannot be read comes
// with its sum.
func (b *compatible) fetch(ctx context.Context, name, token string) (kept, error) {
	if !b.config.Token(token) {
		return kept{}, fmt.Errorf("gorillastore: load: %w", core.ErrNotFound)
	}
	if c, err := newRequest(ctx, name, token).Cookie(name); err != nil || c.Value != token {
		return kept{}, fmt.Errorf("gorillastore: load: %w", core.ErrNotFound)
	}
	type found struct {
		answer
		session *sessions.Session
		err     error
	}
	answers := make(chan found, 1) // what comes when nobody waits any more stays there
	err := b.native.Within(ctx, func(ctx context.Context) error {
		var f found
		f.session, f.err = b.redisstore.New(newRequest(context.WithValue(ctx, answerKey{}, &f.answer), name, token), name)
		answers <- f
		return nil
	})
	if err != nil {
		return kept{}, fail("load", err, token)
	}
	a := <-answers
	session, err := a.session, a.err
	switch {
	case err != nil && (a.sum != "" || redis.HasErrorPrefix(err, "WRONGTYPE")): // Redis has answered
		return kept{sum: a.sum}, fmt.Errorf("gorillastore: load: %w: %w", core.ErrCorrupt, hide(err, token))
	case err != nil:
		return kept{}, fail("load", err, token)
	case session.IsNew:
		return kept{}, fmt.Errorf("gorillastore: load: %w", core.ErrNotFound)
	}
	k := kept{values: session.Values, sum: a.sum, left: a.left}
	k.next, k.renewed = readNote(session.Values)
	return k, nil
}

// replace stores values in the place of what base has loaded, or anew if it
// has loaded nothing.
func (b *compatible) replace(ctx context.Context, base *compatibleHandle, values map[any]any, left time.Duration) (sum string, err error) {
	session := sessions.NewSession(b.redisstore, base.name)
	session.ID, session.Values = base.token, values
	data, err := b.config.Serializer.Serialize(session)
	if err != nil {
		return "", fail("save", err, base.token)
	}
	result, err := b.run(ctx, replaceScript, base.token, base.sum, data, max(left.Milliseconds(), 1), new(goredisstore.Attempts))
	if err != nil {
		return "", fail("save", err, base.token)
	}
	switch result {
	case int64(1):
		return sumOf(data), nil
	case int64(0):
		return "", fmt.Errorf("gorillastore: save: %w", core.ErrConflict)
	case int64(-1):
		return "", fmt.Errorf("gorillastore: save: %w", core.ErrNotFound)
	}
	return "", fail("save", errors.New("the answer was lost, and the session has been changed since"))
}

// remove deletes what h has loaded, unless it has been changed since. It is
// done also if there is nothing to delete.
func (b *compatible) remove(ctx context.Context, h *compatibleHandle) (done bool, err error) {
	result, err := b.run(ctx, removeScript, h.token, h.sum)
	if err != nil {
		return false, fail("delete", err, h.token)
	}
	return result == int64(1), nil
}

func (b *compatible) run(ctx context.Context, script *goredisstore.Script, token string, args ...any) (any, error) {
	return b.native.Run(ctx, script, b.config.KeyPrefix+token, args...)
}

// noteFormat begins, in the place of a header, the note that a session was
// renewed: when, and the token that has taken its place. To redisstore it is
// an empty session.
const noteFormat = 0

func (b *compatible) note(token string) map[any]any {
	data := binary.BigEndian.AppendUint64([]byte{noteFormat}, uint64(b.now().UnixMilli()))
	data = append(data, token...)
	if b.text {
		return map[any]any{headerKey: base64.StdEncoding.EncodeToString(data)}
	}
	return map[any]any{headerKey: data}
}

// readNote reads what note has written, if it is that.
func readNote(values map[any]any) (token string, at time.Time) {
	data := headerBytes(values[headerKey])
	if len(data) <= 9 || data[0] != noteFormat {
		return "", time.Time{}
	}
	return string(data[9:]), time.UnixMilli(int64(binary.BigEndian.Uint64(data[1:])))
}

// sumOf returns what the scripts compare a session with: the SHA-1 of it, or
// all of it, after "=", where FIPS 140 forbids that.
func sumOf(data []byte) string {
	if fips140.Enabled() {
		return "=" + string(data)
	}
	sum := sha1.Sum(data) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// newRedisStore returns a redisstore that loads as c says.
func newRedisStore(client redis.UniversalClient, c CompatibleConfig) *redisstore.RedisStore {
	// It sends a PING, which would take seconds without a server; Validate explains more.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s, _ := redisstore.NewRedisStore(ctx, timedClient{client})
	s.KeyPrefix(c.KeyPrefix)
	s.Serializer(c.Serializer)
	return s
}

// timedClient asks for a key's time to live whenever it is asked for the key,
// in the same round trip. What it finds is left in the context's answer.
type timedClient struct{ redis.UniversalClient }

// answer is what redisstore does not tell of what it loads.
type answer struct {
	sum  string // of the bytes, "" if there were none
	left time.Duration
}

type answerKey struct{}

// Get implements [redis.Cmdable].
func (c timedClient) Get(ctx context.Context, key string) *redis.StringCmd {
	pipe := c.Pipeline()
	get, left := goredisstore.Get(ctx, pipe, key), pipe.PTTL(ctx, key)
	// Commands have errors of their own, except after connections that failed
	// time and again: then they look as if Redis had answered with nothing.
	var answered redis.Error
	if _, err := pipe.Exec(ctx); err != nil && !errors.As(err, &answered) {
		get.SetErr(err)
	}
	if a, ok := ctx.Value(answerKey{}).(*answer); ok {
		if data, err := get.Bytes(); err == nil {
			a.sum = sumOf(data)
		}
		a.left = max(left.Val(), 0)
	}
	return get
}

// keepsText reports whether a serializer has no place for a []byte, as JSON
// has none.
func keepsText(serializer redisstore.SessionSerializer) bool {
	before, after := sessions.NewSession(nil, ""), sessions.NewSession(nil, "")
	before.Values[headerKey] = []byte{0xff}
	data, err := serializer.Serialize(before)
	if err == nil {
		err = serializer.Deserialize(data, after)
	}
	_, isBytes := after.Values[headerKey].([]byte)
	return err != nil || !isBytes
}
