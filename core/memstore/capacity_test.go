package memstore_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

// TestMemoryPerSession measures how much of the heap a session takes. It has the four
// values with which other libraries were measured; each logged-in one has its own user.
func TestMemoryPerSession(t *testing.T) {
	const sessions = 20_000
	blob := bytes.Repeat([]byte("x"), 200)
	for _, row := range []struct {
		name  string
		login bool
		most  int64
	}{
		{"anonymous", false, 480},
		{"logged in", true, 720},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStore(t, memstore.Config{SweepInterval: -1})
			manager, err := core.New(core.ServerSide(s), core.Config{})
			if err != nil {
				t.Fatal(err)
			}
			user := 0
			handler := httpadapter.Middleware(manager)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				s := httpadapter.Session(r)
				s.Set("id", int64(1234567))
				s.Set("name", "Ann Example")
				s.Set("role", "editor")
				s.Set("blob", blob)
				if user++; row.login {
					s.Login(fmt.Sprintf("user-%013d", user)) // 18 letters
				}
			}))
			before := heap()
			for range sessions {
				handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil))
			}
			used := (heap() - before) / sessions
			if n := s.Len(); n != sessions {
				t.Fatalf("%d sessions", n)
			}
			t.Logf("%d bytes of heap, %d counted", used, s.Bytes()/sessions)
			if used > row.most {
				t.Errorf("a session takes %d bytes of the heap, want at most %d", used, row.most)
			}
			runtime.KeepAlive(s)
		})
	}
}
