package gorillastore

import (
	"context"
	"crypto/fips140"
	"crypto/sha1" //nolint:gosec // it tells states of a session apart, and Redis has it
	_ "embed"
	"encoding/base32"
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
	"github.com/satchel-go/satchel/core/internal/inplace"
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
	keyBytes = 64  // random bytes in a key of redisstore's default KeyGen
	keyChars = 103 // their length in base32
)

// newToken returns a new key without its prefix.
func (b *compatible) newToken() (string, error) {
	if b.config.KeyGen != nil {
		token, err := b.config.KeyGen()
		if err == nil && !b.config.Token(token) {
			err = errors.New("KeyGen returned a key that Token refuses: set CompatibleConfig.Token to a function that accepts KeyGen's keys")
		}
		if err != nil {
			return "", inplace.Fail("gorillastore", "draw a session ID", err, token)
		}
		return token, nil
	}
	raw := make([]byte, keyBytes)
	if _, err := io.ReadFull(b.random, raw); err != nil {
		return "", inplace.Fail("gorillastore", "draw a session ID", err)
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw), nil
}

// isKey reports whether token has the form of a key from redisstore's default KeyGen.
func isKey(token string) bool {
	return len(token) == keyChars && !strings.ContainsFunc(token, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '2' || r > '7')
	})
}

// keptSession is a session as Redis holds it.
type keptSession struct {
	values  map[any]any
	sum     string        // of the bytes
	left    time.Duration // until Redis drops it; zero if it never does
	next    string        // the token that replaced this one
	renewed time.Time     // when it was replaced
}

// fetch asks redisstore for the session of a token. For an unreadable session it
// returns the sum along with the error.
func (b *compatible) fetch(ctx context.Context, name, token string) (keptSession, error) {
	if !b.config.Token(token) {
		return keptSession{}, errAbsent
	}
	if c, err := newRequest(ctx, name, token).Cookie(name); err != nil || c.Value != token {
		return keptSession{}, errAbsent
	}
	type found struct {
		answer
		session *sessions.Session
		err     error
	}
	answers := make(chan found, 1) // buffered for an answer that comes too late
	err := b.native.Within(ctx, func(ctx context.Context) error {
		var f found
		f.session, f.err = b.redisstore.New(newRequest(context.WithValue(ctx, answerKey{}, &f.answer), name, token), name)
		answers <- f
		return nil
	})
	if err != nil {
		return keptSession{}, inplace.Fail("gorillastore", "load", err, token)
	}
	a := <-answers
	session, err := a.session, a.err
	switch {
	case err != nil && isUnregistered(err):
		return keptSession{}, errUnregistered(err, token)
	case err != nil && (a.sum != "" || redis.HasErrorPrefix(err, "WRONGTYPE")): // Redis answered
		return keptSession{sum: a.sum}, fmt.Errorf("gorillastore: load: %w: %w", core.ErrCorrupt, inplace.Hide(err, token))
	case err != nil:
		return keptSession{}, inplace.Fail("gorillastore", "load", err, token)
	case session.IsNew:
		return keptSession{}, errAbsent
	}
	k := keptSession{values: session.Values, sum: a.sum, left: a.left}
	k.next, k.renewed = readNote(session.Values)
	return k, nil
}

// replace stores values in place of the state that base loaded. If base loaded
// nothing, it creates the session.
func (b *compatible) replace(ctx context.Context, base *compatibleHandle, values map[any]any, left time.Duration) (sum string, err error) {
	session := sessions.NewSession(b.redisstore, base.name)
	session.ID, session.Values = base.token, values
	data, err := b.config.Serializer.Serialize(session)
	if err != nil {
		return "", inplace.Fail("gorillastore", "save", err, base.token)
	}
	result, err := b.run(ctx, replaceScript, base.token, base.sum, data, max(left.Milliseconds(), 1), new(goredisstore.Attempts))
	if err != nil {
		return "", inplace.Fail("gorillastore", "save", err, base.token)
	}
	switch result {
	case int64(1):
		return sumOf(data), nil
	case int64(0):
		return "", fmt.Errorf("gorillastore: save: %w", core.ErrConflict)
	case int64(-1):
		return "", fmt.Errorf("gorillastore: save: %w", core.ErrNotFound)
	}
	return "", inplace.Fail("gorillastore", "save", errors.New("the answer was lost and the session has changed since"))
}

// remove deletes the session that h loaded, unless it has changed since. done is
// also true if there is nothing to delete.
func (b *compatible) remove(ctx context.Context, h *compatibleHandle) (done bool, err error) {
	result, err := b.run(ctx, removeScript, h.token, h.sum)
	if err != nil {
		return false, inplace.Fail("gorillastore", "delete", err, h.token)
	}
	return result == int64(1), nil
}

func (b *compatible) run(ctx context.Context, script *goredisstore.Script, token string, args ...any) (any, error) {
	return b.native.Run(ctx, script, b.config.KeyPrefix+token, args...)
}

// noteFormat starts a note of a renewal, which replaces a session's header. The
// note holds the time and the new token. redisstore sees it as an empty session.
const noteFormat = 0

func (b *compatible) note(token string) map[any]any {
	data := binary.BigEndian.AppendUint64([]byte{noteFormat}, uint64(b.now().UnixMilli()))
	data = append(data, token...)
	return map[any]any{headerKey: b.Bytes(data)}
}

// readNote reads a note. It returns "" if values hold none.
func readNote(values map[any]any) (token string, at time.Time) {
	data := inplace.HeaderBytes(values[headerKey])
	if len(data) <= 9 || data[0] != noteFormat {
		return "", time.Time{}
	}
	return string(data[9:]), time.UnixMilli(int64(binary.BigEndian.Uint64(data[1:])))
}

// sumOf returns the sum by which the scripts compare sessions. It is the SHA-1 of
// data, or "=" and data itself where FIPS 140 forbids SHA-1.
func sumOf(data []byte) string {
	if fips140.Enabled() {
		return "=" + string(data)
	}
	sum := sha1.Sum(data) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// timedClient extends Get: in the same round trip, it asks for the key's time to
// live. It stores the result in the context's answer.
type timedClient struct{ redis.UniversalClient }

// answer holds what redisstore does not report about a session that it loads.
type answer struct {
	sum  string // of the bytes; "" if there were none
	left time.Duration
}

type answerKey struct{}

// Get implements [redis.Cmdable].
func (c timedClient) Get(ctx context.Context, key string) *redis.StringCmd {
	pipe := c.Pipeline()
	get, left := goredisstore.Get(ctx, pipe, key), pipe.PTTL(ctx, key)
	// Commands have their own errors, except after connections that failed time
	// and again. Then a command looks as if Redis had answered with nothing.
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

// keepsText reports whether a serializer cannot keep a []byte, as is the case with
// JSON.
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
