package ginadapter

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/adapterunit"
)

// While body is held back, the writer says what a handler expects of it.
func TestWriterWhileHolding(t *testing.T) {
	m := adapterunit.ClientSide(t)
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

// Ways to write that Gin's own writer sees, or nobody.
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

// An OnError that writes without a status does not answer with the handler's.
func TestC3OnErrorWithoutAStatus(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	r := serve(t, func(c *gin.Context) error {
		Session(c).Set("k", make(chan int)) // fails the commit
		c.Redirect(303, "/to")
		return nil
	}, "", Middleware(m, OnError(func(c *gin.Context, _ error) { _, _ = c.Writer.WriteString("sorry") })))
	r.Wants(t, 200, "sorry")
}

// Gin takes informational headers for the response; with sessions it does
// not, and what follows without a status is a 200.
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

// A part of a file is sent with the status that was recorded for it.
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

// Errors that nobody has rendered roll back; rendered ones go by their status.
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

// Other handlers of the chain do not run if the session could not be loaded.
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

// A request that is handled anew, at another path, goes through our writer too.
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

// With several Managers, each finds its own writer again.
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

// Mounted twice, it commits when the outer one is done: middleware between
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

// A copy of the context, for goroutines that outlive the request, can read
// the session and cannot write it.
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

// Gin's own writer is back when the middleware returns, also after a panic.
func TestWriterIsRestored(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	for name, handler := range map[string]gin.HandlerFunc{
		"returns": func(c *gin.Context) { c.String(200, "ok") },
		"panics":  func(*gin.Context) { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			restored := false
			e := gin.New()
			e.GET("/", func(c *gin.Context) {
				before := c.Writer
				defer func() {
					_ = recover()
					restored = c.Writer == before
				}()
				c.Next()
			}, Middleware(m), handler)
			adapterunit.Request(t, e, "/", "")
			if !restored {
				t.Error("the writer is still ours")
			}
		})
	}
}
