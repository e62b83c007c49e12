package goredisstore

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

func TestTry(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	defer client.Close()
	s := New(client, Config{Prefix: redistest.UniquePrefix(t)})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	go func() {
		time.Sleep(time.Second)
		v, err := s.Save(ctx, core.ID{1}, core.Entry{Expires: time.Now().Add(time.Hour)}, 0)
		t.Log(v, err, time.Now())
	}()
	t.Log(s.Invalidations(ctx, 250*time.Millisecond, func(id core.ID) { t.Log(id, time.Now()) }, func(at time.Time) { t.Log(time.Since(at)) }))
}
