package adapterunit

import (
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// Allocations bounds what the adapter allocates. Do not run it with the race
// detector, which makes pools forget at random.
func (f Framework[C, L]) Allocations(t *testing.T) {
	t.Run("empty session", f.testAllocations)
	t.Run("read and write", f.testReadAndWriteAllocations)
}

// testAllocations compares with middleware that does nothing.
func (f Framework[C, L]) testAllocations(t *testing.T) {
	t.Helper()
	memory, _ := ServerSide(t, core.Config{})
	for name, m := range map[string]*core.Manager{"memory": memory, "cookie": ClientSide(t, core.Config{})} {
		for path, handler := range map[string]func(C) error{
			"empty": func(C) error { return nil },
			"text":  func(c C) error { return f.Text(c, 200, "ok") },
		} {
			without := testing.AllocsPerRun(500, f.Bare(t, handler, "", f.Nothing))
			with := testing.AllocsPerRun(500, f.Bare(t, handler, "", f.Middleware(m)))
			t.Logf("%s, %s: %v allocations, %v without sessions", name, path, with, without)
			if with > without+2 {
				t.Errorf("%s, %s: %v allocations, %v without sessions: more than 2", name, path, with, without)
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

// testReadAndWriteAllocations allows four more than the budgets of the net/http adapter.
func (f Framework[C, L]) testReadAndWriteAllocations(t *testing.T) {
	t.Helper()
	memory, _ := ServerSide(t, core.Config{})
	n := int64(0)
	write := func(c C) error {
		s := f.Session(c)
		readAll(s)
		n++
		number.Set(s, n)
		return nil
	}
	for _, b := range []struct {
		name        string
		m           *core.Manager
		read, write float64
	}{{"memory", memory, 10 + 4, 24 + 4}, {"cookie", ClientSide(t, core.Config{}), 14 + 4, 28 + 4}} {
		cookie := f.Serve(t, func(c C) error {
			s := f.Session(c)
			number.Set(s, 1234567)
			name.Set(s, "Ann Example")
			role.Set(s, "editor")
			blob.Set(s, []byte(strings.Repeat("x", 200)))
			return nil
		}, "", f.Middleware(b.m)).Cookie(t)
		reading := testing.AllocsPerRun(500, f.Bare(t, func(c C) error { readAll(f.Session(c)); return nil }, cookie, f.Middleware(b.m)))
		writing := testing.AllocsPerRun(500, f.Bare(t, write, cookie, f.Middleware(b.m)))
		t.Logf("%s: read %v, write %v allocations", b.name, reading, writing)
		if reading > b.read || writing > b.write {
			t.Errorf("%s: read %v, write %v allocations, budgets %v and %v", b.name, reading, writing, b.read, b.write)
		}
	}
}
