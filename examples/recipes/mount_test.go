package recipes

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/ginadapter"
)

// in runs f as a handler that c calls.
func in(c *sessiontest.Client, f func(*core.Session)) {
	f(c.Session())
	c.End(http.StatusOK)
}

// idOf returns the ID of c's session.
func idOf(c *sessiontest.Client) (id core.ID) {
	in(c, func(s *core.Session) { id = s.ID() })
	return id
}

// call is one request to a recipe that is the same in all frameworks.
type call struct {
	context.Context
	sessions *core.Manager
	s        *core.Session
	form     func(name string) string // of a POST
	header   func(name string) string
	set      func(name, value string) // a header of the response
}

// routes are such a recipe's handlers by method and path. They return the status, and
// where to go or what to show.
type routes map[string]func(c call) (status int, text string)

// around is middleware outside or inside the sessions, outermost first.
type around struct {
	nethttp []func(http.Handler) http.Handler
	echo    []echo.MiddlewareFunc
	gin     []gin.HandlerFunc
	fiber   []fiber.Handler
}

// wrap returns h inside a's middleware for net/http.
func (a around) wrap(h http.Handler) http.Handler {
	for _, middleware := range slices.Backward(a.nethttp) {
		h = middleware(h)
	}
	return h
}

// mounted returns r in every framework, in Fiber behind first.
func mounted(r routes, first ...fiber.Handler) []framework {
	return ordered(r, around{fiber: first}, around{})
}

// ordered returns r in every framework, with other middleware.
func ordered(r routes, outside, inside around) []framework {
	each := func(add func(method, path string, do func(call) (int, string))) {
		for route, do := range r {
			method, path, _ := strings.Cut(route, " ")
			add(method, path, do)
		}
	}
	return frameworks(
		func(m *core.Manager) http.Handler {
			mux := http.NewServeMux()
			each(func(method, path string, do func(call) (int, string)) {
				mux.HandleFunc(method+" "+path, func(w http.ResponseWriter, r *http.Request) {
					status, text := do(call{r.Context(), m, httpadapter.Session(r), r.PostFormValue, r.Header.Get, w.Header().Set})
					if status/100 == 3 {
						http.Redirect(w, r, text, status)
						return
					}
					w.Header().Set("Content-Type", "text/html; charset=utf-8")
					w.WriteHeader(status)
					_, _ = w.Write([]byte(text)) // the client may be gone
				})
			})
			return outside.wrap(httpadapter.Middleware(m)(inside.wrap(mux)))
		},
		func(m *core.Manager) *echo.Echo {
			e := echo.New()
			e.Use(slices.Concat(outside.echo, []echo.MiddlewareFunc{echov5adapter.Middleware(m)}, inside.echo)...)
			each(func(method, path string, do func(call) (int, string)) {
				e.Add(method, path, func(c *echo.Context) error {
					status, text := do(call{c.Request().Context(), m, echov5adapter.Session(c), c.FormValue, c.Request().Header.Get, c.Response().Header().Set})
					if status/100 == 3 {
						return c.Redirect(status, text)
					}
					return c.HTML(status, text)
				})
			})
			return e
		},
		func(m *core.Manager) *gin.Engine {
			g := gin.New()
			g.Use(slices.Concat(outside.gin, []gin.HandlerFunc{ginadapter.Middleware(m)}, inside.gin)...)
			each(func(method, path string, do func(call) (int, string)) {
				g.Handle(method, path, func(c *gin.Context) {
					status, text := do(call{c.Request.Context(), m, ginadapter.Session(c), c.PostForm, c.GetHeader, c.Header})
					if status/100 == 3 {
						c.Redirect(status, text)
						return
					}
					c.Data(status, "text/html; charset=utf-8", []byte(text))
				})
			})
			return g
		},
		func(m *core.Manager) *fiber.App {
			app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
			for _, middleware := range slices.Concat(outside.fiber, []fiber.Handler{fiberv3adapter.Middleware(m)}, inside.fiber) {
				app.Use(middleware)
			}
			each(func(method, path string, do func(call) (int, string)) {
				app.Add([]string{method}, path, func(c fiber.Ctx) error {
					form := func(name string) string { return c.FormValue(name) }
					header := func(name string) string { return c.Get(name) }
					status, text := do(call{c.Context(), m, fiberv3adapter.Session(c), form, header, c.Set})
					if status/100 == 3 {
						c.Status(status)
						c.Set("Location", text)
						return nil
					}
					c.Set("Content-Type", "text/html; charset=utf-8")
					return c.Status(status).SendString(text)
				})
			})
			return app
		},
	)
}

// shown returns r in every framework, but in Echo the application that the page shows.
func shown(e func(*core.Manager) *echo.Echo, r routes) []framework {
	all := mounted(r)
	for i := range all {
		if all[i].name == "echo" {
			all[i].app = func(m *core.Manager) any { return e(m) }
		}
	}
	return all
}

// asJSON returns v as a page shows it.
func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
