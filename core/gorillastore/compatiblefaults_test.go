package gorillastore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// A logout that finds the session changed asks again, and must not take
// silence for its end.
func TestK2L3CompatibleLogoutDuringAnOutage(t *testing.T) {
	server := redistest.Shared(t)
	backend, proxy, prefix := compatibleOn(t, server)
	s := began(t, backend)
	other := newSite(t, RedisCompatible(newClient(t, server.Addr()), CompatibleConfig{KeyPrefix: prefix}), nil)
	w := s.do(func(x *core.Session) {
		core.Get[string](x, "k")
		other.cookies = map[string]string{"session": s.cookies["session"]}
		other.do(func(x *core.Session) { x.Set("k", "w") })
		proxy.CutBefore(redistest.Always, redistest.Command("GET", "PTTL"))
		x.Logout()
	})
	if w.Code != 503 || len(s.last) != 0 {
		t.Errorf("status %d, cookies %v: who reads this thinks that the session has ended", w.Code, s.last)
	}
	other.has("w")
}

// The source of randomness is the one of the Config.
func TestSEC1CompatibleDrawsFromTheConfigsSource(t *testing.T) {
	backend, _, _ := compatibleOn(t, redistest.Shared(t))
	s := newSite(t, backend, func(c *core.Config) { c.Rand = constant{} })
	w := s.do(func(x *core.Session) { x.Set("k", "v") })
	if want := "QSCIJBEEQSCIJBEE"; w.Code != 200 || !strings.HasPrefix(s.cookies["session"], want) {
		t.Errorf("status %d, token %q, want %q", w.Code, s.cookies["session"], want)
	}
	second := newSite(t, backend, func(c *core.Config) { c.Rand = constant{} })
	if w := second.do(func(x *core.Session) { x.Set("k", "other") }); w.Code != 503 || len(second.last) != 0 {
		t.Errorf("SEC69: a new session has replaced another: status %d", w.Code)
	}
	s.has("v")
}

// constant is a source that always gives the same.
type constant struct{}

func (constant) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 0x84
	}
	return len(b), nil
}

func TestSEC34CompatibleTokensInQuotes(t *testing.T) {
	n := 0
	b := RedisCompatible(newClient(t, redistest.Shared(t).Addr()), CompatibleConfig{
		KeyPrefix: redistest.UniquePrefix(t), Token: func(token string) bool { return strings.Contains(token, "id-") },
		KeyGen: func() (string, error) { n++; return fmt.Sprint("id-", n), nil },
	})
	_, token, err := b.Save(t.Context(), scope, testRecord(t), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Load(t.Context(), scope, core.Tokens{Session: `"` + token + `"`}); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a token in quotes: %v", err)
	}
}

// Whoever began a session can end it in the same request, and others hear of it.
func TestK2CompatibleTellsOfSessionsThatItHasBegun(t *testing.T) {
	backend, _, _ := compatibleOn(t, redistest.Shared(t))
	ended := make(chan core.ID, 4)
	go func() { _ = backend.(core.Watcher).Watch(t.Context(), func(id core.ID) { ended <- id }) }()
	if got := <-ended; !got.IsZero() { // it listens
		t.Fatalf("%v has ended", got)
	}
	r := testRecord(t)
	h, _, err := backend.Save(t.Context(), scope, r, nil, false)
	if err == nil {
		h, _, err = backend.Save(t.Context(), scope, r, h, true)
	}
	if err == nil {
		err = backend.Delete(t.Context(), h)
	}
	if err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-ended:
		if got != r.ID {
			t.Errorf("%v has ended, want %v", got, r.ID)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody was told")
	}
}

// A connection that cannot be made says nothing of a session, however often it
// fails: after the last attempt the client seems to have got an empty answer.
func TestL3CompatibleWithoutConnections(t *testing.T) {
	for dialed, timeout := range map[error]time.Duration{
		errOwn: 10 * time.Second, io.EOF: 10 * time.Second, // only the latter is tried again
		context.DeadlineExceeded: 20 * time.Millisecond, // and this one does not even fail
	} {
		client := redis.NewClient(&redis.Options{
			Addr: redistest.Shared(t).Addr(), PoolSize: 1, DialerRetries: 1, MaxRetries: 1, MinRetryBackoff: -1, MaxRetryBackoff: -1,
			Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
				if errors.Is(dialed, context.DeadlineExceeded) {
					<-ctx.Done()
				}
				return nil, dialed
			},
		})
		t.Cleanup(func() { _ = client.Close() })
		b := RedisCompatible(client, CompatibleConfig{SkipChecks: true, Timeout: timeout})
		token := strings.Repeat("A", keyChars)
		h := &compatibleHandle{name: scope.Name, token: token, sum: sumOf(nil)}
		for i := range 4 {
			_, errLoad := b.Load(t.Context(), scope, core.Tokens{Session: token})
			_, errReload := b.Reload(t.Context(), scope, h)
			_, _, errSave := b.Save(t.Context(), scope, testRecord(t), h, false)
			_, _, errTouch := b.Touch(t.Context(), scope, testRecord(t), h)
			for what, err := range map[string]error{
				"load": errLoad, "reload": errReload, "save": errSave, "touch": errTouch, "delete": b.Delete(t.Context(), h),
			} {
				if !errors.Is(err, core.ErrUnavailable) || errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrCorrupt) {
					t.Errorf("%v, attempt %d: %s: %v", dialed, i, what, err)
				}
			}
		}
	}
}
