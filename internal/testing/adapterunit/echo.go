package adapterunit

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// Echo is a version of Echo, with its adapter.
type Echo[C EchoContext, L any] struct {
	Framework[C, L]

	HandlerError func(C) error // the adapter's

	// New returns an app that answers GET / with handler. If onError is nil, its
	// handler of errors is Echo's.
	New func(onError func(C, error), handler func(C) error, around ...L) http.Handler

	HTTPError func(status int, message string) error
	Response  func(C) EchoResponse
	SetWriter func(C, http.ResponseWriter)

	// Logger is Echo's middleware that logs requests, and Gzip the one that compresses.
	Logger func(handlesErrors bool, log func(c C, status int, err error) error) L
	Gzip   func() L

	// Ways are ways to write that run no hook of Echo's.
	Ways map[string]func(C) error
}

// EchoContext is what a handler's argument can do in each version.
type EchoContext interface {
	NoContent(status int) error
	JSON(status int, value any) error
	String(status int, body string) error
}

// EchoResponse is what Echo knows of the response.
type EchoResponse struct {
	Committed bool
	Status    int
	Size      int64
}

// Run runs the tests that no promise names.
func (f Echo[C, L]) Run(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"ErrorIsAnsweredOnce", f.testErrorIsAnsweredOnce},
		{"RequestLoggerOutside", f.testRequestLoggerOutside},
		{"OnErrorReturnsError", f.testOnErrorReturnsError},
		{"Ways", f.testWays},
		{"Gzip", f.testGzip},
		{"WriterOfOthersStays", f.testWriterOfOthersStays},
	} {
		t.Run(test.name, test.run)
	}
}

// The error handler runs once, inside the middleware, even if it does not look
// whether something was sent. Middleware outside gets no error, but knows it.
func (f Echo[C, L]) testErrorIsAnsweredOnce(t *testing.T) {
	t.Helper()
	m, _ := ServerSide(t, core.Config{Strict: true})
	failure := errors.New("failure")
	for name, handler := range map[string]func(C) error{
		"before the response": func(C) error { return failure },
		"after it":            func(c C) error { _ = c.NoContent(402); return failure },
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			onError := func(c C, err error) {
				calls++
				if !errors.Is(err, failure) {
					t.Errorf("the error handler gets %v", err)
				}
				if !f.Response(c).Committed {
					f.Session(c).Set("error", err.Error())
				}
				_ = c.JSON(402, "pay")
			}
			spy := f.Around(func(c C, next func() error) error {
				err := next()
				if status := f.Response(c).Status; err != nil || status != 402 || !errors.Is(f.HandlerError(c), failure) {
					t.Errorf("outside: error %v, status %d, HandlerError %v", err, status, f.HandlerError(c))
				}
				return err
			})
			if r := Request(t, f.New(onError, handler, spy, f.Middleware(m)), "/", ""); r.Status != 402 || strings.Count(r.Body, "pay") != 1 || calls != 1 {
				t.Errorf("answer is %d %q, after %d calls of the error handler", r.Status, r.Body, calls)
			}
		})
	}
}

// A logger outside sees the status that the client got, and the error.
func (f Echo[C, L]) testRequestLoggerOutside(t *testing.T) {
	t.Helper()
	m, _ := ServerSide(t, core.Config{})
	for _, handles := range []bool{false, true} {
		var status int
		var logged, own error
		logger := f.Logger(handles, func(c C, s int, err error) error {
			status, logged, own = s, f.HandlerError(c), err
			return nil
		})
		r := f.Serve(t, func(C) error {
			return fmt.Errorf("handler: %w", core.ErrUnavailable)
		}, "", logger, f.Middleware(m))
		r.Wants(t, 503, "{\"message\":\"Service Unavailable\"}\n")
		if status != 503 || !errors.Is(logged, core.ErrUnavailable) || own != nil {
			t.Errorf("logged: %d, %v, and the logger's own error %v", status, logged, own)
		}
	}
}

// The application's error handler handles an error that OnError returns, and
// Echo knows what was sent.
func (f Echo[C, L]) testOnErrorReturnsError(t *testing.T) {
	t.Helper()
	m, s := ServerSide(t, core.Config{})
	s.Down.Store(true)
	spy := f.Around(func(c C, next func() error) error {
		err := next()
		if res := f.Response(c); !res.Committed || res.Status != 507 || res.Size != int64(len("{\"message\":\"full\"}\n")) {
			t.Errorf("Echo's response is %d, %d bytes, committed: %v", res.Status, res.Size, res.Committed)
		}
		return err
	})
	r := f.Serve(t, func(c C) error {
		f.Session(c).Set("k", "v")
		return c.String(200, "handler")
	}, "", spy, f.OnError(m, func(C, error) error {
		return f.HTTPError(507, "full")
	}))
	r.Wants(t, 507, "{\"message\":\"full\"}\n")
}

func (f Echo[C, L]) testWays(t *testing.T) {
	t.Helper()
	m, _ := ServerSide(t, core.Config{})
	for name, write := range f.Ways {
		t.Run(name, func(t *testing.T) {
			r := f.Serve(t, func(c C) error {
				f.Session(c).Set("k", "v")
				return write(c)
			}, "", f.Middleware(m))
			r.Cookie(t)
		})
	}
}

// Gzip may leave the status to the end, and puts the real writer back before the error handler runs.
func (f Echo[C, L]) testGzip(t *testing.T) {
	t.Helper()
	m, store := ServerSide(t, core.Config{})
	zip := f.Gzip()
	for name, around := range map[string][]L{"outside": {zip, f.Middleware(m)}, "inside": {f.Middleware(m), zip}} {
		for _, down := range []bool{false, true} {
			for _, fails := range []bool{false, true} {
				store.Down.Store(down)
				app := f.New(nil, func(c C) error {
					f.Session(c).Set("k", "v")
					if fails {
						return f.HTTPError(404, "none")
					}
					return c.String(200, "handler")
				}, around...)
				status, body := Unzipped(t, app)
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

// A writer that middleware inside has left in place stays, and still works.
func (f Echo[C, L]) testWriterOfOthersStays(t *testing.T) {
	t.Helper()
	m, _ := ServerSide(t, core.Config{})
	type left struct{ http.ResponseWriter }
	outside := f.Around(func(c C, next func() error) error {
		_ = next()
		if _, ok := f.Writer(c).(*left); !ok {
			t.Errorf("the writer is a %T", f.Writer(c))
		}
		return c.String(201, "late")
	})
	r := f.Serve(t, func(c C) error {
		f.Session(c).Set("k", "v")
		f.SetWriter(c, &left{f.Writer(c)})
		return nil
	}, "", outside, f.Middleware(m))
	r.Wants(t, 201, "late")
	r.Cookie(t)
}

// Unzipped answers one request of a client that takes gzip.
func Unzipped(t *testing.T, app http.Handler) (status int, body string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	var reader io.Reader = w.Body
	if w.Header().Get("Content-Encoding") == "gzip" {
		var err error
		if reader, err = gzip.NewReader(w.Body); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(b)
}
