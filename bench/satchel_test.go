package bench

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/fiberadapter"
)

var (
	number = core.NewKey[int64]("id")
	name   = core.NewKey[string]("name")
	role   = core.NewKey[string]("role")
	blob   = core.NewKey[[]byte]("blob")
)

// steps returns what Satchel's handlers do in every framework.
func steps() map[string]func(*core.Session) {
	readAll := func(s *core.Session) {
		_, a := number.Get(s)
		_, b := name.Get(s)
		_, c := role.Get(s)
		_, d := blob.Get(s)
		if !a || !b || !c || !d {
			panic("a value is missing")
		}
	}
	n := int64(0)
	return map[string]func(*core.Session){
		fill: func(s *core.Session) {
			number.Set(s, 1234567)
			name.Set(s, "Ann Example")
			role.Set(s, "editor")
			blob.Set(s, payload)
		},
		read:      readAll,
		write:     func(s *core.Session) { readAll(s); n++; number.Set(s, n) },
		anonymous: func(*core.Session) {},
		login:     func(s *core.Session) { n++; s.Login(user(n)) },
	}
}

// user returns the name of user n.
func user(n int64) string { return "user-" + strconv.FormatInt(n, 10) }

func manager(tb testing.TB, backend core.Backend) *core.Manager {
	m, err := core.New(backend, core.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func satchel(tb testing.TB, name string, backend core.Backend) peer {
	app, middleware := httpApp{}, httpadapter.Middleware(manager(tb, backend))
	for route, f := range steps() {
		app[route] = middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if route != anonymous {
				f(httpadapter.Session(r))
			}
		}))
	}
	return peer{name, app}
}

func satchelFiber(tb testing.TB, name string, backend core.Backend) peer {
	app := fiber.New()
	app.Use(fiberadapter.Middleware(manager(tb, backend)))
	for route, f := range steps() {
		app.Get("/"+route, func(c *fiber.Ctx) error {
			if route != anonymous {
				f(fiberadapter.Session(c))
			}
			return nil
		})
	}
	return peer{name, fastApp{app.Handler()}}
}
