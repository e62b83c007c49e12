package compare

import (
	"io"
	"net/http"

	"github.com/gorilla/sessions"
	echosession "github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// echoContrib is echo-contrib/session with gorilla's CookieStore, as Echo's documentation
// has it: it sets the cookie's attributes in the handler, and returns the error of Get.
func echoContrib() library {
	return library{
		name: "echo-contrib/session", backend: "cookie", framework: "Echo", source: "echo_test.go",
		modules: []string{"github.com/labstack/echo-contrib", "github.com/labstack/echo/v4", "github.com/gorilla/sessions"},
		options: []option{{blockKey, []string{"unreadable"}}, {safeCookies, []string{"flags"}}, {saveAlways, []string{"idle"}}},
		start:   startEcho,
	}
}

func startEcho(e environment) (*app, error) {
	a := &app{env: e}
	server := echo.New()
	server.Logger.SetOutput(io.Discard)
	server.Use(middleware.Recover(), echosession.Middleware(gorillaCookieStore(e)))
	maxAge := 86400 * 7
	if e.timeout() > 0 {
		maxAge = int(e.timeout().Seconds())
	}
	for _, r := range routes {
		server.Any(r.path, func(c echo.Context) error {
			return a.answer(r, httpRequest{c.Response(), c.Request()}, func() (session, error) {
				s, err := echosession.Get(cookieName, c)
				if err != nil {
					return nil, err
				}
				s.Options = &sessions.Options{Path: "/", MaxAge: maxAge, HttpOnly: true}
				if e.option == safeCookies {
					s.Options.Secure, s.Options.SameSite = true, http.SameSiteLaxMode
				}
				return gorillaSession{gorillaBag(s), s, func() error { return s.Save(c.Request(), c.Response()) }}, nil
			})
		})
	}
	return a.on(server), nil
}
