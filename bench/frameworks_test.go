package bench

import (
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/echoadapter"
	"github.com/satchel-go/satchel/fiberadapter"
	"github.com/satchel-go/satchel/ginadapter"
)

// What an application does on a route, in each framework. A route without a step does
// nothing. After the step of notify, the application redirects to show.
type (
	httpStep  func(http.ResponseWriter, *http.Request)
	echoStep  func(echo.Context)
	ginStep   func(*gin.Context)
	fiberStep func(*fiber.Ctx)
)

// httpOn returns an application on net/http, with a handler for each route.
func httpOn(name string, use func(http.Handler) http.Handler, steps map[string]httpStep) peer {
	app := httpApp{}
	for _, route := range routes {
		step := steps[route]
		if step == nil {
			step = func(http.ResponseWriter, *http.Request) {}
		}
		handler := http.HandlerFunc(step)
		if route == notify {
			handler = func(w http.ResponseWriter, r *http.Request) {
				step(w, r)
				http.Redirect(w, r, "/"+show, http.StatusSeeOther)
			}
		}
		app[route] = handler
		if use != nil {
			app[route] = use(handler)
		}
	}
	return peer{name: name, app: app}
}

func echoOn(name string, use []echo.MiddlewareFunc, steps map[string]echoStep) peer {
	e := echo.New()
	e.Use(use...)
	app := httpApp{}
	for _, route := range routes {
		step := steps[route]
		if step == nil {
			step = func(echo.Context) {}
		}
		handler := func(c echo.Context) error { step(c); return nil }
		if route == notify {
			handler = func(c echo.Context) error { step(c); return c.Redirect(http.StatusSeeOther, "/"+show) }
		}
		e.Any("/"+route, handler)
		app[route] = e
	}
	return peer{name: name, app: app}
}

func ginOn(name string, use []gin.HandlerFunc, steps map[string]ginStep) peer {
	gin.SetMode(gin.ReleaseMode)
	g := gin.New()
	g.Use(use...)
	app := httpApp{}
	for _, route := range routes {
		step := steps[route]
		if step == nil {
			step = func(*gin.Context) {}
		}
		handler := gin.HandlerFunc(step)
		if route == notify {
			handler = func(c *gin.Context) { step(c); c.Redirect(http.StatusSeeOther, "/"+show) }
		}
		g.Any("/"+route, handler)
		app[route] = g
	}
	return peer{name: name, app: app}
}

func fiberOn(name string, use []fiber.Handler, steps map[string]fiberStep) peer {
	f := fiber.New(fiber.Config{ReadBufferSize: 16 << 10}) // Satchel would warn of less; requests here are calls
	for _, handler := range use {
		f.Use(handler)
	}
	for _, route := range routes {
		step := steps[route]
		if step == nil {
			step = func(*fiber.Ctx) {}
		}
		handler := func(c *fiber.Ctx) error { step(c); return nil }
		if route == notify {
			handler = func(c *fiber.Ctx) error { step(c); return c.Redirect("/"+show, http.StatusSeeOther) }
		}
		f.All("/"+route, handler)
	}
	return peer{name: name, app: fastApp{f.Handler()}}
}

// bares returns the frameworks alone, with the same routes and no session.
func bares() []peer {
	list := []peer{
		httpOn("bare/nethttp", nil, nil),
		echoOn("bare/echo", nil, nil),
		ginOn("bare/gin", nil, nil),
		fiberOn("bare/fiber", nil, nil),
	}
	for i := range list {
		list[i].bare = true
	}
	return list
}

// stepsWith makes steps of a framework from steps with a session.
func stepsWith[S any, F any](steps map[string]func(S), in func(func(S)) F) map[string]F {
	made := map[string]F{}
	for route, step := range steps {
		made[route] = in(step)
	}
	return made
}

func satchel(tb testing.TB, name string, backend core.Backend) peer {
	return satchelOf(name, manager(tb, backend))
}

func satchelOf(name string, m *core.Manager) peer {
	return httpOn(name, httpadapter.Middleware(m), stepsWith(satchelSteps(), func(step func(*core.Session)) httpStep {
		return func(_ http.ResponseWriter, r *http.Request) { step(httpadapter.Session(r)) }
	}))
}

func satchelEcho(tb testing.TB, name string, backend core.Backend) peer {
	use := []echo.MiddlewareFunc{echoadapter.Middleware(manager(tb, backend))}
	return echoOn(name, use, stepsWith(satchelSteps(), func(step func(*core.Session)) echoStep {
		return func(c echo.Context) { step(echoadapter.Session(c)) }
	}))
}

func satchelGin(tb testing.TB, name string, backend core.Backend) peer {
	use := []gin.HandlerFunc{ginadapter.Middleware(manager(tb, backend))}
	return ginOn(name, use, stepsWith(satchelSteps(), func(step func(*core.Session)) ginStep {
		return func(c *gin.Context) { step(ginadapter.Session(c)) }
	}))
}

func satchelFiber(tb testing.TB, name string, backend core.Backend) peer {
	use := []fiber.Handler{fiberadapter.Middleware(manager(tb, backend))}
	return fiberOn(name, use, stepsWith(satchelSteps(), func(step func(*core.Session)) fiberStep {
		return func(c *fiber.Ctx) { step(fiberadapter.Session(c)) }
	}))
}
