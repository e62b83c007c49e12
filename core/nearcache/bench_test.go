package nearcache_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/nearcache"
)

func BenchmarkLoad(b *testing.B) {
	s := near(b, &muted{newPerfect(b, nil)}, nearcache.Config{Window: time.Minute})
	must(b, s, id(1), "data", 0)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.Load(ctx, id(1))
	}
}

// BenchmarkGET is a whole request that reads its session, without a network.
func BenchmarkGET(b *testing.B) {
	memory := memstore.New(memstore.Config{SweepInterval: -1})
	b.Cleanup(func() { _ = memory.Close() })
	for name, store := range map[string]core.Store{
		"memory": memory,
		"near":   near(b, &muted{newPerfect(b, nil)}, nearcache.Config{Window: time.Minute}),
	} {
		b.Run(name, func(b *testing.B) {
			m, err := core.New(core.ServerSide(store), core.Config{InsecureAllowHTTP: true})
			if err != nil {
				b.Fatal(err)
			}
			h := httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s := httpadapter.Session(r)
				if r.Method == http.MethodPost {
					s.Set("k", "v")
				}
				v, _ := core.Get[string](s, "k")
				_, _ = io.WriteString(w, v)
			}))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/", nil))
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
			for _, c := range w.Result().Cookies() {
				r.AddCookie(c)
			}
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Body.Len() != 1 {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}

// TestBytesAreThoseOfTheHeap: MaxBytes is what the copies take, give or take a tenth.
func TestBytesAreThoseOfTheHeap(t *testing.T) {
	for _, size := range []int{120, 300, 1000, 4000} {
		s := near(t, &sized{newPerfect(t, nil), size}, nearcache.Config{MaxBytes: 16 << 20, MaxEntries: 1e6})
		before := heap()
		for i := range 120_000 {
			if _, err := s.Load(t.Context(), id(i)); err != nil {
				t.Fatal(err)
			}
		}
		took, st := heap()-before, s.Stats()
		ratio := float64(took) / float64(st.Bytes)
		t.Logf("%d copies of %d bytes take %d, counted as %d: %.2f", st.Entries, size, took, st.Bytes, ratio)
		if ratio < 0.88 || ratio > 1.12 || st.Bytes > 16<<20 || st.Bytes < 15<<20 {
			t.Errorf("%d copies of %d bytes take %d, counted as %d, of %d", st.Entries, size, took, st.Bytes, 16<<20)
		}
		_ = s.Close()
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// sized is a store that has every session.
type sized struct {
	*perfect
	size int
}

func (s *sized) Load(_ context.Context, _ core.ID) (core.Entry, error) {
	return core.Entry{Data: make([]byte, s.size), User: "", Expires: time.Now().Add(time.Hour), Version: 1}, nil
}
