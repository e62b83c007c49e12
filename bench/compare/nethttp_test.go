package compare

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// httpRequest is a request on net/http, and what Gin and Echo make of one.
type httpRequest struct {
	w http.ResponseWriter
	r *http.Request
}

func (q httpRequest) param(name string) string { return q.r.URL.Query().Get(name) }

func (q httpRequest) text(status int, body string) error {
	q.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	q.w.WriteHeader(status)
	_, err := io.WriteString(q.w, body)
	return err
}

func (q httpRequest) redirect(to string) error {
	http.Redirect(q.w, q.r, to, http.StatusSeeOther)
	return nil
}

func (q httpRequest) stream(first string, rest func(line func(string))) error {
	flush := http.NewResponseController(q.w).Flush
	if first != "" {
		_, _ = fmt.Fprintln(q.w, first)
	}
	if err := flush(); err != nil {
		return err
	}
	rest(func(line string) { _, _ = fmt.Fprintln(q.w, line) })
	return nil
}

// mux serves the routes on net/http. open returns the session of a request.
func (a *app) mux(open func(http.ResponseWriter, *http.Request) (session, error)) http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.HandleFunc(r.path, func(w http.ResponseWriter, req *http.Request) {
			_ = a.answer(r, httpRequest{w, req}, func() (session, error) { return open(w, req) })
		})
	}
	return mux
}

// on has a run handler on net/http's server, behind what answers panics.
func (a *app) on(handler http.Handler) *app {
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recover() != nil {
					w.WriteHeader(http.StatusInternalServerError)
				}
			}()
			handler.ServeHTTP(w, r)
		}),
	}
	a.serve = func(l net.Listener) error { return server.Serve(l) }
	then := a.close
	a.close = func() {
		_ = server.Shutdown(context.Background())
		if then != nil {
			then()
		}
	}
	return a
}
