package bench

import (
	"testing"

	"github.com/satchel-go/satchel/core"
)

var (
	number = core.NewKey[int64]("id")
	name   = core.NewKey[string]("name")
	role   = core.NewKey[string]("role")
	blob   = core.NewKey[[]byte]("blob")
)

// satchelSteps returns what Satchel's handlers do in every framework.
func satchelSteps() map[string]func(*core.Session) {
	fillAll := func(s *core.Session) {
		number.Set(s, 1234567)
		name.Set(s, "Ann Example")
		role.Set(s, "editor")
		blob.Set(s, payload)
	}
	readAll := func(s *core.Session) {
		_, a := number.Get(s)
		_, b := name.Get(s)
		_, c := role.Get(s)
		_, d := blob.Get(s)
		if !a || !b || !c || !d {
			panic("a value is missing")
		}
	}
	count := counter()
	return map[string]func(*core.Session){
		fill:   fillAll,
		member: func(s *core.Session) { fillAll(s); s.Login(userOf18(count())) },
		read:   readAll,
		write:  func(s *core.Session) { readAll(s); number.Set(s, count()) },
		login:  func(s *core.Session) { s.Login(user(count())) },
		notify: func(s *core.Session) { s.Flash("info", notice) },
		show: func(s *core.Session) {
			flashes := s.Flashes()
			if len(flashes) != 1 {
				panic("not one flash")
			}
			shown(flashes[0].Text)
		},
	}
}

func manager(tb testing.TB, backend core.Backend) *core.Manager {
	m, err := core.New(backend, core.Config{CommitTimeout: patience})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}
