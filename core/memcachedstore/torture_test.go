package memcachedstore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memcachedstore"
	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// Stores of two processes count in the same sessions, while connections are cut before and
// after any command and the server is suspended now and then. What was acknowledged is
// counted once, and what is unknown at most once. After an acknowledged logout nobody
// finds the session again.
func TestK1K2Torture(t *testing.T) {
	server := memcachedtest.Start(t, "-M")
	proxy := tcpproxy.Start(t, server.Addr())
	prefix := memcachedtest.UniquePrefix(t)
	config := memcachedstore.Config{Prefix: prefix, Timeout: 300 * time.Millisecond}
	stores := []core.Store{newStore(t, config, proxy.Addr()), newStore(t, config, proxy.Addr())}
	direct := newStore(t, memcachedstore.Config{Prefix: prefix}, server.Addr())
	number := func(n uint64) core.Entry { return hour(string(binary.BigEndian.AppendUint64(nil, n))) }
	length := 4 * time.Second
	if testing.Short() {
		length = time.Second
	}
	const sessions = 4
	var acknowledged, unknown [sessions]atomic.Uint64
	var logins, logouts atomic.Uint64
	for i := range sessions {
		save(t, direct, core.ID{30, byte(i)}, number(0))
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var wg sync.WaitGroup
	for i := range sessions * 4 {
		store, session := stores[i%2], i/2%sessions
		id := core.ID{30, byte(session)}
		wg.Go(func() {
			for ctx.Err() == nil {
				e, err := store.Load(t.Context(), id)
				if err != nil {
					if !isUnavailable(err) {
						t.Errorf("load: %v", err)
					}
					continue
				}
				_, err = store.Save(t.Context(), id, number(binary.BigEndian.Uint64(e.Data)+1), e.Version)
				switch {
				case err == nil:
					acknowledged[session].Add(1)
				case isUnavailable(err):
					unknown[session].Add(1)
				case !errors.Is(err, core.ErrConflict):
					t.Errorf("save: %v", err)
				}
				if err := store.Touch(t.Context(), id, e.Version, time.Now().Add(time.Hour)); err != nil && !isUnavailable(err) {
					t.Errorf("touch: %v", err)
				}
			}
		})
	}
	for i := range 2 {
		wg.Go(func() { // log in and out
			for n := 0; ctx.Err() == nil; n++ {
				id := core.ID{31, byte(i), byte(n), byte(n >> 8)}
				base, err := stores[0].Save(t.Context(), id, hour("x"), 0)
				if err != nil {
					if !isUnavailable(err) {
						t.Errorf("login: %v", err)
					}
					continue
				}
				logins.Add(1)
				var inFlight sync.WaitGroup
				for _, store := range stores {
					inFlight.Go(func() { _, _ = store.Save(t.Context(), id, hour("late"), base) })
				}
				err = stores[1].Delete(t.Context(), id)
				inFlight.Wait()
				if err != nil {
					continue
				}
				logouts.Add(1)
				if _, err := direct.Load(t.Context(), id); !errors.Is(err, core.ErrNotFound) {
					t.Errorf("after a logout: %v", err)
				}
			}
		})
	}
	wg.Go(func() { // faults
		for n := 0; ctx.Err() == nil; n++ {
			proxy.Skip(5)
			proxy.CutBefore(1)
			proxy.Skip(5)
			proxy.CutAfter(1)
			time.Sleep(10 * time.Millisecond)
			switch n % 40 {
			case 20:
				server.Stop(t)
				time.Sleep(400 * time.Millisecond)
				server.Continue(t)
			case 30:
				proxy.CutAll()
			}
		}
	})
	wg.Wait()
	for i := range sessions {
		e, err := direct.Load(t.Context(), core.ID{30, byte(i)})
		if err != nil {
			t.Fatal(err)
		}
		least, got := acknowledged[i].Load(), binary.BigEndian.Uint64(e.Data)
		if most := least + unknown[i].Load(); got < least || got > most || least == 0 {
			t.Errorf("counted to %d, with %d saves acknowledged and %d unknown", got, least, most-least)
		}
		t.Logf("counted to %d, with %d saves acknowledged and %d unknown", got, least, unknown[i].Load())
	}
	t.Logf("%d logins, %d logouts", logins.Load(), logouts.Load())
	if logouts.Load() == 0 {
		t.Error("nobody has logged out")
	}
}
