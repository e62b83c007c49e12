package bench

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/filestore"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

var sessionsFlag = flag.Int("sessions", 0, "run BenchmarkGrowth with up to so many sessions in a store, and BenchmarkCapacity with up to 50000; 0 runs neither")

// visitors is how many of the sessions in a store are used, in turns.
const visitors = 4096

// BenchmarkGrowth has stores with more and more sessions, and sessions with longer and
// longer values: "read-100K" reads from a store of 100,000 sessions, "read-64KB" a session
// with a value of that length, of which there are 256. Files lie in memory where the
// system has a folder for that, so that no disk is measured.
func BenchmarkGrowth(b *testing.B) {
	if *sessionsFlag == 0 {
		b.Skip("needs the flag -sessions")
	}
	for _, name := range []string{"memory/floor", "memory/satchel", "file/satchel", "redis/floor", "redis/satchel"} {
		grow(b, name, func(b *testing.B, p peer, most int) {
			have := 0
			for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
				if n > most {
					break
				}
				jars := fillStore(b, p, n-have)
				have = n
				for _, route := range []string{read, write} {
					b.Run(fmt.Sprintf("%s-%dK/%s", route, n/1000, name), func(b *testing.B) { useAll(b, p, route, jars) })
				}
			}
		})
		grow(b, name, func(b *testing.B, p peer, _ int) {
			defer func(before []byte) { payload = before }(payload)
			for _, size := range []int{100, 1_000, 4_000, 16_000, 64_000} {
				payload = bytes.Repeat([]byte("x"), size)
				jars := fillStore(b, p, 256)
				for _, route := range []string{read, write} {
					b.Run(fmt.Sprintf("%s-%gKB/%s", route, float64(size)/1000, name), func(b *testing.B) { useAll(b, p, route, jars) })
				}
			}
		})
	}
}

// grow calls f with a new peer on an empty store, and with how many sessions it may get.
func grow(b *testing.B, name string, f func(b *testing.B, p peer, most int)) {
	const room, entries = 4 << 30, 2_000_000
	most, backend := *sessionsFlag, core.Backend(nil)
	var floor floorStore
	switch name {
	case "memory/floor":
		floor = newFloorMemory()
	case "memory/satchel":
		store := memstore.New(memstore.Config{MaxBytes: room, MaxSessions: entries})
		defer store.Close() //nolint:errcheck // always nil
		backend = core.ServerSide(store)
	case "file/satchel":
		dir, err := os.MkdirTemp("/dev/shm", "satchel-bench") //nolint:usetesting // not on a disk
		if err != nil {
			dir = b.TempDir()
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
		store, err := filestore.Open(dir, filestore.Config{MaxBytes: room, MaxSessions: entries})
		if err != nil {
			b.Fatal(err)
		}
		defer store.Close() //nolint:errcheck // goes with its folder
		backend = core.ServerSide(store)
	default:
		most = min(most, 100_000)
		server := redistest.Start(b)
		client := ourClient(b, server)
		if name == "redis/floor" {
			floor = newFloorRedis(b, client)
		} else {
			backend = core.ServerSide(goredisstore.New(client, goredisstore.Config{Timeout: patience}))
		}
	}
	p := peer{}
	if floor != nil {
		p = floorOn(name, floor)
	} else {
		m, err := core.New(backend, core.Config{MaxBytes: 1 << 20, CommitTimeout: patience})
		if err != nil {
			b.Fatal(err)
		}
		p = satchelOf(name, m)
	}
	f(b, p, most)
}

// fillStore adds n sessions, and returns the cookies of some, evenly spread.
func fillStore(tb testing.TB, p peer, n int) (jars []string) {
	const workers = 16 // who share a sync of the file
	var wait sync.WaitGroup
	var mu sync.Mutex
	every := max(n/visitors, 1)
	for w := range workers {
		wait.Go(func() {
			r := p.app.request(tb, fill, "")
			var some []string
			for i := w; i < n; i += workers {
				r.send()
				if i/workers%every == 0 {
					some = append(some, cookie(r))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			jars = append(jars, some...)
		})
	}
	wait.Wait()
	runtime.GC()
	return jars
}

// useAll sends requests of visitors in an order without a pattern.
func useAll(b *testing.B, p peer, route string, jars []string) {
	requests := make([]request, len(jars))
	for i, at := range rand.Perm(len(jars)) {
		requests[i] = p.app.request(b, route, jars[at])
	}
	next := 0
	takeTurns([]func(int){func(n int) {
		for range n {
			requests[next].send()
			if next++; next == len(requests) {
				next = 0
			}
		}
	}}, turnsOf(b), turn)[0].report(b)
}

// BenchmarkCapacity stores sessions, anonymous ones ("stored") and ones of users whose names
// have 18 letters ("stored-user"), and reports how much memory
// each takes: of the heap, or by MEMORY USAGE of all keys in Redis. Its times are those of filling a session.
func BenchmarkCapacity(b *testing.B) {
	n := min(*sessionsFlag, 50_000)
	if n == 0 {
		b.Skip("needs the flag -sessions")
	}
	server := redistest.Shared(b)
	used := map[string]func() int64{
		"memory": func() int64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		},
		"redis": func() int64 { return server.KeyBytes() },
	}
	for _, route := range []string{fill, member} {
		for _, p := range peers(b) {
			backend, library, _ := strings.Cut(p.name, "/")
			if used[backend] == nil || strings.HasSuffix(library, "-idle") || strings.HasPrefix(library, "satchel-") && library != "satchel-redisstore" {
				continue
			}
			measured := sync.OnceValues(func() (bytes, took float64) {
				server.MustDo("FLUSHALL")
				r := p.app.request(b, route, "")
				for range 10 { // Redis learns scripts, and clients connect
					r.send()
				}
				before, start := used[backend](), time.Now()
				for range n {
					r.send()
				}
				took = float64(time.Since(start)) / float64(n)
				return float64(used[backend]()-before) / float64(n), took
			})
			b.Run(map[string]string{fill: "stored", member: "stored-user"}[route]+"/"+p.name, func(b *testing.B) {
				bytes, took := measured()
				b.ReportMetric(took, "ns/op")
				b.ReportMetric(bytes, "bytes/session")
			})
		}
	}
}
