package echoadapter

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/adapterunit"
)

// The error handler runs once as far as the client can see, inside the
// middleware, and middleware outside still sees the error.
func TestErrorIsReturned(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	failure := errors.New("failure")
	var seen error
	spy := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			seen = next(c)
			if !c.Response().Committed || c.Response().Status != 402 {
				t.Errorf("the response is not committed, or with %d", c.Response().Status)
			}
			return seen
		}
	}
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if !c.Response().Committed {
			Session(c).Set("error", err.Error())
			_ = c.String(402, "pay")
		}
	}
	e.GET("/", func(echo.Context) error { return failure }, spy, Middleware(m))
	r := adapterunit.Request(t, e, "/", "")
	r.Wants(t, 402, "pay")
	r.Cookie(t)
	if !errors.Is(seen, failure) {
		t.Errorf("the middleware outside saw %v", seen)
	}
}

// An error that OnError returns goes to the application's error handler, and
// Echo knows what was sent.
func TestOnErrorReturnsError(t *testing.T) {
	m, s := adapterunit.ServerSide(t, core.Config{})
	s.Down.Store(true)
	spy := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			err := next(c)
			if res := c.Response(); !res.Committed || res.Status != 507 || res.Size != int64(len("{\"message\":\"full\"}\n")) {
				t.Errorf("Echo's response is %d, %d bytes, committed: %v", res.Status, res.Size, res.Committed)
			}
			return err
		}
	}
	r := serve(t, func(c echo.Context) error {
		Session(c).Set("k", "v")
		return c.String(200, "handler")
	}, "", spy, Middleware(m, OnError(func(echo.Context, error) error {
		return echo.NewHTTPError(507, "full")
	})))
	r.Wants(t, 507, "{\"message\":\"full\"}\n")
}

// Ways to write that no Response.Before hook sees.
func TestEchoWays(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	for name, write := range map[string]func(echo.Context) error{
		"nothing":          func(echo.Context) error { return nil },
		"writer":           func(c echo.Context) error { _, err := c.Response().Writer.Write([]byte("x")); return err },
		"writer and error": func(c echo.Context) error { _, _ = io.WriteString(c.Response().Writer, "x"); return errors.New("late") },
		"flush":            func(c echo.Context) error { c.Response().Flush(); return nil },
		"controller":       func(c echo.Context) error { return http.NewResponseController(c.Response()).Flush() },
		"no content":       func(c echo.Context) error { return c.NoContent(204) },
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, func(c echo.Context) error {
				Session(c).Set("k", "v")
				return write(c)
			}, "", Middleware(m))
			r.Cookie(t)
		})
	}
}

// gzip puts the real writer back before the error handler runs.
func TestGzip(t *testing.T) {
	m, store := adapterunit.ServerSide(t, core.Config{})
	zip := middleware.Gzip()
	for name, around := range map[string][]layer{"outside": {zip, Middleware(m)}, "inside": {Middleware(m), zip}} {
		for _, down := range []bool{false, true} {
			for _, fails := range []bool{false, true} {
				store.Down.Store(down)
				e := echo.New()
				e.Logger.SetOutput(io.Discard)
				e.GET("/", func(c echo.Context) error {
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

// The real writer is back when the middleware returns, also after a panic.
func TestWriterIsRestored(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	for name, handler := range map[string]echo.HandlerFunc{
		"returns": func(c echo.Context) error { return c.String(200, "ok") },
		"panics":  func(echo.Context) error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			e := echo.New()
			w := httptest.NewRecorder()
			c := e.NewContext(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), w)
			_ = adapterunit.PanicOf(func() { _ = Middleware(m)(handler)(c) })
			if c.Response().Writer != w {
				t.Errorf("the writer is a %T", c.Response().Writer)
			}
		})
	}
}
