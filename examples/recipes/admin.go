package recipes

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/echov5adapter"
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
