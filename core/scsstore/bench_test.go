package scsstore

import (
	"context"
	"maps"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// BenchmarkCarryingOver is a request that reads a session with four values, in memory: with
// scs itself, with a session that stays in scs's store, one that moves with this request,
// and one that has moved.
func BenchmarkCarryingOver(b *testing.B) {
	before, ready, moving, _, store := steps(b, nil)
	before.scs(func(ctx context.Context) {
		before.old.Put(ctx, "user", "ann")
		before.old.Put(ctx, "name", "Ada Lovelace")
		before.old.Put(ctx, "n", 1234567)
		before.old.Put(ctx, "blob", make([]byte, 200))
	})
	old, whole := maps.Clone(before.cookies), store.content()
	read := func(x *core.Session) {
		if x.UserID() != "ann" {
			b.Fatal("logged out")
		}
	}
	b.Run("scs", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			before.scs(func(ctx context.Context) { before.old.GetString(ctx, "user") })
		}
	})
	ready.do(read)
	b.Run("stays", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ready.do(read)
		}
	})
	b.Run("moves", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			_, _, moving, _, store = steps(b, nil)
			store.all = maps.Clone(whole)
			moving.old.Store = store
			maps.Copy(moving.cookies, old)
			b.StartTimer()
			moving.do(read)
		}
	})
	moving.do(read)
	b.Run("has moved", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			moving.do(read)
		}
	})
}
