package recipes

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/echov5adapter"
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
