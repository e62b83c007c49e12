package interop_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/labstack/echo/v5"
	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillasessions"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/ginadapter"
)

// gothApps are the same application in each framework:
//
//	/visit          puts something into the session of a visitor
//	/auth           sends the browser to the provider
//	/auth/callback  is where the browser comes back
//	/               says who is there, and shows flashes
var gothApps = []struct {
	name  string
	serve func(t *testing.T, m *core.Manager) string
}{
	{"nethttp", gothOnHTTP},
	{"echo", gothOnEcho},
	{"gin", gothOnGin},
	{"fiber", gothOnFiber},
	{"bare-nethttp", func(t *testing.T, m *core.Manager) string {
		t.Helper()
		return serveHTTP(t, gothBare(t, m))
	}},
	{"bare-fiber", func(t *testing.T, m *core.Manager) string {
		t.Helper()
		app := newFiber()
		app.Use(adaptor.HTTPHandler(gothBare(t, m)))
		return serveFiber(t, app)
	}},
}

// signIn does what all of them do with the user that goth returns.
func signIn(s *core.Session, user *goth.User) {
	s.Login(user.UserID)
	s.Flash("success", "Welcome, "+user.Name+".")
}

// home returns what all of them show.
func home(s *core.Session) string {
	visit, _ := core.Get[string](s, "visit")
	left := 0
	for _, key := range s.Keys() {
		if strings.HasPrefix(key, gorillasessions.ValueKey(gothic.SessionName, "")) {
			left++
		}
	}
	return fmt.Sprintf("user=%q visit=%q flashes=%v goth=%d", s.UserID(), visit, s.Flashes(), left)
}

func gothOnHTTP(t *testing.T, m *core.Manager) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /visit", func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Set("visit", "before") })
	mux.HandleFunc("GET /auth", gothic.BeginAuthHandler)
	mux.HandleFunc("GET /auth/callback", func(w http.ResponseWriter, r *http.Request) {
		user, err := gothic.CompleteUserAuth(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		signIn(httpadapter.Session(r), &user)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, home(httpadapter.Session(r)))
	})
	return serveHTTP(t, httpadapter.Middleware(m)(mux))
}

func serveHTTP(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func gothOnEcho(t *testing.T, m *core.Manager) string {
	t.Helper()
	e := echo.New()
	e.Use(echov5adapter.Middleware(m))
	e.GET("/visit", func(c *echo.Context) error {
		echov5adapter.Session(c).Set("visit", "before")
		return c.NoContent(http.StatusOK)
	})
	e.GET("/auth", func(c *echo.Context) error {
		// As in goth's documentation for frameworks, the request is copied.
		gothic.BeginAuthHandler(c.Response(), gothic.GetContextWithProvider(c.Request(), c.QueryParam("provider")))
		return nil
	})
	e.GET("/auth/callback", func(c *echo.Context) error {
		user, err := gothic.CompleteUserAuth(c.Response(), c.Request())
		if err != nil {
			return echo.NewHTTPError(http.StatusForbidden, err.Error())
		}
		signIn(echov5adapter.Session(c), &user)
		return c.Redirect(http.StatusSeeOther, "/")
	})
	e.GET("/", func(c *echo.Context) error { return c.String(http.StatusOK, home(echov5adapter.Session(c))) })
	return serveHTTP(t, e)
}

func gothOnGin(t *testing.T, m *core.Manager) string {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	g := gin.New()
	g.Use(ginadapter.Middleware(m))
	g.GET("/visit", func(c *gin.Context) { ginadapter.Session(c).Set("visit", "before") })
	g.GET("/auth", func(c *gin.Context) { gothic.BeginAuthHandler(c.Writer, c.Request) })
	g.GET("/auth/callback", func(c *gin.Context) {
		user, err := gothic.CompleteUserAuth(c.Writer, c.Request)
		if err != nil {
			c.String(http.StatusForbidden, err.Error())
			return
		}
		signIn(ginadapter.Session(c), &user)
		c.Redirect(http.StatusSeeOther, "/")
	})
	g.GET("/", func(c *gin.Context) { c.String(http.StatusOK, home(ginadapter.Session(c))) })
	return serveHTTP(t, g)
}

func gothOnFiber(t *testing.T, m *core.Manager) string {
	t.Helper()
	app := newFiber()
	app.Use(fiberv3adapter.Middleware(m))
	app.Get("/visit", func(c fiber.Ctx) error {
		fiberv3adapter.Session(c).Set("visit", "before")
		return nil
	})
	app.Get("/auth", adaptor.HTTPHandlerFunc(gothic.BeginAuthHandler))
	app.Get("/auth/callback", func(c fiber.Ctx) error {
		var user goth.User
		var err error
		complete := func(w http.ResponseWriter, r *http.Request) { user, err = gothic.CompleteUserAuth(w, r) }
		if handlerErr := adaptor.HTTPHandlerFunc(complete)(c); handlerErr != nil {
			return handlerErr
		}
		if err != nil {
			return fiber.NewError(fiber.StatusForbidden, err.Error())
		}
		signIn(fiberv3adapter.Session(c), &user)
		return c.Redirect().To("/")
	})
	app.Get("/", func(c fiber.Ctx) error { return c.SendString(home(fiberv3adapter.Session(c))) })
	return serveFiber(t, app)
}

func newFiber() *fiber.App {
	return fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
}

func serveFiber(t *testing.T, app *fiber.App) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true}) }()
	t.Cleanup(func() {
		if err := app.Shutdown(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}
