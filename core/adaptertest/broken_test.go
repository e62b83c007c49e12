package adaptertest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
)

// TestBrokenAdaptersAreCaught shows that the suite can fail. Each adapter has one
// fault, and the cases listed for it must find it.
func TestBrokenAdaptersAreCaught(t *testing.T) {
	for _, fault := range slices.Concat(faults, securityFaults) {
		t.Run(fault.name, func(t *testing.T) {
			if !fault.alone {
				t.Parallel()
			}
			for _, name := range fault.caughtBy {
				failed, said := adaptertest.Record(t, name, fault.newApp(), fault.on())
				if !failed {
					t.Errorf("%s passes", name)
				} else if !strings.Contains(said, adaptertest.Why(name)) {
					t.Errorf("%s fails without its explanation:\n%s", name, said)
				}
				if failed, said := adaptertest.Record(t, name, httpapp.New, fault.on()); failed {
					t.Errorf("%s fails on the sound adapter:\n%s", name, said)
				}
			}
		})
	}
}

// fault is one way in which an adapter can be wrong.
type fault struct {
	name     string
	serve    serve                                                                 // in place of the middleware; nil: the right one
	wrap     func(http.Handler) http.Handler                                       // around the right middleware
	handler  func(func(adaptertest.Request) error) func(adaptertest.Request) error // in place of each handler
	backend  func() adaptertest.Backend                                            // nil: Memory
	alone    bool                                                                  // its cases measure
	caughtBy []string                                                              // the cases that must fail
}

// on returns the backend that shows the fault.
func (f fault) on() adaptertest.Backend {
	if f.backend == nil {
		return adaptertest.Memory()
	}
	return f.backend()
}

// serve is what a middleware does with a request.
type serve func(m *core.Manager, next http.Handler, w http.ResponseWriter, r *http.Request)

// newApp builds the fault into the net/http adapter.
func (f fault) newApp() adaptertest.NewApp {
	mount := func(m *core.Manager, opts ...httpadapter.Option) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(m, next, w, r) })
			if f.serve == nil {
				h = httpadapter.Middleware(m, opts...)(next)
			}
			if f.wrap != nil {
				h = f.wrap(h)
			}
			return h
		}
	}
	return func(c adaptertest.Config) adaptertest.App {
		if f.handler != nil {
			for i := range c.Routes {
				c.Routes[i].Handler = f.handler(c.Routes[i].Handler)
			}
		}
		return httpapp.NewWith(c, mount)
	}
}

// through is the right middleware, except that it changes the writer and does not
// notice that it is mounted twice.
func through(wrap func(*httpadapter.Exchange) http.ResponseWriter) serve {
	return func(m *core.Manager, next http.Handler, w http.ResponseWriter, r *http.Request) {
		var x httpadapter.Exchange
		if err := x.Load(m, w, r, refuser{&x, w}); err != nil {
			x.Refuse(err)
			return
		}
		defer x.Close()
		next.ServeHTTP(wrap(&x), r.WithContext(x.SessionContext()))
		x.Finish(http.StatusOK)
	}
}

// refuser answers errors as the right adapter does.
type refuser struct {
	*httpadapter.Exchange
	w http.ResponseWriter
}

func (a refuser) AnswerError(err error) { httpadapter.WriteErrorResponse(a.w, err) }

// silent does not answer errors at all.
type silent struct{ *httpadapter.Exchange }

func (silent) AnswerError(error) {}

// onHeader changes the response header at the last moment.
func onHeader(edit func(http.Header)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e := &editor{ResponseWriter: w, edit: edit}
			next.ServeHTTP(e, r)
			e.once()
		})
	}
}

type editor struct {
	http.ResponseWriter
	edit func(http.Header)
	done bool
}

func (e *editor) Unwrap() http.ResponseWriter { return e.ResponseWriter }

func (e *editor) once() {
	if !e.done {
		e.done = true
		e.edit(e.Header())
	}
}

func (e *editor) WriteHeader(status int) {
	e.once()
	e.ResponseWriter.WriteHeader(status)
}

func (e *editor) Write(b []byte) (int, error) {
	e.once()
	return e.ResponseWriter.Write(b)
}

// onRequest changes the request that the adapter sees.
func onRequest(edit func(*http.Request)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			edit(r)
			next.ServeHTTP(w, r)
		})
	}
}

// noFlush flushes the real writer.
type noFlush struct{ *httpadapter.Exchange }

func (w noFlush) FlushError() error {
	return http.NewResponseController(w.Exchange.Unwrap()).Flush()
}

// eager commits at the first header, even an informational one.
type eager struct{ *httpadapter.Exchange }

func (w eager) WriteHeader(status int) {
	if status == http.StatusEarlyHints {
		status = http.StatusOK
	}
	w.Exchange.WriteHeader(status)
}

// hasty sends every byte at once and holds none back.
type hasty struct{ *httpadapter.Exchange }

func (w hasty) Write(b []byte) (int, error) {
	if err := w.FlushError(); err != nil {
		return 0, err
	}
	return w.Exchange.Write(b)
}
