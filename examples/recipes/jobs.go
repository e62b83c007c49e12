package recipes

import (
	"context"
	"errors"
	"log/slog"
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

// export is a job and whom to tell about it. Both fields may be stored in a
// queue: neither gives access to anything.
type export struct {
	User    string
	Session core.ID
}

// work runs jobs, in this process or in another whose Manager uses the same store.
func work(ctx context.Context, sessions *core.Manager, jobs <-chan export) {
	for job := range jobs {
		// ... make the export, then:
		tell := func(s *core.Session) error {
			s.Flash("success", "Your export is ready.")
			return nil
		}
		err := sessions.Update(ctx, job.Session, tell)
		if errors.Is(err, core.ErrNotFound) { // logged out since: tell the user's other devices
			err = sessions.UpdateUser(ctx, job.User, tell)
		}
		if err != nil {
			slog.ErrorContext(ctx, "export: cannot tell", "session", job.Session, "error", err)
		}
	}
}

//recipe:end

func jobsNetHTTP(sessions *core.Manager, jobs chan<- export) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /export", func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		if s.UserID() == "" {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		jobs <- export{s.UserID(), s.ID()} // not s: it ends with the request
		s.Flash("info", "We are working on it.")
		http.Redirect(w, r, "/account", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /account", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, page(httpadapter.Session(r)))
	})
	return httpadapter.Middleware(sessions)(mux)
}

//recipe:echo
func jobsEcho(sessions *core.Manager, jobs chan<- export) *echo.Echo {
	e := echo.New()
	e.Use(echov5adapter.Middleware(sessions))
	e.POST("/export", func(c *echo.Context) error {
		s := echov5adapter.Session(c)
		if s.UserID() == "" {
			return c.Redirect(http.StatusSeeOther, "/login")
		}
		jobs <- export{s.UserID(), s.ID()} // not s: it ends with the request
		s.Flash("info", "We are working on it.")
		return c.Redirect(http.StatusSeeOther, "/account")
	})
	e.GET("/account", func(c *echo.Context) error {
		return c.JSON(http.StatusOK, page(echov5adapter.Session(c)))
	})
	return e
}

//recipe:end

func jobsGin(sessions *core.Manager, jobs chan<- export) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
	r.POST("/export", func(c *gin.Context) {
		s := ginadapter.Session(c)
		if s.UserID() == "" {
			c.Redirect(http.StatusSeeOther, "/login")
			return
		}
		jobs <- export{s.UserID(), s.ID()} // not s: it ends with the request
		s.Flash("info", "We are working on it.")
		c.Redirect(http.StatusSeeOther, "/account")
	})
	r.GET("/account", func(c *gin.Context) {
		c.JSON(http.StatusOK, page(ginadapter.Session(c)))
	})
	return r
}

func jobsFiber(sessions *core.Manager, jobs chan<- export) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberv3adapter.Middleware(sessions))
	app.Post("/export", func(c fiber.Ctx) error {
		s := fiberv3adapter.Session(c)
		if s.UserID() == "" {
			return c.Redirect().To("/login")
		}
		jobs <- export{s.UserID(), s.ID()} // not s: it ends with the request
		s.Flash("info", "We are working on it.")
		return c.Redirect().To("/account")
	})
	app.Get("/account", func(c fiber.Ctx) error {
		return c.JSON(page(fiberv3adapter.Session(c)))
	})
	return app
}
