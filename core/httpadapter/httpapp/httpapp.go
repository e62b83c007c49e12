// Package httpapp carries no compatibility promise: it is for tests.
//
// It is the net/http server in which the suite in adaptertest runs
// httpadapter. It is the model for such servers in other frameworks.
package httpapp

import (
	"compress/gzip"
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

// New returns a net/http App with httpadapter.
func New(c adaptertest.Config) adaptertest.App {
	return NewWith(c, httpadapter.Middleware)
}

// Mount is httpadapter.Middleware or a stand-in for it.
type Mount func(*core.Manager, ...httpadapter.Option) func(http.Handler) http.Handler

// NewWith is New with another middleware, for tests of the suite itself.
func NewWith(c adaptertest.Config, mount Mount) adaptertest.App {
	mux := http.NewServeMux()
	for _, route := range c.Routes {
		h := handler(c, route)
		if route.Timeout > 0 {
			h = http.TimeoutHandler(h, route.Timeout, "timeout")
		}
		if !route.Plain {
			for _, m := range slices.Backward(c.Managers) {
				h = mount(m, options(c)...)(h)
			}
		}
		mux.Handle(route.Method+" "+route.Path, h)
	}
	h := http.Handler(mux)
	if c.Compress {
		h = compress(h)
		for _, m := range slices.Backward(c.Managers) {
			h = mount(m, options(c)...)(h)
		}
	}
	return &http.Server{
		Handler:           outer(c, h),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // the suite provokes such errors on purpose
	}
}

func options(c adaptertest.Config) (all []httpadapter.Option) {
	if c.OnError != nil {
		all = append(all, httpadapter.OnError(func(w http.ResponseWriter, r *http.Request, err error) {
			if err := c.OnError(&request{w: w, r: r}, err); err != nil {
				answer(w, c.ErrorStatus, err)
			}
		}))
	}
	if c.Skip != nil {
		all = append(all, httpadapter.Skip(func(r *http.Request) bool { return c.Skip(&request{r: r}) }))
	}
	return all
}

// compress is what gzip middleware does.
func compress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		answered := false
		defer func() {
			if !answered { // whoever recovers answers uncompressed
				w.Header().Del("Content-Encoding")
			}
		}()
		next.ServeHTTP(compressed{w, zip}, r)
		answered = true
		_ = zip.Close() // the client may have gone
	})
}

type compressed struct {
	http.ResponseWriter
	zip *gzip.Writer
}

// Write implements [http.ResponseWriter].
func (w compressed) Write(b []byte) (int, error) { return w.zip.Write(b) }

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
		var failure statusError
		if !errors.As(err, &failure) {
			httpadapter.WriteErrorResponse(w, err)
			return
		}
		status, text = int(failure), "error"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the client may have gone
}

// outer wraps the session middleware: it sets headers and recovers from panics.
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
				panic(http.ErrAbortHandler) // nothing useful can follow
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
