// Package httpapp is the net/http server with which httpadapter proves itself
// to the suite in adaptertest: the model for the same in other frameworks.
package httpapp

import (
	"errors"
	"io"
	"log"
	"net/http"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// New returns an App of net/http with httpadapter.
func New(c adaptertest.Config) adaptertest.App {
	return NewWith(c, httpadapter.Middleware)
}

// Mount is httpadapter.Middleware, or something that stands in for it.
type Mount func(*core.Manager, ...httpadapter.Option) func(http.Handler) http.Handler

// NewWith is New with another middleware: for tests of the suite itself.
func NewWith(c adaptertest.Config, mount Mount) adaptertest.App {
	mux := http.NewServeMux()
	for _, route := range c.Routes {
		h := handler(c, route)
		if !route.Plain {
			for _, m := range slices.Backward(c.Managers) {
				h = mount(m, options(c)...)(h)
			}
		}
		mux.Handle(route.Method+" "+route.Path, h)
	}
	return &http.Server{
		Handler:           outer(c, mux),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // the suite provokes what it would say
	}
}

func options(c adaptertest.Config) []httpadapter.Option {
	if c.OnError == nil {
		return nil
	}
	return []httpadapter.Option{
		httpadapter.OnError(func(w http.ResponseWriter, r *http.Request, err error) {
			if c.OnError(&request{w: w, r: r}, err) != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}),
	}
}

// handler turns a Route into what a net/http application would have written.
// Errors are answered here, inside the session middleware.
func handler(c adaptertest.Config, route adaptertest.Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := &request{w: w, r: r}
		if err := route.Handler(q); err != nil && !q.answered {
			answer(w, c.ErrorStatus, err)
		}
	})
}

func answer(w http.ResponseWriter, status int, err error) {
	text := "app error"
	if status == 0 {
		status, text = http.StatusInternalServerError, "error"
		var failure statusError
		if errors.As(err, &failure) {
			status = int(failure)
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the client may be gone
}

// outer is what goes around the session middleware: it sets headers and
// recovers from panics.
func outer(c adaptertest.Config, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range c.OuterHeader {
			w.Header().Set(name, value)
		}
		sent := &sentWriter{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); sent.sent || ok && errors.Is(err, http.ErrAbortHandler) {
				panic(http.ErrAbortHandler) // nothing sensible can follow
			}
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		}()
		next.ServeHTTP(sent, r)
	})
}

// sentWriter knows whether the response has started.
type sentWriter struct {
	http.ResponseWriter
	sent bool
}

// Unwrap is for [http.ResponseController].
func (w *sentWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *sentWriter) WriteHeader(status int) {
	w.sent = w.sent || status >= 200 || status == http.StatusSwitchingProtocols
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *sentWriter) Write(b []byte) (int, error) {
	w.sent = true
	return w.ResponseWriter.Write(b)
}
