// Command consumer is what somebody else's program looks like: it uses every
// module by its published name. scripts/smoke runs it outside this repository.
//
// It serves two requests through each adapter on each backend: the first
// leaves a flash and redirects, the second shows it.
package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	fiber3 "github.com/gofiber/fiber/v3"
	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/echoadapter"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberadapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/ginadapter"
	"github.com/satchel-go/satchel/otelsatchel"
	"github.com/satchel-go/satchel/promsatchel"
)

// do sends one request to an app.
type do func(*http.Request) (*http.Response, error)

func main() {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	check(err)
	hashKey, blockKey := make([]byte, 32), make([]byte, 32)
	_, _ = rand.Read(hashKey)
	_, _ = rand.Read(blockKey)
	for name, backend := range map[string]core.Backend{
		"memory":         core.ServerSide(memstore.New(memstore.Config{})),
		"cookie":         core.ClientSide(sealed.Cookie(keys)),
		"gorilla-cookie": gorillastore.Cookie(sessions.NewCookieStore(hashKey, blockKey), gorillastore.CookieConfig{}),
	} {
		counted := promsatchel.New(promsatchel.Config{})
		check(prometheus.NewRegistry().Register(counted))
		sessions, err := core.New(backend, core.Config{Observer: core.Observers(counted.Observe, otelsatchel.New(otelsatchel.Config{}).Observe)})
		check(err)
		for framework, app := range map[string]do{
			"nethttp": netHTTP(sessions), "echo5": echo5App(sessions), "echo": echoApp(sessions), "gin": ginApp(sessions), "fiber3": fiber3App(sessions), "fiber": fiberApp(sessions),
		} {
			if got := visit(app); got != "[{success Saved.}]" {
				fmt.Fprintf(os.Stderr, "smoke: %s on %s shows %q\n", framework, name, got)
				os.Exit(1)
			}
		}
	}
	fmt.Println("smoke: consumer ran")
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "smoke:", err)
		os.Exit(1)
	}
}

// visit posts, follows the redirect and returns the page.
func visit(app do) string {
	r := httptest.NewRequest(http.MethodPost, "https://example.com/save", nil)
	w, err := app(r)
	check(err)
	_ = w.Body.Close()
	r = httptest.NewRequest(http.MethodGet, "https://example.com"+w.Header.Get("Location"), nil)
	cookie, _, _ := strings.Cut(w.Header.Get("Set-Cookie"), ";")
	r.Header.Set("Cookie", cookie)
	w, err = app(r)
	check(err)
	body, err := io.ReadAll(w.Body)
	check(err)
	_ = w.Body.Close()
	return string(body)
}

func serve(h http.Handler) do {
	return func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	}
}

func netHTTP(sessions *core.Manager) do {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /save", func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Flash("success", "Saved.")
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, httpadapter.Session(r).Flashes())
	})
	return serve(httpadapter.Middleware(sessions)(mux))
}

func echoApp(sessions *core.Manager) do {
	e := echo.New()
	e.Use(echoadapter.Middleware(sessions))
	e.POST("/save", func(c echo.Context) error {
		echoadapter.Session(c).Flash("success", "Saved.")
		return c.Redirect(http.StatusSeeOther, "/")
	})
	e.GET("/", func(c echo.Context) error {
		return c.String(http.StatusOK, fmt.Sprint(echoadapter.Session(c).Flashes()))
	})
	return serve(e)
}

func echo5App(sessions *core.Manager) do {
	e := echo5.New()
	e.Use(echov5adapter.Middleware(sessions))
	e.POST("/save", func(c *echo5.Context) error {
		echov5adapter.Session(c).Flash("success", "Saved.")
		return c.Redirect(http.StatusSeeOther, "/")
	})
	e.GET("/", func(c *echo5.Context) error {
		return c.String(http.StatusOK, fmt.Sprint(echov5adapter.Session(c).Flashes()))
	})
	return serve(e)
}

func ginApp(sessions *core.Manager) do {
	gin.SetMode(gin.ReleaseMode)
	g := gin.New()
	g.Use(ginadapter.Middleware(sessions))
	g.POST("/save", func(c *gin.Context) {
		ginadapter.Session(c).Flash("success", "Saved.")
		c.Redirect(http.StatusSeeOther, "/")
	})
	g.GET("/", func(c *gin.Context) {
		c.String(http.StatusOK, fmt.Sprint(ginadapter.Session(c).Flashes()))
	})
	return serve(g)
}

func fiber3App(sessions *core.Manager) do {
	f := fiber3.New()
	f.Use(fiberv3adapter.Middleware(sessions))
	f.Post("/save", func(c fiber3.Ctx) error {
		fiberv3adapter.Session(c).Flash("success", "Saved.")
		return c.Redirect().To("/")
	})
	f.Get("/", func(c fiber3.Ctx) error {
		return c.SendString(fmt.Sprint(fiberv3adapter.Session(c).Flashes()))
	})
	return func(r *http.Request) (*http.Response, error) { return f.Test(r) }
}

func fiberApp(sessions *core.Manager) do {
	f := fiber.New()
	f.Use(fiberadapter.Middleware(sessions))
	f.Post("/save", func(c *fiber.Ctx) error {
		fiberadapter.Session(c).Flash("success", "Saved.")
		return c.Redirect("/", fiber.StatusSeeOther)
	})
	f.Get("/", func(c *fiber.Ctx) error {
		return c.SendString(fmt.Sprint(fiberadapter.Session(c).Flashes()))
	})
	return func(r *http.Request) (*http.Response, error) { return f.Test(r) }
}
