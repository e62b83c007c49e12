package echoadapter

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

// The error handler runs once, inside the middleware, even if it does not look
// whether something was sent. Middleware outside gets no error, but knows it.
func TestErrorIsAnsweredOnce(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{Strict: true})
	failure := errors.New("failure")
	for name, handler := range map[string]echo.HandlerFunc{
		"before the response": func(echo.Context) error { return failure },
		"after it":            func(c echo.Context) error { _ = c.NoContent(402); return failure },
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			e := echo.New()
			e.HTTPErrorHandler = func(err error, c echo.Context) {
				calls++
				if !errors.Is(err, failure) {
					t.Errorf("the error handler gets %v", err)
				}
				if !c.Response().Committed {
					Session(c).Set("error", err.Error())
				}
				_ = c.JSON(402, "pay")
			}
			spy := func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					err := next(c)
					if status := c.Response().Status; err != nil || status != 402 || !errors.Is(HandlerError(c), failure) {
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

// A logger outside sees the status that the client got, and the error.
func TestRequestLoggerOutside(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	for _, handles := range []bool{false, true} {
		var status int
		var logged, own error
		logger := middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
			LogStatus: true, LogError: true, HandleError: handles,
			LogValuesFunc: func(c echo.Context, v middleware.RequestLoggerValues) error {
				status, logged, own = v.Status, HandlerError(c), v.Error
				return nil
			},
		})
		r := serve(t, func(echo.Context) error {
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

// These ways to write run no Response.Before hook.
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

// A writer that middleware inside has left in place stays, and still works.
func TestWriterOfOthersStays(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	type left struct{ http.ResponseWriter }
	outside := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			_ = next(c)
			if _, ok := c.Response().Writer.(*left); !ok {
				t.Errorf("the writer is a %T", c.Response().Writer)
			}
			return c.String(201, "late")
		}
	}
	r := serve(t, func(c echo.Context) error {
		Session(c).Set("k", "v")
		c.Response().Writer = &left{c.Response().Writer}
		return nil
	}, "", outside, Middleware(m))
	r.Wants(t, 201, "late")
	r.Cookie(t)
}

// The middleware restores the real writer when it returns, even after a panic.
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
