package recipes

import (
	"encoding/json"
	"net/http"
	"strings"

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

// returnTo is the page that a visitor was sent away from.
var returnTo = core.NewKey[string]("return_to")

// signIn checks a password and returns where to go next.
func signIn(s *core.Session, name, password string, remember bool) string {
	if !users.check(name, password) {
		s.Flash("error", "Wrong name or password.")
		return "/login"
	}
	s.Login(name) // whoever planted or saw the old token is out
	s.Remember(remember)
	s.Flash("success", "Welcome, "+name+".")
	if page, ok := returnTo.Pop(s); ok {
		return page
	}
	return "/account"
}

// comeBack keeps the page to return to, if this request is a person who goes there: by GET,
// to a page. A script's request, an image or a missing /favicon.ico is none.
func comeBack(s *core.Session, method, accept, mode, page string) {
	goes := method == "GET" && strings.Contains(accept, "text/html") && (mode == "" || mode == "navigate")
	if goes && ours(page) {
		returnTo.Set(s, page)
	}
}

// ours reports whether page is a path of this site. Paths such as //evil.example and
// /\evil.example lead to another. So does one with a tab between the slashes, since
// browsers drop tabs and line breaks.
func ours(page string) bool {
	return strings.HasPrefix(page, "/") && !strings.HasPrefix(page, "//") && !strings.ContainsAny(page, "\\\t\r\n")
}

//recipe:end

// page is what these examples show instead of HTML.
func page(s *core.Session) map[string]any {
	return map[string]any{"user": s.UserID(), "flashes": s.Flashes()}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

func loginNetHTTP(sessions *core.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, page(httpadapter.Session(r))) // your form, with its flashes
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		to := signIn(httpadapter.Session(r), r.PostFormValue("name"), r.PostFormValue("password"), r.PostFormValue("remember") != "")
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		s.Logout() // from here on, s is a new session
		s.Flash("info", "Signed out.")
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	})
	mux.Handle("GET /account", membersNetHTTP(func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, page(httpadapter.Session(r)))
	}))
	return httpadapter.Middleware(sessions)(mux)
}

func membersNetHTTP(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store") // nothing for the Back button after a logout
		if s := httpadapter.Session(r); s.UserID() == "" {
			comeBack(s, r.Method, r.Header.Get("Accept"), r.Header.Get("Sec-Fetch-Mode"), r.URL.RequestURI())
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		next(w, r)
	}
}

//recipe:echo
func loginEcho(sessions *core.Manager) *echo.Echo {
	e := echo.New()
	e.Use(echov5adapter.Middleware(sessions))
	e.GET("/login", func(c *echo.Context) error {
		return c.JSON(http.StatusOK, page(echov5adapter.Session(c))) // your form, with its flashes
	})
	e.POST("/login", func(c *echo.Context) error {
		to := signIn(echov5adapter.Session(c), c.FormValue("name"), c.FormValue("password"), c.FormValue("remember") != "")
		return c.Redirect(http.StatusSeeOther, to)
	})
	e.POST("/logout", func(c *echo.Context) error {
		s := echov5adapter.Session(c)
		s.Logout() // from here on, s is a new session
		s.Flash("info", "Signed out.")
		return c.Redirect(http.StatusSeeOther, "/login")
	})
	members := e.Group("", membersEcho)
	members.GET("/account", func(c *echo.Context) error {
		return c.JSON(http.StatusOK, page(echov5adapter.Session(c)))
	})
	return e
}

func membersEcho(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store") // nothing for the Back button after a logout
		if s := echov5adapter.Session(c); s.UserID() == "" {
			r := c.Request()
			comeBack(s, r.Method, r.Header.Get("Accept"), r.Header.Get("Sec-Fetch-Mode"), r.URL.RequestURI())
			return c.Redirect(http.StatusSeeOther, "/login")
		}
		return next(c)
	}
}

//recipe:end

func loginGin(sessions *core.Manager) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
	r.GET("/login", func(c *gin.Context) {
		c.JSON(http.StatusOK, page(ginadapter.Session(c))) // your form, with its flashes
	})
	r.POST("/login", func(c *gin.Context) {
		to := signIn(ginadapter.Session(c), c.PostForm("name"), c.PostForm("password"), c.PostForm("remember") != "")
		c.Redirect(http.StatusSeeOther, to)
	})
	r.POST("/logout", func(c *gin.Context) {
		s := ginadapter.Session(c)
		s.Logout() // from here on, s is a new session
		s.Flash("info", "Signed out.")
		c.Redirect(http.StatusSeeOther, "/login")
	})
	members := r.Group("", membersGin)
	members.GET("/account", func(c *gin.Context) {
		c.JSON(http.StatusOK, page(ginadapter.Session(c)))
	})
	return r
}

func membersGin(c *gin.Context) {
	c.Header("Cache-Control", "no-store") // nothing for the Back button after a logout
	if s := ginadapter.Session(c); s.UserID() == "" {
		comeBack(s, c.Request.Method, c.GetHeader("Accept"), c.GetHeader("Sec-Fetch-Mode"), c.Request.URL.RequestURI())
		c.Redirect(http.StatusSeeOther, "/login")
		c.Abort()
	}
}

func loginFiber(sessions *core.Manager) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberv3adapter.Middleware(sessions))
	app.Get("/login", func(c fiber.Ctx) error {
		return c.JSON(page(fiberv3adapter.Session(c))) // your form, with its flashes
	})
	app.Post("/login", func(c fiber.Ctx) error {
		to := signIn(fiberv3adapter.Session(c), c.FormValue("name"), c.FormValue("password"), c.FormValue("remember") != "")
		return c.Redirect().To(to)
	})
	app.Post("/logout", func(c fiber.Ctx) error {
		s := fiberv3adapter.Session(c)
		s.Logout() // from here on, s is a new session
		s.Flash("info", "Signed out.")
		return c.Redirect().To("/login")
	})
	app.Get("/account", membersFiber, func(c fiber.Ctx) error {
		return c.JSON(page(fiberv3adapter.Session(c)))
	})
	return app
}

func membersFiber(c fiber.Ctx) error {
	c.Set("Cache-Control", "no-store") // nothing for the Back button after a logout
	if s := fiberv3adapter.Session(c); s.UserID() == "" {
		comeBack(s, c.Method(), c.Get("Accept"), c.Get("Sec-Fetch-Mode"), c.OriginalURL())
		return c.Redirect().To("/login")
	}
	return c.Next()
}
