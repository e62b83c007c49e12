package recipes

import (
	"context"
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

// changePassword is for users who are logged in and know their password.
func changePassword(ctx context.Context, s *core.Session, old, password string) error {
	if !users.check(s.UserID(), old) {
		s.Flash("error", "That is not your password.")
		return nil
	}
	users.set(s.UserID(), password) // first, so that no login with the old one can follow
	if err := s.RevokeOthers(ctx); err != nil {
		return err // others may still be logged in: tell the client
	}
	s.Renew() // a copy of this device's token is worthless now, too
	s.Flash("success", "Your password has been changed. All other devices are logged out.")
	return nil
}

// resetPassword is for users who forgot it and followed the link in your mail.
func resetPassword(ctx context.Context, sessions *core.Manager, s *core.Session, user, password string) error {
	users.set(user, password)
	if _, err := sessions.RevokeUser(ctx, user); err != nil {
		return err
	}
	s.Login(user) // or let them log in
	return nil
}

//recipe:end

// mailed returns the user to whom this code was sent, "" if it is not valid.
// Yours keeps hashes of random codes that work once, within an hour.
func mailed(code string) string {
	if user, ok := strings.CutPrefix(code, "code-for-"); ok {
		return user
	}
	return ""
}

func passwordNetHTTP(sessions *core.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /password", func(w http.ResponseWriter, r *http.Request) {
		err := changePassword(r.Context(), httpadapter.Session(r), r.PostFormValue("old"), r.PostFormValue("new"))
		if err != nil {
			httpadapter.WriteErrorResponse(w, err)
			return
		}
		http.Redirect(w, r, "/account", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, r *http.Request) {
		user := mailed(r.PostFormValue("code"))
		if user == "" {
			http.Error(w, "this link is no longer valid", http.StatusForbidden)
			return
		}
		if err := resetPassword(r.Context(), sessions, httpadapter.Session(r), user, r.PostFormValue("new")); err != nil {
			httpadapter.WriteErrorResponse(w, err)
			return
		}
		http.Redirect(w, r, "/account", http.StatusSeeOther)
	})
	return httpadapter.Middleware(sessions)(mux)
}

//recipe:echo
func passwordEcho(sessions *core.Manager) *echo.Echo {
	e := echo.New()
	e.Use(echov5adapter.Middleware(sessions))
	e.POST("/password", func(c *echo.Context) error {
		err := changePassword(c.Request().Context(), echov5adapter.Session(c), c.FormValue("old"), c.FormValue("new"))
		if err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, "/account")
	})
	e.POST("/reset", func(c *echo.Context) error {
		user := mailed(c.FormValue("code"))
		if user == "" {
			return echo.NewHTTPError(http.StatusForbidden, "this link is no longer valid")
		}
		if err := resetPassword(c.Request().Context(), sessions, echov5adapter.Session(c), user, c.FormValue("new")); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, "/account")
	})
	return e
}

//recipe:end

func passwordGin(sessions *core.Manager) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
	r.POST("/password", func(c *gin.Context) {
		err := changePassword(c.Request.Context(), ginadapter.Session(c), c.PostForm("old"), c.PostForm("new"))
		if err != nil {
			_ = c.AbortWithError(core.ErrorResponseFor(err).Status, err) // returns its argument
			return
		}
		c.Redirect(http.StatusSeeOther, "/account")
	})
	r.POST("/reset", func(c *gin.Context) {
		user := mailed(c.PostForm("code"))
		if user == "" {
			c.String(http.StatusForbidden, "this link is no longer valid")
			return
		}
		if err := resetPassword(c.Request.Context(), sessions, ginadapter.Session(c), user, c.PostForm("new")); err != nil {
			_ = c.AbortWithError(core.ErrorResponseFor(err).Status, err) // returns its argument
			return
		}
		c.Redirect(http.StatusSeeOther, "/account")
	})
	return r
}

func passwordFiber(sessions *core.Manager) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberv3adapter.Middleware(sessions))
	app.Post("/password", func(c fiber.Ctx) error {
		err := changePassword(c.Context(), fiberv3adapter.Session(c), c.FormValue("old"), c.FormValue("new"))
		if err != nil {
			return fiber.NewError(core.ErrorResponseFor(err).Status)
		}
		return c.Redirect().To("/account")
	})
	app.Post("/reset", func(c fiber.Ctx) error {
		user := mailed(c.FormValue("code"))
		if user == "" {
			return fiber.NewError(fiber.StatusForbidden, "this link is no longer valid")
		}
		if err := resetPassword(c.Context(), sessions, fiberv3adapter.Session(c), user, c.FormValue("new")); err != nil {
			return fiber.NewError(core.ErrorResponseFor(err).Status)
		}
		return c.Redirect().To("/account")
	})
	return app
}
