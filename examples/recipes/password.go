package recipes

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/echov5adapter"
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
