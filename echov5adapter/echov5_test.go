package echov5adapter

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

// response returns what Echo knows of the response.
func response(t *testing.T, c *echo.Context) *echo.Response {
	t.Helper()
	res, err := echo.UnwrapResponse(c.Response())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// An error after the response has begun is not answered, though no byte was sent yet:
// the body waits for the commit, or a writer outside holds it back.
func TestErrorAfterAResponseThatWaits(t *testing.T) {
	client := adapterunit.ClientSide(t, core.Config{})
	server, _ := adapterunit.ServerSide(t, core.Config{})
	flash := unit.Stored(t, client, func(s *core.Session) { s.Flash("info", "hello") })
	page := func(c *echo.Context) error { _ = c.String(201, "page"); return errors.New("late") }
	handled := 0
	answer := func(c *echo.Context, err error) {
		handled++
		if res := response(t, c); !res.Committed || res.Status != 201 {
			t.Errorf("the error handler sees status %d, committed: %v", res.Status, res.Committed)
		}
		echo.DefaultHTTPErrorHandler(false)(c, err)
	}
	e := echo.New()
	e.HTTPErrorHandler = answer
	e.GET("/", page, Middleware(client))
	adapterunit.Request(t, e, "/", flash).Wants(t, 201, "page")

	e = echo.New()
	e.HTTPErrorHandler = answer
	e.GET("/", page, middleware.GzipWithConfig(middleware.GzipConfig{MinLength: 1000}), Middleware(server))
	if status, body := adapterunit.Unzipped(t, e); status != 201 || body != "page" {
		t.Errorf("behind a buffer: %d %q", status, body)
	}
	if handled != 2 {
		t.Errorf("the error handler got %d errors", handled)
	}
}

// The cookie of an earlier Commit cannot enter a response that has begun past the session.
func TestC6CommitThenWritePastTheSession(t *testing.T) {
	for _, status := range []int{200, 404, 500, 503} {
		var seen adapterunit.Events
		m, _ := adapterunit.ServerSide(t, core.Config{Observer: seen.Observe})
		r := serve(t, func(c *echo.Context) error {
			s := Session(c)
			s.Set("k", "v")
			if err := s.Commit(c.Request().Context()); err != nil {
				t.Error(err)
			}
			res := response(t, c)
			res.WriteHeader(status)
			_, _ = io.WriteString(res, "past")
			return nil
		}, "", Middleware(m))
		r.Wants(t, status, "past")
		r.WantsHeader(t, "Set-Cookie")
		if created, told := seen.Count(core.EventCreated), seen.Count(core.EventTooLate); created != 1 || told != 1 {
			t.Errorf("%d: %d sessions were created, %d events tell that no client has the cookie", status, created, told)
		}
	}
}

// Whoever writes straight to the unwrapped *echo.Response goes past the session.
// Then no cookie can be set: a session that needs one is not stored, and is told of,
// whatever the handler does afterwards. An error still rolls back.
func TestWritesPastTheSession(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		then   func(*echo.Context) error
	}{
		"and nothing else": {200, func(*echo.Context) error { return nil }},
		"and writes on":    {201, func(c *echo.Context) error { return c.String(202, "") }},
		"and fails":        {404, func(*echo.Context) error { return errors.New("late") }},
		"an error":         {500, func(*echo.Context) error { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			var seen adapterunit.Events
			m, _ := adapterunit.ServerSide(t, core.Config{Observer: seen.Observe})
			past := func(c *echo.Context) error {
				Session(c).Set("k", "changed")
				res := response(t, c)
				res.WriteHeader(test.status)
				_, _ = io.WriteString(res, "past")
				return test.then(c)
			}
			r := serve(t, past, "", Middleware(m))
			r.Wants(t, test.status, "past")
			r.WantsHeader(t, "Set-Cookie")
			told := seen.Count(core.EventTooLate) + seen.Count(core.EventRolledBack)
			if n := seen.Count(core.EventCreated); n != 0 || told != 1 {
				t.Errorf("%d sessions were created, %d events told", n, told)
			}

			// A session whose cookie the client has needs none.
			cookie := unit.Stored(t, m, func(s *core.Session) { s.Set("k", "before") })
			serve(t, past, cookie, Middleware(m)).Wants(t, test.status, "past")
			serve(t, func(c *echo.Context) error {
				want := "changed"
				if test.status >= 500 {
					want = "before"
				}
				if got, _ := core.Get[string](Session(c), "k"); got != want {
					t.Errorf("the session has %q, want %q", got, want)
				}
				return nil
			}, cookie, Middleware(m))
		})
	}
}

// Echo takes early hints for the response, and would send its status as 200. With a
// session it is what the handler, its error, or that of the commit says.
func TestC3EarlyHintsHideNoStatus(t *testing.T) {
	m, store := adapterunit.ServerSide(t, core.Config{})
	e := echo.New()
	e.Logger = slog.New(slog.DiscardHandler)
	e.GET("/:hints/:then", func(c *echo.Context) error {
		w := c.Response()
		if c.Param("hints") == "past" {
			w = response(t, c)
		}
		w.WriteHeader(http.StatusEarlyHints)
		Session(c).Set("k", "v")
		switch c.Param("then") {
		case "fails":
			return echo.NewHTTPError(404, "none")
		case "down":
			store.Down.Store(true)
		}
		return c.JSON(201, "hinted")
	}, Middleware(m))
	srv := httptest.NewServer(e) // a recorder takes them for the response, too
	defer srv.Close()
	for then, want := range map[string]int{"answers": 201, "fails": 404, "down": 503} {
		for _, hints := range []string{"through", "past"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/"+hints+"/"+then, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := srv.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			store.Down.Store(false)
			if cookies := len(res.Cookies()); res.StatusCode != want || (cookies == 1) != (want != 503) {
				t.Errorf("hints %s, %s: status %d, %d cookies", hints, then, res.StatusCode, cookies)
			}
		}
	}
}
