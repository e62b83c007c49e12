package recipes

import (
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/ginadapter"
)

//recipe:shared

// newProxied makes a Manager behind a proxy that terminates TLS.
func newProxied(backend core.Backend, observer core.Observer) (*core.Manager, error) {
	return core.New(backend, core.Config{
		Observer: observer,
		// ex.RemoteIP is the proxy's address; the client's is in the proxy's header.
		Describe: func(ex core.Exchange) string { return ex.RequestHeader("X-Real-IP") },
	})
}

//recipe:end

// seen is what the application sees of its client.
func seen(s *core.Session, address string) map[string]any {
	devices, err := s.List(s.Context())
	labels := []string{}
	for _, d := range devices {
		labels = append(labels, d.Label)
	}
	return map[string]any{"user": s.UserID(), "address": address, "labels": labels, "ok": err == nil}
}

func proxiedNetHTTP(sessions *core.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Login(r.PostFormValue("name")) // after you have checked the password
		http.Redirect(w, r, "/", http.StatusSeeOther)         // a path: the proxy's host and scheme stay
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, seen(httpadapter.Session(r), clientAddress(r)))
	})
	return httpadapter.Middleware(sessions)(mux)
}

//recipe:nethttp

// clientAddress trusts the header only from the proxy on this machine.
func clientAddress(r *http.Request) string {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if ip := net.ParseIP(r.Header.Get("X-Real-IP")); err == nil && ip != nil && net.ParseIP(peer).IsLoopback() {
		return ip.String()
	}
	return peer
}

//recipe:end

func proxiedEcho(sessions *core.Manager) *echo.Echo {
	e := echo.New()
	//recipe:echo
	e.IPExtractor = echo.ExtractIPFromRealIPHeader( // without one, c.RealIP() is the proxy
		echo.TrustLoopback(true), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false))
	//recipe:end
	e.Use(echov5adapter.Middleware(sessions))
	e.POST("/login", func(c *echo.Context) error {
		echov5adapter.Session(c).Login(c.FormValue("name")) // after you have checked the password
		return c.Redirect(http.StatusSeeOther, "/")         // a path: the proxy's host and scheme stay
	})
	e.GET("/", func(c *echo.Context) error {
		return c.JSON(http.StatusOK, seen(echov5adapter.Session(c), c.RealIP()))
	})
	return e
}

func proxiedGin(sessions *core.Manager) *gin.Engine {
	r := gin.New()
	//recipe:gin
	r.RemoteIPHeaders = []string{"X-Real-IP"}
	if err := r.SetTrustedProxies([]string{"127.0.0.1", "::1"}); err != nil { // by default, all
		panic(err) // a mistake in the line above
	}
	//recipe:end
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
	r.POST("/login", func(c *gin.Context) {
		ginadapter.Session(c).Login(c.PostForm("name")) // after you have checked the password
		c.Redirect(http.StatusSeeOther, "/")            // a path: the proxy's host and scheme stay
	})
	r.GET("/", func(c *gin.Context) {
		c.JSON(http.StatusOK, seen(ginadapter.Session(c), c.ClientIP()))
	})
	return r
}

func proxiedFiber(sessions *core.Manager) *fiber.App {
	//recipe:fiber
	app := fiber.New(fiber.Config{
		ReadBufferSize: 16 << 10,
		TrustProxy:     true, TrustProxyConfig: fiber.TrustProxyConfig{Proxies: []string{"127.0.0.1", "::1"}}, // by default, none
		EnableIPValidation: true,
		ProxyHeader:        "X-Real-IP", // not X-Forwarded-For: its first entry may be the client's invention
	})
	//recipe:end
	app.Use(fiberv3adapter.Middleware(sessions))
	app.Post("/login", func(c fiber.Ctx) error {
		fiberv3adapter.Session(c).Login(c.FormValue("name")) // after you have checked the password
		return c.Redirect().To("/")                          // a path: the proxy's host and scheme stay
	})
	app.Get("/", func(c fiber.Ctx) error {
		return c.JSON(seen(fiberv3adapter.Session(c), c.IP()))
	})
	return app
}
