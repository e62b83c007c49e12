package echov5adapter

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
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

// The error handler runs once, inside the middleware, even if it does not look
// whether something was sent. Middleware outside gets no error, but knows it.
func TestErrorIsAnsweredOnce(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{Strict: true})
	failure := errors.New("failure")
	for name, handler := range map[string]echo.HandlerFunc{
		"before the response": func(*echo.Context) error { return failure },
		"after it":            func(c *echo.Context) error { _ = c.NoContent(402); return failure },
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			e := echo.New()
			e.Logger = slog.New(slog.DiscardHandler)
			e.HTTPErrorHandler = func(c *echo.Context, err error) {
				calls++
				if !errors.Is(err, failure) {
					t.Errorf("the error handler gets %v", err)
				}
				if !response(t, c).Committed {
					Session(c).Set("error", err.Error())
				}
				_ = c.JSON(402, "pay")
			}
			spy := func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c *echo.Context) error {
					err := next(c)
					if status := response(t, c).Status; err != nil || status != 402 || !errors.Is(HandlerError(c), failure) {
						t.Errorf("outside: error %v, status %d, HandlerError %v", err, status, HandlerError(c))
					}
					return err
				}
			}
			e.GET("/", handler, spy, Middleware(m))
			if r := adapterunit.Request(t, e, "/", ""); r.Status != 402 || strings.Count(r.Body, "pay") != 1 || calls != 1 {
				t.Errorf("answer is %d %q, after %d calls of the error handler", r.Status, r.Body, calls)
			}
		})
	}
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
	if status, body := unzipped(t, e); status != 201 || body != "page" {
		t.Errorf("behind a buffer: %d %q", status, body)
	}
	if handled != 2 {
		t.Errorf("the error handler got %d errors", handled)
	}
}

// A logger outside sees the status that the client got, and the error.
func TestRequestLoggerOutside(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	for _, handles := range []bool{false, true} {
		var status int
		var logged, own error
		logger := middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
			LogStatus: true, HandleError: handles,
			LogValuesFunc: func(c *echo.Context, v middleware.RequestLoggerValues) error {
				status, logged, own = v.Status, HandlerError(c), v.Error
				return nil
			},
		})
		r := serve(t, func(*echo.Context) error {
			return fmt.Errorf("handler: %w", core.ErrUnavailable)
		}, "", logger, Middleware(m))
		r.Wants(t, 503, "{\"message\":\"Service Unavailable\"}\n")
		if status != 503 || !errors.Is(logged, core.ErrUnavailable) || own != nil {
			t.Errorf("logged: %d, %v, and the logger's own error %v", status, logged, own)
		}
	}
}

// The application's error handler handles an error that OnError returns, and
// Echo knows what was sent.
func TestOnErrorReturnsError(t *testing.T) {
	m, s := adapterunit.ServerSide(t, core.Config{})
	s.Down.Store(true)
	spy := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			err := next(c)
			if res := response(t, c); !res.Committed || res.Status != 507 || res.Size != int64(len("{\"message\":\"full\"}\n")) {
				t.Errorf("Echo's response is %d, %d bytes, committed: %v", res.Status, res.Size, res.Committed)
			}
			return err
		}
	}
	r := serve(t, func(c *echo.Context) error {
		Session(c).Set("k", "v")
		return c.String(200, "handler")
	}, "", spy, Middleware(m, OnError(func(*echo.Context, error) error {
		return echo.NewHTTPError(507, "full")
	})))
	r.Wants(t, 507, "{\"message\":\"full\"}\n")
}

// These ways to write run no Response.Before hook.
func TestEchoWays(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	for name, write := range map[string]func(*echo.Context) error{
		"nothing":          func(*echo.Context) error { return nil },
		"writer":           func(c *echo.Context) error { _, err := c.Response().Write([]byte("x")); return err },
		"writer and error": func(c *echo.Context) error { _, _ = io.WriteString(c.Response(), "x"); return errors.New("late") },
		"controller":       func(c *echo.Context) error { return http.NewResponseController(c.Response()).Flush() },
		"no content":       func(c *echo.Context) error { return c.NoContent(204) },
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, func(c *echo.Context) error {
				Session(c).Set("k", "v")
				return write(c)
			}, "", Middleware(m))
			r.Cookie(t)
		})
	}
}

// Gzip leaves the status to the end, and puts the real writer back before the error handler runs.
func TestGzip(t *testing.T) {
	m, store := adapterunit.ServerSide(t, core.Config{})
	zip := middleware.Gzip()
	for name, around := range map[string][]layer{"outside": {zip, Middleware(m)}, "inside": {Middleware(m), zip}} {
		for _, down := range []bool{false, true} {
			for _, fails := range []bool{false, true} {
				store.Down.Store(down)
				e := echo.New()
				e.Logger = slog.New(slog.DiscardHandler)
				e.GET("/", func(c *echo.Context) error {
					Session(c).Set("k", "v")
					if fails {
						return echo.NewHTTPError(404, "none")
					}
					return c.String(200, "handler")
				}, around...)
				status, body := unzipped(t, e)
				switch {
				case down && (status != 503 || body != "Service Unavailable\n"),
					!down && fails && (status != 404 || !strings.Contains(body, "none")),
					!down && !fails && (status != 200 || body != "handler"):
					t.Errorf("gzip %s, down %v, fails %v: answer is %d %q", name, down, fails, status, body)
				}
			}
		}
	}
}

func unzipped(t *testing.T, e http.Handler) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	var body io.Reader = w.Body
	if w.Header().Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(w.Body); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(b)
}

// A writer that middleware inside has left in place stays, and still works.
func TestWriterOfOthersStays(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	type left struct{ http.ResponseWriter }
	outside := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			_ = next(c)
			if _, ok := c.Response().(*left); !ok {
				t.Errorf("the writer is a %T", c.Response())
			}
			return c.String(201, "late")
		}
	}
	r := serve(t, func(c *echo.Context) error {
		Session(c).Set("k", "v")
		c.SetResponse(&left{c.Response()})
		return nil
	}, "", outside, Middleware(m))
	r.Wants(t, 201, "late")
	r.Cookie(t)
}

// The middleware restores the real writer when it returns, even after a panic.
func TestWriterIsRestored(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	for name, handler := range map[string]echo.HandlerFunc{
		"returns": func(c *echo.Context) error { return c.String(200, "ok") },
		"panics":  func(*echo.Context) error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			e := echo.New()
			w := httptest.NewRecorder()
			c := e.NewContext(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), w)
			_ = adapterunit.PanicOf(func() { _ = Middleware(m)(handler)(c) })
			if c.Response() != response(t, c) {
				t.Errorf("the writer is a %T", c.Response())
			}
		})
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
