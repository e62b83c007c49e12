package ginadapter

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

// While the body is held back, the writer reports what a handler expects.
func TestWriterWhileHolding(t *testing.T) {
	m := adapterunit.ClientSide(t, core.Config{})
	cookie := unit.Stored(t, m, func(s *core.Session) { s.Flash("info", "hello") })
	r := serve(t, func(c *gin.Context) error {
		w := c.Writer
		if w.Written() || w.Size() != -1 || w.Status() != 200 {
			t.Errorf("before: %v, %d bytes, status %d", w.Written(), w.Size(), w.Status())
		}
		c.String(403, "12345")
		c.Status(200) // too late
		w.WriteHeaderNow()
		if !w.Written() || w.Size() != 5 || w.Status() != 403 {
			t.Errorf("after: %v, %d bytes, status %d", w.Written(), w.Size(), w.Status())
		}
		Session(c).Flashes()
		return nil
	}, cookie, Middleware(m))
	r.Wants(t, 403, "12345")
	r.Cookie(t)
}

// These ways to write reach Gin's own writer, or none.
func TestGinWays(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	for name, c := range map[string]struct {
		status int
		write  func(*gin.Context)
	}{
		"nothing":       {200, func(*gin.Context) {}},
		"status":        {204, func(c *gin.Context) { c.Status(204) }},
		"abort":         {403, func(c *gin.Context) { c.AbortWithStatus(403) }},
		"abort error":   {403, func(c *gin.Context) { _ = c.AbortWithError(403, errors.New("no")) }},
		"flush":         {202, func(c *gin.Context) { c.Status(202); c.Writer.Flush() }},
		"string writer": {202, func(c *gin.Context) { c.Status(202); _, _ = c.Writer.WriteString("x") }},
		"reader":        {202, func(c *gin.Context) { c.DataFromReader(202, -1, "text/plain", http.NoBody, nil) }},
		"controller":    {202, func(c *gin.Context) { c.Status(202); _ = http.NewResponseController(c.Writer).Flush() }},
		"redirect":      {303, func(c *gin.Context) { c.Redirect(303, "/to") }},
		"event":         {200, func(c *gin.Context) { c.SSEvent("name", "data") }},
		"stream":        {200, func(c *gin.Context) { c.Stream(func(w io.Writer) bool { _, _ = io.WriteString(w, "x"); return false }) }},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, func(g *gin.Context) error {
				Session(g).Set("k", "v")
				c.write(g)
				return nil
			}, "", Middleware(m))
			if r.Status != c.status {
				t.Errorf("status %d, want %d", r.Status, c.status)
			}
			r.Cookie(t)
		})
	}
}

// If OnError writes without a status, the handler's status is not used.
func TestC3OnErrorWithoutAStatus(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	r := serve(t, func(c *gin.Context) error {
		Session(c).Set("k", make(chan int)) // makes the commit fail
		c.Redirect(303, "/to")
		return nil
	}, "", Middleware(m, OnError(func(c *gin.Context, _ error) { _, _ = c.Writer.WriteString("sorry") })))
	r.Wants(t, 200, "sorry")
}

// Gin takes an informational header for the response. With sessions it does not,
// and a response that follows without a status is a 200.
func TestEarlyHints(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	e := gin.New()
	hints := func(c *gin.Context) {
		c.Header("Link", "</style.css>")
		c.Status(103)
		c.Writer.WriteHeaderNow()
		Session(c).Set("k", "v")
	}
	e.GET("/404", Middleware(m), func(c *gin.Context) {
		hints(c)
		c.String(404, "no")
	})
	e.GET("/200", Middleware(m), func(c *gin.Context) {
		hints(c)
		_, _ = c.Writer.WriteString("yes")
	})
	server := httptest.NewServer(e)
	defer server.Close()
	for path, status := range map[string]int{"/404": 404, "/200": 200} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close() // only the header matters
		got := reply{Status: res.StatusCode, Header: res.Header}
		got.Wants(t, status, "")
		got.Cookie(t)
	}
}

// Part of a file is sent with the status that was recorded for it.
func TestFileRange(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file.txt")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, _ := adapterunit.ServerSide(t, core.Config{})
	e := gin.New()
	e.GET("/", Middleware(m), func(c *gin.Context) {
		Session(c).Set("k", "v")
		c.File(name)
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Range", "bytes=2-4")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	got := reply{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
	got.Wants(t, 206, "234")
	got.Cookie(t)
}

// Unrendered errors roll back; for rendered ones, the status decides.
func TestPendingErrors(t *testing.T) {
	for name, c := range map[string]struct {
		fail   func(*gin.Context)
		status int
		stored bool
	}{
		"pending":  {func(c *gin.Context) { _ = c.Error(errors.New("no")) }, 502, false},
		"rendered": {func(c *gin.Context) { _ = c.Error(errors.New("no")); c.String(422, "no") }, 422, true},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := adapterunit.ServerSide(t, core.Config{})
			renderer := func(c *gin.Context) {
				c.Next()
				if len(c.Errors) > 0 && !c.Writer.Written() {
					c.String(502, "rendered outside")
				}
			}
			r := serve(t, func(g *gin.Context) error {
				Session(g).Set("k", "v")
				c.fail(g)
				return nil
			}, "", renderer, Middleware(m))
			if r.Status != c.status || (len(r.Header.Values("Set-Cookie")) > 0) != c.stored {
				t.Errorf("status %d, cookies %q", r.Status, r.Header.Values("Set-Cookie"))
			}
		})
	}
}

// Without a renderer, a pending error has its status; the client sees the one that
// the commit has seen.
func TestPendingErrorWithoutARenderer(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	for status, err := range map[int]error{
		500: errors.New("no"), 503: fmt.Errorf("commit: %w", core.ErrConflict), 409: core.ErrSessionLimit,
	} {
		r := serve(t, func(c *gin.Context) error {
			_ = c.Error(err)
			return nil
		}, "", Middleware(m))
		r.Wants(t, status, "")
	}
}

// A handler that notes an error for the log and then answers has answered, also
// where the answer has no body, as a redirect after a form.
func TestC4RecordedStatusIsTheAnswer(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	for want, answer := range map[int]gin.HandlerFunc{
		303: func(c *gin.Context) { c.Redirect(303, "/form") },
		204: func(c *gin.Context) { c.Status(204) },
		422: func(c *gin.Context) { c.Status(422) },
		502: func(c *gin.Context) { c.Status(502) },
	} {
		e := gin.New()
		e.POST("/", Middleware(m), func(c *gin.Context) {
			Session(c).Flash("error", "Try again.")
			_ = c.Error(errors.New("for the log"))
			answer(c)
		})
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil))
		if stored := w.Header().Get("Set-Cookie") != ""; w.Code != want || stored != (want < 500) {
			t.Errorf("C4: %d, want %d; stored: %v", w.Code, want, stored)
		}
	}
}

// leaver leaves its writer in place, and has a header to take back when Gin writes
// the body of its own page through it.
type leaver struct{ gin.ResponseWriter }

func (w leaver) Write(b []byte) (int, error) {
	if len(w.Header().Values("Set-Cookie")) > 0 {
		b = []byte("the cookie can be seen")
	}
	w.Header().Del("Content-Encoding")
	w.Header().Set("X-Late", "yes")
	return w.ResponseWriter.Write(b)
}

// What a writer that stays in place changes in the header is still sent, and it
// does not see the session's cookie.
func TestC7WriterThatStaysInPlace(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	leave := func(c *gin.Context) {
		Session(c).Set("k", "v")
		c.Header("Content-Encoding", "gzip")
		c.Writer = leaver{c.Writer}
		c.Next()
		_ = c.Writer.Header()
	}
	r := serveUnknown(t, Middleware(m), leave)
	r.Wants(t, 404, "404 page not found")
	r.WantsHeader(t, "Content-Encoding")
	r.WantsHeader(t, "X-Late", "yes")
	r.Cookie(t)
}

// The answer to a panic takes the place of what was held back, through whatever writer.
func TestPanicWhileHoldingBehindAnotherWriter(t *testing.T) {
	m := adapterunit.ClientSide(t, core.Config{})
	cookie := unit.Stored(t, m, func(s *core.Session) { s.Flash("info", "hello") })
	answer := func(c *gin.Context) {
		defer func() {
			if recover() != nil {
				c.String(500, "sorry")
			}
		}()
		c.Next()
	}
	serve(t, func(c *gin.Context) error {
		c.Writer = leaver{c.Writer}
		c.String(200, "half a page")
		panic("boom")
	}, cookie, answer, Middleware(m)).Wants(t, 500, "sorry")
}

// The other handlers of the chain do not run if the session could not be loaded.
func TestAbortsOnLoadError(t *testing.T) {
	m, s := adapterunit.ServerSide(t, core.Config{})
	cookie := unit.Stored(t, m, func(s *core.Session) { s.Set("k", "v") })
	s.Down.Store(true)
	aborted := false
	serve(t, func(*gin.Context) error {
		t.Error("the handler was called")
		return nil
	}, cookie, func(c *gin.Context) { c.Next(); aborted = c.IsAborted() }, Middleware(m)).Wants(t, 503, "Service Unavailable\n")
	if !aborted {
		t.Error("the chain was not aborted")
	}
}

// bracketed marks what its middleware sends, as one that compresses does.
type bracketed struct{ gin.ResponseWriter }

func (w *bracketed) WriteString(s string) (int, error) { return w.Write([]byte(s)) }
func (w *bracketed) Write(b []byte) (int, error) {
	return w.ResponseWriter.Write(fmt.Appendf(nil, "[%s]", b))
}

// A request that is handled again passes through all middleware again: what wraps the
// writer outside or inside does so once more, and the session is still in time.
func TestC7HandleContextBehindOtherWriters(t *testing.T) {
	bracket := func(c *gin.Context) {
		c.Writer = &bracketed{c.Writer}
		c.Next()
	}
	for _, chain := range []func(gin.HandlerFunc) []gin.HandlerFunc{
		func(s gin.HandlerFunc) []gin.HandlerFunc { return []gin.HandlerFunc{bracket, s} },
		func(s gin.HandlerFunc) []gin.HandlerFunc { return []gin.HandlerFunc{s, bracket} },
		func(s gin.HandlerFunc) []gin.HandlerFunc { return []gin.HandlerFunc{s, bracket, s} },
	} {
		m, _ := adapterunit.ServerSide(t, core.Config{})
		e := gin.New()
		e.Use(chain(Middleware(m))...)
		e.GET("/old", func(c *gin.Context) {
			c.Request.URL.Path = "/new"
			e.HandleContext(c)
		})
		e.GET("/new", func(c *gin.Context) {
			Session(c).Set("k", "v")
			c.String(201, "new")
		})
		r := adapterunit.Request(t, e, "/old", "")
		r.Wants(t, 201, "[new]")
		r.Cookie(t)
	}
}

// A request that is handled again, at another path, uses our writer too.
func TestHandleContext(t *testing.T) {
	for name, answer := range map[string]gin.HandlerFunc{
		"text":   func(c *gin.Context) { c.String(201, "new") },
		"status": func(c *gin.Context) { c.Status(204) },
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := adapterunit.ServerSide(t, core.Config{})
			e := gin.New()
			e.Use(Middleware(m))
			e.GET("/old", func(c *gin.Context) {
				c.Request.URL.Path = "/new"
				e.HandleContext(c)
			})
			e.GET("/new", func(c *gin.Context) {
				Session(c).Set("k", "v")
				answer(c)
			})
			r := adapterunit.Request(t, e, "/old", "")
			if r.Status != 201 && r.Status != 204 {
				t.Errorf("status %d", r.Status)
			}
			r.Cookie(t)
		})
	}
}

// With several Managers, each still finds its own writer.
func TestHandleContextWithTwoManagers(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	other, _ := adapterunit.ServerSide(t, core.Config{Cookie: core.Cookie{Name: "__Host-other"}})
	e := gin.New()
	e.Use(Middleware(m), Middleware(other))
	e.GET("/old", func(c *gin.Context) {
		c.Request.URL.Path = "/new"
		e.HandleContext(c)
	})
	e.GET("/new", func(c *gin.Context) {
		SessionOf(c, m).Set("k", "v")
		SessionOf(c, other).Set("k", "v")
		c.String(201, "new")
	})
	r := adapterunit.Request(t, e, "/old", "")
	r.Wants(t, 201, "new")
	if lines := r.Header.Values("Set-Cookie"); len(lines) != 2 {
		t.Errorf("cookies %q", lines)
	}
}

// If the middleware is mounted twice, the outer one commits. Middleware between
// the two can still use the session after the handlers.
func TestTwiceWithMiddlewareBetween(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	between := func(c *gin.Context) {
		c.Next()
		Session(c).Set("k", "v")
		c.String(201, "between")
	}
	r := serve(t, func(*gin.Context) error { return nil }, "", Middleware(m), between, Middleware(m))
	r.Wants(t, 201, "between")
	r.Cookie(t)
}

// A copy of the context, for goroutines that outlive the request, can read the
// session but not write it.
func TestCopy(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	var c2 *gin.Context
	serve(t, func(c *gin.Context) error {
		Session(c).Set("k", "v")
		c2 = c.Copy()
		c.String(200, "ok")
		return nil
	}, "", Middleware(m)).Wants(t, 200, "ok")
	done := make(chan struct{})
	go func() {
		defer close(done)
		s := Session(c2)
		if v, ok := core.Get[string](s, "k"); !ok || v != "v" {
			t.Errorf("the copy reads %q, %v", v, ok)
		}
		s.Set("k", "w")
		if !errors.Is(s.Err(), core.ErrTooLate) {
			t.Errorf("a late write reports %v", s.Err())
		}
	}()
	<-done
}
