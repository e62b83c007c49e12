package cli_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"

	"github.com/satchel-go/satchel/cmd/satchel/internal/cli"
)

// BenchmarkManySessions counts, lists and ends logged-in sessions in Redis, 10,000 or
// SATCHEL_SESSIONS, each of a user of its own. It reports seconds, and what the heap holds
// at most while all are listed.
func BenchmarkManySessions(b *testing.B) {
	n, _ := strconv.Atoi(os.Getenv("SATCHEL_SESSIONS"))
	if n == 0 {
		n = 10_000
	}
	server := redistest.Start(b)
	b.Setenv("SATCHEL_STORE", server.URL())
	for b.Loop() {
		seed(b, server.URL(), n)
		var peak uint64
		for _, args := range [][]string{
			{"count"},
			{"count", "--detail"},
			{"list", "--all", "--limit", "9999999", "--json"},
			{"list", "user-1"},
			{"revoke", "--all", "--dry-run"},
			{"revoke", "--all", "--yes"},
		} {
			began := time.Now()
			out := &peaks{peak: &peak}
			code := cli.Main(b.Context(), args, cli.IO{Out: out, Err: io.Discard, Now: time.Now, Progress: true})
			if code != 0 {
				b.Fatalf("%v: exit %d", args, code)
			}
			b.ReportMetric(time.Since(began).Seconds(), fmt.Sprint(args[0], map[bool]string{true: args[len(args)-1]}[len(args) > 1], "-s"))
		}
		b.ReportMetric(float64(peak)/(1<<20), "MiB-of-heap")
	}
}

// peaks looks at the heap now and then, and drops what is written.
type peaks struct {
	writes int
	peak   *uint64
}

func (p *peaks) Write(data []byte) (int, error) {
	if p.writes++; p.writes%20_000 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		*p.peak = max(*p.peak, m.HeapInuse)
	}
	return len(data), nil
}

// seed logs n users in.
func seed(tb testing.TB, url string, n int) {
	tb.Helper()
	store, err := goredisstore.Open(url, goredisstore.Config{Timeout: time.Minute})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	m, err := core.New(core.ServerSide(store), core.Config{LoadTimeout: time.Minute, CommitTimeout: time.Minute})
	if err != nil {
		tb.Fatal(err)
	}
	const workers = 32
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < n; i += workers {
				s := m.NewSession(context.Background())
				s.Set("cart", "some 200 bytes of what shops keep, more or less, as in the table of operations")
				s.Login("user-" + strconv.Itoa(i))
				if err := s.Commit(context.Background()); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}
