package recipes

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/cors"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/ginadapter"
)

//recipe:shared

// newWebAndMobile makes one Manager for browsers and one for apps. On one store a
// list shows both kinds of session, and RevokeUser ends both.
func newWebAndMobile(store core.Store) (web, mobile *core.Manager, err error) {
	web, err1 := core.New(core.ServerSide(store), core.Config{})
	mobile, err2 := core.New(core.ServerSide(store), core.Config{Carrier: core.Bearer})
	return web, mobile, errors.Join(err1, err2)
}

// admit logs in. The session of an app has timeouts of its own: in one Manager's
// Config the other would not know them.
func admit(s *core.Session, name string) {
	s.Login(name)
	if s.Carrier() == core.Bearer {
		s.SetTimeouts(30*24*time.Hour, 365*24*time.Hour)
	}
}

// me says who is logged in, for browsers and apps alike.
func me(s *core.Session) (status int, challenge string, body map[string]any) {
	if s.UserID() == "" {
		return http.StatusUnauthorized, s.Challenge(), map[string]any{"error": "log in"}
	}
	return http.StatusOK, "", map[string]any{"user": s.UserID()}
}

// A star does not cover the header Authorization.
var (
	appMethods = []string{"GET", "POST"}
	appHeaders = []string{"Authorization", "Content-Type"}
)

//recipe:end

func mobileNetHTTP(web, mobile *core.Manager, spa string) http.Handler {
	pages := http.NewServeMux() // the same handlers for both
	pages.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) {
		admit(httpadapter.Session(r), r.PostFormValue("name")) // after you have checked the password
	})
	pages.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		status, challenge, body := me(httpadapter.Session(r))
		if challenge != "" {
			w.Header().Set("WWW-Authenticate", challenge)
		}
		writeJSON(w, status, body)
	})
	pages.HandleFunc("POST /logout", func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Logout()
	})
	mux := http.NewServeMux()
	mux.Handle("/", httpadapter.Middleware(web)(pages))
	mux.Handle("/api/", http.StripPrefix("/api", allowOrigin(spa, httpadapter.Middleware(mobile)(pages))))
	return mux
}

// allowOrigin is what CORS middleware does.
func allowOrigin(spa string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if r.Header.Get("Origin") == spa {
			h.Set("Access-Control-Allow-Origin", spa)
			h["Access-Control-Allow-Methods"] = appMethods
			h["Access-Control-Allow-Headers"] = appHeaders
		}
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

//recipe:echo
func mobileEcho(web, mobile *core.Manager, spa string) *echo.Echo {
	e := echo.New()
	e.Use(middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins: []string{spa}, AllowMethods: appMethods, AllowHeaders: appHeaders,
	}))
	pages := func(g *echo.Group) { // the same handlers for both
		g.POST("/login", func(c *echo.Context) error {
			admit(echov5adapter.Session(c), c.FormValue("name")) // after you have checked the password
			return c.NoContent(http.StatusOK)
		})
		g.GET("/me", func(c *echo.Context) error {
			status, challenge, body := me(echov5adapter.Session(c))
			if challenge != "" {
				c.Response().Header().Set("WWW-Authenticate", challenge)
			}
			return c.JSON(status, body)
		})
		g.POST("/logout", func(c *echo.Context) error {
			echov5adapter.Session(c).Logout()
			return c.NoContent(http.StatusOK)
		})
	}
	pages(e.Group("/api", echov5adapter.Middleware(mobile)))
	pages(e.Group("", echov5adapter.Middleware(web)))
	return e
}

//recipe:end

func mobileGin(web, mobile *core.Manager, spa string) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), func(c *gin.Context) { // or gin-contrib/cors
		h := c.Writer.Header()
		h.Add("Vary", "Origin")
		if c.GetHeader("Origin") == spa {
			h.Set("Access-Control-Allow-Origin", spa)
			h["Access-Control-Allow-Methods"] = appMethods
			h["Access-Control-Allow-Headers"] = appHeaders
		}
		if c.Request.Method == http.MethodOptions {
			c.AbortWithStatus(http.StatusNoContent)
		}
	})
	pages := func(g *gin.RouterGroup) { // the same handlers for both
		g.POST("/login", func(c *gin.Context) {
			admit(ginadapter.Session(c), c.PostForm("name")) // after you have checked the password
		})
		g.GET("/me", func(c *gin.Context) {
			status, challenge, body := me(ginadapter.Session(c))
			if challenge != "" {
				c.Header("WWW-Authenticate", challenge)
			}
			c.JSON(status, body)
		})
		g.POST("/logout", func(c *gin.Context) { ginadapter.Session(c).Logout() })
	}
	pages(r.Group("/api", ginadapter.Middleware(mobile)))
	pages(r.Group("", ginadapter.Middleware(web)))
	return r
}

func mobileFiber(web, mobile *core.Manager, spa string) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	pages := func(g fiber.Router) { // the same handlers for both
		g.Post("/login", func(c fiber.Ctx) error {
			admit(fiberv3adapter.Session(c), c.FormValue("name")) // after you have checked the password
			return nil
		})
		g.Get("/me", func(c fiber.Ctx) error {
			status, challenge, body := me(fiberv3adapter.Session(c))
			if challenge != "" {
				c.Set("WWW-Authenticate", challenge)
			}
			return c.Status(status).JSON(body)
		})
		g.Post("/logout", func(c fiber.Ctx) error {
			fiberv3adapter.Session(c).Logout()
			return nil
		})
	}
	allow := cors.New(cors.Config{AllowOrigins: []string{spa}, AllowMethods: appMethods, AllowHeaders: appHeaders})
	pages(app.Group("/api", allow, fiberv3adapter.Middleware(mobile)))
	pages(app.Group("", fiberv3adapter.Middleware(web))) // after the other, whose paths it matches too
	return app
}
