package recipes

import (
	"encoding/json"
	"mime"
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

var likes = core.NewKey[int]("likes")

type credentials struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

type problem struct {
	Error string `json:"error"`
}

// isJSON reports whether a request's body is JSON. Another site's form may, if
// SameSite allows, post with your user's cookies, but not with this Content-Type.
func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/json"
}

// refusal returns the answer when the session cannot be loaded or stored.
func refusal(err error) (int, problem) {
	status := core.ErrorResponseFor(err).Status // 503, 409 or 500
	return status, problem{http.StatusText(status)}
}

//recipe:end

func jsonNetHTTP(sessions *core.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/login", func(w http.ResponseWriter, r *http.Request) {
		var in credentials
		if !isJSON(r.Header.Get("Content-Type")) || json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&in) != nil {
			writeJSON(w, http.StatusUnsupportedMediaType, problem{"send JSON"})
			return
		}
		if !users.check(in.Name, in.Password) {
			writeJSON(w, http.StatusUnauthorized, problem{"wrong name or password"})
			return
		}
		httpadapter.Session(r).Login(in.Name)
		writeJSON(w, http.StatusOK, map[string]any{"user": in.Name})
	})
	mux.HandleFunc("PUT /api/like", func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		if s.UserID() == "" {
			writeJSON(w, http.StatusUnauthorized, problem{"log in first"}) // no redirect: scripts cannot use it
			return
		}
		likes.Update(s, func(n int) int { return n + 1 })
		if err := s.Commit(r.Context()); err != nil {
			status, body := refusal(err)
			writeJSON(w, status, body)
			return
		}
		n, _ := likes.Get(s) // as stored, with what other requests have added
		writeJSON(w, http.StatusOK, map[string]any{"likes": n})
	})
	mux.HandleFunc("DELETE /api/session", func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Logout()
		w.WriteHeader(http.StatusNoContent)
	})
	return httpadapter.Middleware(sessions, httpadapter.OnError(func(w http.ResponseWriter, _ *http.Request, err error) {
		status, body := refusal(err)
		writeJSON(w, status, body)
	}))(mux)
}

//recipe:echo
func jsonEcho(sessions *core.Manager) *echo.Echo {
	e := echo.New()
	e.Use(echov5adapter.Middleware(sessions, echov5adapter.OnError(func(c *echo.Context, err error) error {
		return c.JSON(refusal(err))
	})))
	e.POST("/api/login", func(c *echo.Context) error {
		var in credentials
		if !isJSON(c.Request().Header.Get("Content-Type")) || c.Bind(&in) != nil {
			return c.JSON(http.StatusUnsupportedMediaType, problem{"send JSON"})
		}
		if !users.check(in.Name, in.Password) {
			return c.JSON(http.StatusUnauthorized, problem{"wrong name or password"})
		}
		echov5adapter.Session(c).Login(in.Name)
		return c.JSON(http.StatusOK, map[string]any{"user": in.Name})
	})
	e.PUT("/api/like", func(c *echo.Context) error {
		s := echov5adapter.Session(c)
		if s.UserID() == "" {
			return c.JSON(http.StatusUnauthorized, problem{"log in first"}) // no redirect: scripts cannot use it
		}
		likes.Update(s, func(n int) int { return n + 1 })
		if err := s.Commit(c.Request().Context()); err != nil {
			return c.JSON(refusal(err))
		}
		n, _ := likes.Get(s) // as stored, with what other requests have added
		return c.JSON(http.StatusOK, map[string]any{"likes": n})
	})
	e.DELETE("/api/session", func(c *echo.Context) error {
		echov5adapter.Session(c).Logout()
		return c.NoContent(http.StatusNoContent)
	})
	return e
}

//recipe:end

func jsonGin(sessions *core.Manager) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions, ginadapter.OnError(func(c *gin.Context, err error) {
		c.JSON(refusal(err))
	})))
	r.POST("/api/login", func(c *gin.Context) {
		var in credentials
		if !isJSON(c.GetHeader("Content-Type")) || c.ShouldBindJSON(&in) != nil {
			c.JSON(http.StatusUnsupportedMediaType, problem{"send JSON"})
			return
		}
		if !users.check(in.Name, in.Password) {
			c.JSON(http.StatusUnauthorized, problem{"wrong name or password"})
			return
		}
		ginadapter.Session(c).Login(in.Name)
		c.JSON(http.StatusOK, gin.H{"user": in.Name})
	})
	r.PUT("/api/like", func(c *gin.Context) {
		s := ginadapter.Session(c)
		if s.UserID() == "" {
			c.JSON(http.StatusUnauthorized, problem{"log in first"}) // no redirect: scripts cannot use it
			return
		}
		likes.Update(s, func(n int) int { return n + 1 })
		if err := s.Commit(c.Request.Context()); err != nil {
			c.JSON(refusal(err))
			return
		}
		n, _ := likes.Get(s) // as stored, with what other requests have added
		c.JSON(http.StatusOK, gin.H{"likes": n})
	})
	r.DELETE("/api/session", func(c *gin.Context) {
		ginadapter.Session(c).Logout()
		c.Status(http.StatusNoContent)
	})
	return r
}

func jsonFiber(sessions *core.Manager) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberv3adapter.Middleware(sessions, fiberv3adapter.OnError(func(c fiber.Ctx, err error) error {
		status, body := refusal(err)
		return c.Status(status).JSON(body)
	})))
	app.Post("/api/login", func(c fiber.Ctx) error {
		var in credentials
		if !isJSON(c.Get("Content-Type")) || c.Bind().Body(&in) != nil {
			return c.Status(fiber.StatusUnsupportedMediaType).JSON(problem{"send JSON"})
		}
		if !users.check(in.Name, in.Password) {
			return c.Status(fiber.StatusUnauthorized).JSON(problem{"wrong name or password"})
		}
		fiberv3adapter.Session(c).Login(in.Name)
		return c.JSON(fiber.Map{"user": in.Name})
	})
	app.Put("/api/like", func(c fiber.Ctx) error {
		s := fiberv3adapter.Session(c)
		if s.UserID() == "" {
			return c.Status(fiber.StatusUnauthorized).JSON(problem{"log in first"}) // no redirect: scripts cannot use it
		}
		likes.Update(s, func(n int) int { return n + 1 })
		if err := s.Commit(c.Context()); err != nil {
			status, body := refusal(err)
			return c.Status(status).JSON(body)
		}
		n, _ := likes.Get(s) // as stored, with what other requests have added
		return c.JSON(fiber.Map{"likes": n})
	})
	app.Delete("/api/session", func(c fiber.Ctx) error {
		fiberv3adapter.Session(c).Logout()
		return c.SendStatus(fiber.StatusNoContent)
	})
	return app
}
