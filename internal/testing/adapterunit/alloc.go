package adapterunit

import (
	"errors"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// Allocations bounds what the adapter allocates. Do not run it with the race
// detector, which makes pools forget at random.
func (f Framework[C, L]) Allocations(t *testing.T) {
	t.Run("empty session", f.testAllocations)
	t.Run("read and write", f.testReadAndWriteAllocations)
}

// cost is what requests may allocate more than with middleware that does nothing.
type cost struct{ allocs, bytes int }

// untouched returns what a request may cost that presents no session and asks for none.
// On net/http, some 320 bytes are a request with another context. An observer gets a
// description of the request.
func (f Framework[C, L]) untouched(observed bool) cost {
	most := cost{2, 450}
	if f.Writer == nil { // Fiber needs no other request
		most = cost{1, 200}
	}
	if f.Name == "echoadapter" { // Echo v4 makes the middleware's function anew for each request
		most.bytes += 16
	}
	if observed {
		most.allocs++
		most.bytes += 64
	}
	return most
}

// testAllocations compares with middleware that does nothing.
func (f Framework[C, L]) testAllocations(t *testing.T) {
	t.Helper()
	memory, cookie := quiet(t)
	observed, _ := ServerSide(t, core.Config{})
	for name, m := range map[string]*core.Manager{"memory": memory, "cookie": cookie, "observed": observed} {
		most := f.untouched(m == observed)
		for path, handler := range map[string]func(C) error{
			"empty": func(C) error { return nil },
			"text":  func(c C) error { return f.Text(c, 200, "ok") },
		} {
			allocs0, bytes0 := alloctest.PerRun(f.Bare(t, handler, "", f.Nothing))
			allocs, bytes := alloctest.PerRun(f.Bare(t, handler, "", f.Middleware(m)))
			t.Logf("%s, %s: %d allocations and %d bytes, without sessions %d and %d", name, path, allocs, bytes, allocs0, bytes0)
			if allocs > allocs0+most.allocs || bytes > bytes0+most.bytes {
				t.Errorf("%s, %s: %d allocations and %d bytes more than without sessions, want at most %d and %d",
					name, path, allocs-allocs0, bytes-bytes0, most.allocs, most.bytes)
			}
		}
	}
}

var (
	number = core.NewKey[int64]("id")
	name   = core.NewKey[string]("name")
	role   = core.NewKey[string]("role")
	blob   = core.NewKey[[]byte]("blob")
)

func readAll(s *core.Session) {
	_, ok1 := number.Get(s)
	_, ok2 := name.Get(s)
	_, ok3 := role.Get(s)
	_, ok4 := blob.Get(s)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		panic("a value is missing")
	}
}

// quiet returns Managers without an observer, on memory and on the cookie.
func quiet(t *testing.T) (memory, cookie *core.Manager) {
	t.Helper()
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	memory, err1 := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	cookie, err2 := core.New(core.ClientSide(sealed.Cookie(keys)), core.Config{})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return memory, cookie
}

// testReadAndWriteAllocations bounds what requests with a session allocate more than those
// that have no middleware. The session has four values, one of 200 bytes.
func (f Framework[C, L]) testReadAndWriteAllocations(t *testing.T) {
	t.Helper()
	memory, encrypted := quiet(t)
	n := int64(0)
	read := func(c C) error { readAll(f.Session(c)); return nil }
	write := func(c C) error {
		s := f.Session(c)
		readAll(s)
		n++
		number.Set(s, n)
		return nil
	}
	type budget struct {
		name        string
		m           *core.Manager
		read, write cost
	}
	budgets := []budget{
		{"memory", memory, cost{9, 1720}, cost{16, 3100}},
		{"cookie", encrypted, cost{12, 3600}, cost{26, 7300}},
	}
	if f.Writer == nil { // Fiber's cookies are copied, its requests are not
		budgets = []budget{
			{"memory", memory, cost{11, 1560}, cost{18, 2950}},
			{"cookie", encrypted, cost{14, 4250}, cost{25, 7800}},
		}
	}
	for _, b := range budgets {
		cookie := f.Serve(t, func(c C) error {
			s := f.Session(c)
			number.Set(s, 1234567)
			name.Set(s, "Ann Example")
			role.Set(s, "editor")
			blob.Set(s, []byte(strings.Repeat("x", 200)))
			return nil
		}, "", f.Middleware(b.m)).Cookie(t)
		allocs0, bytes0 := alloctest.PerRun(f.Bare(t, func(C) error { return nil }, cookie, f.Nothing))
		for _, does := range []struct {
			what    string
			handler func(C) error
			most    cost
		}{{"read", read, b.read}, {"write", write, b.write}} {
			allocs, bytes := alloctest.PerRun(f.Bare(t, does.handler, cookie, f.Middleware(b.m)))
			t.Logf("%s, %s: %d allocations and %d bytes more than without sessions", b.name, does.what, allocs-allocs0, bytes-bytes0)
			if allocs-allocs0 > does.most.allocs || bytes-bytes0 > does.most.bytes {
				t.Errorf("%s, %s: %d allocations and %d bytes more than without sessions, want at most %d and %d",
					b.name, does.what, allocs-allocs0, bytes-bytes0, does.most.allocs, does.most.bytes)
			}
		}
	}
}
