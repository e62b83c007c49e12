package examples_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	fiber3 "github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/devpage"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/echoadapter"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberadapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/ginadapter"
)

const pageAt = "/debug/sessions"

// explained is an application that runs under all frameworks: /login logs ann in.
type explained struct {
	*testing.T
	sessions *core.Manager
	page     *devpage.Page
}

// serveFiber serves an application that is no [http.Handler].
func (a *explained) serveFiber(serve func(net.Listener) error, shutdown func() error) string {
	l, err := new(net.ListenConfig).Listen(a.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		a.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(l) }()
	a.Cleanup(func() {
		if err := errors.Join(shutdown(), <-ended); err != nil {
			a.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// mounts serve the application and the page in each framework's way.
var mounts = map[string]func(*explained) string{
	"nethttp": func(a *explained) string {
		mux := http.NewServeMux()
		mux.Handle("GET "+pageAt, a.page)
		mux.HandleFunc("GET /login", func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Login("ann") })
		return a.serve(httpadapter.Middleware(a.sessions)(mux))
	},
	"echo5": func(a *explained) string {
		e := echo5.New()
		e.Use(echov5adapter.Middleware(a.sessions))
		e.GET(pageAt, echo5.WrapHandler(a.page))
		e.GET("/login", func(c *echo5.Context) error { echov5adapter.Session(c).Login("ann"); return c.NoContent(200) })
		return a.serve(e)
	},
	"echo": func(a *explained) string {
		e := echo.New()
		e.Use(echoadapter.Middleware(a.sessions))
		e.GET(pageAt, echo.WrapHandler(a.page))
		e.GET("/login", func(c echo.Context) error { echoadapter.Session(c).Login("ann"); return c.NoContent(200) })
		return a.serve(e)
	},
	"gin": func(a *explained) string {
		gin.SetMode(gin.ReleaseMode)
		r := gin.New()
		r.Use(ginadapter.Middleware(a.sessions))
		r.GET(pageAt, gin.WrapH(a.page))
		r.GET("/login", func(c *gin.Context) { ginadapter.Session(c).Login("ann") })
		return a.serve(r)
	},
	"fiber3": func(a *explained) string {
		app := fiber3.New()
		app.Use(fiberv3adapter.Middleware(a.sessions))
		app.Get(pageAt, a.page)
		app.Get("/login", func(c fiber3.Ctx) error { fiberv3adapter.Session(c).Login("ann"); return nil })
		quiet := fiber3.ListenConfig{DisableStartupMessage: true}
		return a.serveFiber(func(l net.Listener) error { return app.Listener(l, quiet) }, app.Shutdown)
	},
	"fiber": func(a *explained) string {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Use(fiberadapter.Middleware(a.sessions))
		app.Get(pageAt, adaptor.HTTPHandler(a.page))
		app.Get("/login", func(c *fiber.Ctx) error { fiberadapter.Session(c).Login("ann"); return nil })
		return a.serveFiber(app.Listener, app.Shutdown)
	},
}

func (a *explained) serve(h http.Handler) string {
	server := httptest.NewServer(h)
	a.Cleanup(server.Close)
	return server.URL
}

// get returns the body of a page that is there.
func (a *explained) get(url string) string {
	a.Helper()
	r, err := http.NewRequestWithContext(a.Context(), http.MethodGet, url, nil)
	if err != nil {
		a.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		a.Fatalf("%s: %d, %v: %s", url, resp.StatusCode, err, body)
	}
	return string(body)
}

// TestWhyWasILoggedOut mounts the page as each framework does, and sees real requests on it.
func TestWhyWasILoggedOut(t *testing.T) {
	for framework, mount := range mounts {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			store := memstore.New(memstore.Config{SweepInterval: -1})
			sessions, err := core.New(core.ServerSide(store), core.Config{
				Development: true, InsecureAllowHTTP: true, Observer: func(context.Context, core.Event) {},
			})
			if err != nil {
				t.Fatal(err)
			}
			page, err := devpage.New(sessions)
			if err != nil {
				t.Fatal(err)
			}
			a := &explained{t, sessions, page}
			url := mount(a)
			a.get(url + "/login")
			a.get(url + pageAt)
			body := a.get(url + pageAt)
			for _, text := range []string{"GET", "/login", ">200<", "Login<", `user <a href="?q=ann"`} {
				if !strings.Contains(body, text) {
					t.Errorf("the page does not say %q:\n%s", text, body)
				}
			}
			if strings.Contains(body, pageAt) {
				t.Errorf("the page shows its own requests:\n%s", body)
			}
		})
	}
}
