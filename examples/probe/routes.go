package main

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
)

// probe has the handlers. They are written once, on what all frameworks have.
type probe struct{ m *core.Manager }

// newProbe mounts the handlers on a framework.
func newProbe(newApp adaptertest.NewApp, m *core.Manager) adaptertest.App {
	p := probe{m}
	// The operator's routes are outside the middleware, so that they work for
	// callers whose own session is the one that ends.
	plain := func(method, path string, h handler) adaptertest.Route {
		return adaptertest.Route{Method: method, Path: path, Plain: true, Handler: h.answered}
	}
	route := func(method, path string, h handler) adaptertest.Route {
		return adaptertest.Route{Method: method, Path: path, Handler: h.answered}
	}
	return newApp(adaptertest.Config{
		Managers: []*core.Manager{m},
		Routes: []adaptertest.Route{
			plain("GET", "/healthz", healthz),
			route("GET", "/blank", blank),
			route("GET", "/get", get),
			route("POST", "/set", set),
			route("POST", "/incr", incr),
			route("POST", "/delete", deleteKey),
			route("POST", "/clear", clearAll),
			route("POST", "/flash", addFlash),
			route("GET", "/flashes", flashes),
			route("GET", "/page", page),
			route("POST", "/login", login),
			route("POST", "/logout", logout),
			route("POST", "/renew", renew),
			route("GET", "/sessions", sessions),
			route("POST", "/revoke", revoke),
			route("POST", "/revoke-others", revokeOthers),
			plain("POST", "/revoke-user", p.revokeUser),
			plain("POST", "/revoke-all", p.revokeAll),
			route("GET", "/stream", stream),
			route("GET", "/panic", panics),
			route("GET", "/late", late),
		},
	})
}

// handler answers a request, or returns the error to answer with.
type handler func(adaptertest.Request) error

// problem is the answer for errors.
type problem struct {
	Error string `json:"error"`
}

// nothing is the answer of routes without anything to report.
type nothing struct{}

// answered calls h and answers its error. It does so here rather than in the
// frameworks' error handlers, so that all of them give the same answer.
func (h handler) answered(r adaptertest.Request) error {
	err := h(r)
	if err == nil {
		return nil
	}
	status := statusOf(err)
	if status >= http.StatusInternalServerError && status != http.StatusNotImplemented {
		slog.Warn("request failed", "status", status, "error", err)
	}
	return r.JSON(status, problem{err.Error()})
}

// statusOf maps errors to statuses; errors that are not the probe's own are
// answered like errors of the middleware.
func statusOf(err error) int {
	var bad *badParam
	var value *core.ValueError
	switch {
	case errors.As(err, &bad), errors.As(err, &value):
		return http.StatusBadRequest
	case errors.Is(err, core.ErrUnsupported):
		return http.StatusNotImplemented
	case errors.Is(err, core.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, core.ErrEnded):
		return http.StatusConflict
	}
	return core.ErrorResponseFor(err).Status
}

// answer sends v, or just the status where HTTP allows no body.
func answer(r adaptertest.Request, status int, v any) error {
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		return r.Status(status)
	}
	return r.JSON(status, v)
}

func healthz(r adaptertest.Request) error {
	return r.JSON(http.StatusOK, nothing{})
}

// blank does not touch the session, though it could.
func blank(r adaptertest.Request) error {
	return r.JSON(http.StatusOK, nothing{})
}
