//go:build !race

// The race detector makes pools forget at random, so that allocations vary.

package echoadapter

import (
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// TestAllocations compares with middleware that does nothing.
func TestAllocations(t *testing.T) {
	memory, _ := serverSide(t, core.Config{})
	for name, m := range map[string]*core.Manager{"memory": memory, "cookie": clientSide(t)} {
		for path, handler := range map[string]func(ctx) error{
			"empty": func(ctx) error { return nil },
			"text":  func(c ctx) error { return text(c, 200, "ok") },
		} {
			without := testing.AllocsPerRun(500, bare(t, handler, "", nothing))
			with := testing.AllocsPerRun(500, bare(t, handler, "", Middleware(m)))
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

// TestReadAndWriteAllocations has the budgets of the net/http adapter, and four more.
func TestReadAndWriteAllocations(t *testing.T) {
	memory, _ := serverSide(t, core.Config{})
	n := int64(0)
	write := func(c ctx) error {
		s := Session(c)
		readAll(s)
		n++
		number.Set(s, n)
		return nil
	}
	for _, b := range []struct {
		name        string
		m           *core.Manager
		read, write float64
	}{{"memory", memory, 10 + 4, 24 + 4}, {"cookie", clientSide(t), 14 + 4, 28 + 4}} {
		cookie := serve(t, func(c ctx) error {
			s := Session(c)
			number.Set(s, 1234567)
			name.Set(s, "Ann Example")
			role.Set(s, "editor")
			blob.Set(s, []byte(strings.Repeat("x", 200)))
			return nil
		}, "", Middleware(b.m)).cookie(t)
		reading := testing.AllocsPerRun(500, bare(t, func(c ctx) error { readAll(Session(c)); return nil }, cookie, Middleware(b.m)))
		writing := testing.AllocsPerRun(500, bare(t, write, cookie, Middleware(b.m)))
		t.Logf("%s: read %v, write %v allocations", b.name, reading, writing)
		if reading > b.read || writing > b.write {
			t.Errorf("%s: read %v, write %v allocations, budgets %v and %v", b.name, reading, writing, b.read, b.write)
		}
	}
}
