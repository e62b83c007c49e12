package gorillastore

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/redistest"
)

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
			_, errLoad := b.Load(t.Context(), scope, token)
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
