package examples_test

import (
	"context"
	"errors"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

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
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/echoadapter"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberadapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/ginadapter"
)

const pageAt = "/debug/sessions"

// explained is an application that runs under all frameworks. The path says
// what to do with the session, and the answer is the status.
type explained struct {
	*testing.T
	sessions *core.Manager
	page     *devpage.Page
	url      string

	clock *storetest.FakeClock

	mu   sync.Mutex
	kept *core.Session // from a handler that has returned
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

func (a *explained) handle(op string, s *core.Session) (status int) {
	switch op {
	case "login":
		s.Login("ann")
	case "save":
		s.Set("colour", "green")
	case "read":
		s.UserID()
	case "fail":
		s.Set("colour", "red")
		return 500
	case "logout":
		s.Logout()
	case "keep":
		a.mu.Lock()
		a.kept = s
		a.mu.Unlock()
	}
	return 200
}

// mounts serve the application and the page in each framework's way.
var mounts = map[string]func(*explained) string{
	"nethttp": func(a *explained) string {
		mux := http.NewServeMux()
		mux.Handle("GET "+pageAt, a.page)
		mux.HandleFunc("GET /do/{op}", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(a.handle(r.PathValue("op"), httpadapter.Session(r)))
		})
		return a.serve(httpadapter.Middleware(a.sessions)(mux))
	},
	"echo5": func(a *explained) string {
		e := echo5.New()
		e.Use(echov5adapter.Middleware(a.sessions))
		e.GET(pageAt, echo5.WrapHandler(a.page))
		e.GET("/do/:op", func(c *echo5.Context) error {
			return c.NoContent(a.handle(c.Param("op"), echov5adapter.Session(c)))
		})
		return a.serve(e)
	},
	"echo": func(a *explained) string {
		e := echo.New()
		e.Use(echoadapter.Middleware(a.sessions))
		e.GET(pageAt, echo.WrapHandler(a.page))
		e.GET("/do/:op", func(c echo.Context) error {
			return c.NoContent(a.handle(c.Param("op"), echoadapter.Session(c)))
		})
		return a.serve(e)
	},
	"gin": func(a *explained) string {
		gin.SetMode(gin.ReleaseMode)
		r := gin.New()
		r.Use(ginadapter.Middleware(a.sessions))
		r.GET(pageAt, gin.WrapH(a.page))
		r.GET("/do/:op", func(c *gin.Context) { c.Status(a.handle(c.Param("op"), ginadapter.Session(c))) })
		return a.serve(r)
	},
	"fiber3": func(a *explained) string {
		app := fiber3.New()
		app.Use(fiberv3adapter.Middleware(a.sessions))
		app.Get(pageAt, a.page)
		app.Get("/do/:op", func(c fiber3.Ctx) error {
			return c.SendStatus(a.handle(c.Params("op"), fiberv3adapter.Session(c)))
		})
		quiet := fiber3.ListenConfig{DisableStartupMessage: true}
		return a.serveFiber(func(l net.Listener) error { return app.Listener(l, quiet) }, app.Shutdown)
	},
	"fiber": func(a *explained) string {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Use(fiberadapter.Middleware(a.sessions))
		app.Get(pageAt, adaptor.HTTPHandler(a.page))
		app.Get("/do/:op", func(c *fiber.Ctx) error {
			return c.SendStatus(a.handle(c.Params("op"), fiberadapter.Session(c)))
		})
		return a.serveFiber(app.Listener, app.Shutdown)
	},
}

func (a *explained) serve(h http.Handler) string {
	server := httptest.NewServer(h)
	a.Cleanup(server.Close)
	return server.URL
}

func explain(t *testing.T, mount func(*explained) string, edit func(*core.Config)) *explained {
	a := &explained{T: t, clock: storetest.NewFakeClock()}
	a.clock.Advance(-time.Duration(a.clock.Now().Nanosecond())) // the page shows whole seconds
	store := memstore.New(memstore.Config{Now: a.clock.Now, SweepInterval: -1})
	c := core.Config{Development: true, InsecureAllowHTTP: true, Now: a.clock.Now, Observer: func(context.Context, core.Event) {}}
	edit(&c)
	var err error
	if a.sessions, err = core.New(core.ServerSide(store), c); err != nil {
		t.Fatal(err)
	}
	if a.page, err = devpage.New(a.sessions); err != nil {
		t.Fatal(err)
	}
	a.url = mount(a)
	return a
}

// get returns a path's status, cookie ("" if none was set) and body.
func (a *explained) get(path string, cookies ...string) (status int, cookie, body string) {
	a.Helper()
	r, err := http.NewRequestWithContext(a.Context(), http.MethodGet, a.url+path, nil)
	if err != nil {
		a.Fatal(err)
	}
	if len(cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.Fatal(err)
	}
	cookie, _, _ = strings.Cut(resp.Header.Get("Set-Cookie"), ";")
	return resp.StatusCode, cookie, string(b)
}

var articles = regexp.MustCompile(`(?s)<article>.*?</article>`)

// want checks that the newest entry on the page contains all texts.
func (a *explained) want(about string, texts ...string) {
	a.Helper()
	status, _, body := a.get(pageAt)
	if status != 200 {
		a.Fatalf("the page answers %d: %s", status, body)
	}
	newest := html.UnescapeString(articles.FindString(body))
	for _, text := range texts {
		if !strings.Contains(newest, text) {
			a.Errorf("%s: the page does not say %q:\n%s", about, text, newest)
		}
	}
	if strings.Contains(body, pageAt) {
		a.Errorf("%s: the page shows its own requests", about)
	}
}

// TestWhyWasILoggedOut provokes every reason with real requests under each
// framework, with the page mounted as that framework does.
func TestWhyWasILoggedOut(t *testing.T) {
	for framework, mount := range mounts {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			a := explain(t, mount, func(*core.Config) {})
			a.get("/do/read")
			a.want("no cookie", "GET", "/do/read", ">200<", "No cookie<", "a first visit")

			_, cookie, _ := a.get("/do/login")
			a.want("login", "Login<", "user <a href=\"?q=ann\"")
			a.get("/do/save", cookie)
			a.want("saved", "Session found<", "Saved<")

			a.get("/do/fail", cookie)
			a.want("rolled back", ">500<", "Rolled back<", "status 500", "Session.Commit")

			a.clock.Advance(10 * time.Minute)
			touched := a.clock.Now()
			a.get("/do/read", cookie)
			a.want("touched", "Touched<")

			a.get("/do/keep", cookie)
			a.mu.Lock()
			kept := a.kept
			a.mu.Unlock()
			kept.Set("colour", "blue")
			a.want("too late", "/do/keep", "Written too late<", "The request was over", `set "colour"`)

			a.get("/do/read", cookie, "session=another")
			a.want("two cookies", "Two cookies<", "two cookies with the name session", "Config.Cookie.Name")
			a.get("/do/read", "session=~9~nonsense")
			a.want("malformed", "Not our cookie<")

			a.clock.Advance(time.Hour)
			a.get("/do/read", cookie)
			a.want("expired", "Expired at "+touched.Add(30*time.Minute).Format("2006-01-02 15:04:05")+"<", "Config.IdleTimeout",
				"last seen at "+touched.Format("2006-01-02 15:04:05"))

			_, cookie, _ = a.get("/do/login")
			if _, err := a.sessions.RevokeUser(t.Context(), "ann"); err != nil {
				t.Fatal(err)
			}
			a.want("the revocation", "Outside of requests", "Revoked<")
			revoked := a.clock.Now()
			a.clock.Advance(time.Minute)
			a.get("/do/read", cookie)
			a.want("revoked", "Ended at "+revoked.Format("2006-01-02 15:04:05")+"<", "it was revoked")

			_, cookie, _ = a.get("/do/login")
			a.get("/do/logout", cookie)
			a.want("logout", "Logout<")
			a.get("/do/read", cookie)
			a.want("after the logout", "its own request logged it out")
		})
	}
}

// TestWhyWasILoggedOutOverPlainHTTP: the Secure cookie does not come back.
func TestWhyWasILoggedOutOverPlainHTTP(t *testing.T) {
	for framework, mount := range mounts {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			a := explain(t, mount, func(c *core.Config) { c.InsecureAllowHTTP = false })
			a.get("/do/login")
			a.want("the Set-Cookie", "Login<", "Secure cookie over plain HTTP<", "Config.InsecureAllowHTTP")
			a.get("/do/read") // as a browser does that keeps the cookie back
			a.want("the next request", "No cookie, over plain HTTP<", "X-Forwarded-Proto")
		})
	}
}
