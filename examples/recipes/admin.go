package recipes

import (
	"context"
	"errors"
	"net/http"
	"net/url"

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

// end ends one session, or all of a user's, and says how it went.
func end(ctx context.Context, sessions *core.Manager, s *core.Session, session, user string) {
	var err error
	if user != "" {
		_, err = sessions.RevokeUser(ctx, user) // ends a login that is being stored as well
	} else if id, bad := core.ParseID(session); bad == nil {
		err = sessions.Revoke(ctx, id)
	} else {
		err = core.ErrNotFound
	}
	switch {
	case err == nil:
		s.Flash("success", "Ended.")
	case errors.Is(err, core.ErrNotFound):
		s.Flash("info", "There is no such session.")
	default: // the store did not answer: the session may still be alive
		s.Flash("error", "That did not work. Please try again.")
	}
}

// isAdmin stands for your own. Ask your database in each request: a role kept
// in the session would outlive its withdrawal.
func isAdmin(user string) bool { return admins.has(user) }

//recipe:end

func adminNetHTTP(sessions *core.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /admin/users/{user}", func(w http.ResponseWriter, r *http.Request) {
		devices, err := sessions.List(r.Context(), r.PathValue("user"))
		if err != nil {
			httpadapter.WriteErrorResponse(w, err)
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"devices": devices, "flashes": httpadapter.Session(r).Flashes()})
	})
	mux.HandleFunc("POST /admin/end", func(w http.ResponseWriter, r *http.Request) {
		end(r.Context(), sessions, httpadapter.Session(r), r.PostFormValue("session"), r.PostFormValue("user"))
		http.Redirect(w, r, "/admin/users/"+url.PathEscape(r.PostFormValue("of")), http.StatusSeeOther)
	})
	admins := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isAdmin(httpadapter.Session(r).UserID()) {
			http.Error(w, "for administrators", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
	return httpadapter.Middleware(sessions)(admins)
}

//recipe:echo
func adminEcho(sessions *core.Manager) *echo.Echo {
	e := echo.New()
	e.Use(echov5adapter.Middleware(sessions))
	admin := e.Group("/admin", func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			if !isAdmin(echov5adapter.Session(c).UserID()) {
				return echo.NewHTTPError(http.StatusForbidden, "for administrators")
			}
			return next(c)
		}
	})
	admin.GET("/users/:user", func(c *echo.Context) error {
		devices, err := sessions.List(c.Request().Context(), c.Param("user"))
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, map[string]any{"devices": devices, "flashes": echov5adapter.Session(c).Flashes()})
	})
	admin.POST("/end", func(c *echo.Context) error {
		end(c.Request().Context(), sessions, echov5adapter.Session(c), c.FormValue("session"), c.FormValue("user"))
		return c.Redirect(http.StatusSeeOther, "/admin/users/"+url.PathEscape(c.FormValue("of")))
	})
	return e
}

//recipe:end

func adminGin(sessions *core.Manager) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
	admin := r.Group("/admin", func(c *gin.Context) {
		if !isAdmin(ginadapter.Session(c).UserID()) {
			c.AbortWithStatusJSON(http.StatusForbidden, gin.H{"error": "for administrators"})
		}
	})
	admin.GET("/users/:user", func(c *gin.Context) {
		devices, err := sessions.List(c.Request.Context(), c.Param("user"))
		if err != nil {
			_ = c.AbortWithError(core.ErrorResponseFor(err).Status, err) // returns its argument
			return
		}
		c.JSON(http.StatusOK, gin.H{"devices": devices, "flashes": ginadapter.Session(c).Flashes()})
	})
	admin.POST("/end", func(c *gin.Context) {
		end(c.Request.Context(), sessions, ginadapter.Session(c), c.PostForm("session"), c.PostForm("user"))
		c.Redirect(http.StatusSeeOther, "/admin/users/"+url.PathEscape(c.PostForm("of")))
	})
	return r
}

func adminFiber(sessions *core.Manager) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberv3adapter.Middleware(sessions))
	admin := app.Group("/admin", func(c fiber.Ctx) error {
		if !isAdmin(fiberv3adapter.Session(c).UserID()) {
			return fiber.NewError(fiber.StatusForbidden, "for administrators")
		}
		return c.Next()
	})
	admin.Get("/users/:user", func(c fiber.Ctx) error {
		devices, err := sessions.List(c.Context(), c.Params("user"))
		if err != nil {
			return fiber.NewError(core.ErrorResponseFor(err).Status)
		}
		return c.JSON(fiber.Map{"devices": devices, "flashes": fiberv3adapter.Session(c).Flashes()})
	})
	admin.Post("/end", func(c fiber.Ctx) error {
		end(c.Context(), sessions, fiberv3adapter.Session(c), c.FormValue("session"), c.FormValue("user"))
		return c.Redirect().To("/admin/users/" + url.PathEscape(c.FormValue("of")))
	})
	return app
}
