package fasthttpsession_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/examples/recipes/fasthttpsession"
)

//recipe:proof

func TestConformance(t *testing.T) { adaptertest.Run(t, "fasthttp", newApp) }

//recipe:end

// app is a fasthttp server with the suite's routes.
type app struct{ *fasthttp.Server }

func newApp(c adaptertest.Config) adaptertest.App {
	handlers := map[string]fasthttp.RequestHandler{}
	for _, route := range c.Routes {
		bare := handler(c, route)
		if route.Timeout > 0 {
			bare = fasthttp.TimeoutHandler(bare, route.Timeout, "timeout")
		}
		h := bare
		if !route.Plain {
			for _, m := range slices.Backward(c.Managers) {
				h = fasthttpsession.Middleware(m, onError(c))(h)
			}
		}
		if behind := h; c.Skip != nil {
			h = func(ctx *fasthttp.RequestCtx) {
				if c.Skip(request{ctx}) {
					bare(ctx)
				} else {
					behind(ctx)
				}
			}
		}
		handlers[route.Method+" "+route.Path] = h
		if route.Method == fasthttp.MethodGet {
			handlers["HEAD "+route.Path] = h
		}
	}
	serve := func(ctx *fasthttp.RequestCtx) {
		if h, ok := handlers[string(ctx.Method())+" "+string(ctx.Path())]; ok {
			h(ctx)
		} else {
			ctx.Error("Not Found", fasthttp.StatusNotFound)
		}
	}
	if c.Compress {
		serve = fasthttp.CompressHandler(serve)
		for _, m := range slices.Backward(c.Managers) {
			serve = fasthttpsession.Middleware(m, onError(c))(serve)
		}
	}
	return app{&fasthttp.Server{
		ReadBufferSize: 64 << 10, // room for cookies; by default there are 4 KB
		Handler: func(ctx *fasthttp.RequestCtx) {
			returned := make(chan struct{})
			defer close(returned)
			ctx.SetUserValue("returned", returned)
			for name, value := range c.OuterHeader {
				ctx.Response.Header.Set(name, value)
			}
			defer func() {
				if v := recover(); v != nil { // fasthttp does not
					ctx.Error("Internal Server Error", fasthttp.StatusInternalServerError)
				}
			}()
			serve(ctx)
		},
		Logger: silent{}, // the suite provokes what it would log
	}}
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// Shutdown implements [adaptertest.App].
func (a app) Shutdown(ctx context.Context) error { return a.ShutdownWithContext(ctx) }

func onError(c adaptertest.Config) fasthttpsession.ErrorHandler {
	if c.OnError == nil {
		return nil
	}
	return func(ctx *fasthttp.RequestCtx, err error) {
		if err := c.OnError(request{ctx}, err); err != nil {
			answer(ctx, err, c.ErrorStatus)
		}
	}
}

// statusError is a handler's error with a status.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

func handler(c adaptertest.Config, route adaptertest.Route) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if err := route.Handler(request{ctx}); err != nil {
			answer(ctx, err, c.ErrorStatus)
		}
	}
}

func answer(ctx *fasthttp.RequestCtx, err error, appStatus int) {
	status, text := core.ErrorResponseFor(err).Status, "error"
	var failure statusError
	if errors.As(err, &failure) {
		status = int(failure)
	}
	if appStatus != 0 {
		status, text = appStatus, "app error"
	}
	ctx.SetStatusCode(status)
	ctx.SetBodyString(text)
}

// request is a RequestCtx as the suite sees it.
type request struct{ c *fasthttp.RequestCtx }

var _ adaptertest.Request = request{}

func (r request) Session() *core.Session            { return fasthttpsession.Session(r.c) }
func (r request) TrySession() (*core.Session, bool) { return core.FromContext(r.Context()) }

func (r request) SessionOf(m *core.Manager) *core.Session {
	s, ok := m.FromContext(r.Context())
	if !ok {
		panic("no session of this Manager: use its Middleware")
	}
	return s
}

func (r request) Context() context.Context         { return fasthttpsession.Context(r.c) }
func (r request) Method() string                   { return string(r.c.Method()) }
func (r request) Param(name string) string         { return string(r.c.FormValue(name)) }
func (r request) RequestHeader(name string) string { return string(r.c.Request.Header.Peek(name)) }
func (r request) SetHeader(name, value string)     { r.c.Response.Header.Set(name, value) }
func (r request) ResponseHeader(name string) (lines []string) {
	for _, line := range r.c.Response.Header.PeekAll(name) {
		lines = append(lines, string(line))
	}
	return lines
}
func (r request) Fail(status int) error   { return statusError(status) }
func (r request) EarlyHints(string) error { return nil } // fasthttp cannot send them

func (r request) SetCookie(name, value string) {
	var c fasthttp.Cookie
	c.SetKey(name)
	c.SetValue(value)
	c.SetPath("/")
	r.c.Response.Header.SetCookie(&c)
}

func (r request) Status(status int) error {
	r.c.SetStatusCode(status)
	return nil
}

func (r request) Text(status int, body string) error {
	r.c.SetStatusCode(status)
	r.c.SetBodyString(body)
	return nil
}

func (r request) JSON(status int, v any) error {
	r.c.SetStatusCode(status)
	r.c.SetContentType("application/json")
	return json.NewEncoder(r.c).Encode(v)
}

func (r request) Redirect(status int, to string) error {
	r.c.Response.Header.Set("Location", to)
	r.c.SetStatusCode(status)
	return nil
}

func (r request) Template(t *template.Template, v any) error {
	r.c.SetContentType("text/html; charset=utf-8")
	return t.Execute(r.c, v)
}

func (r request) Raw(body string) error {
	_, err := io.WriteString(r.c.Response.BodyWriter(), body)
	return err
}

func (r request) File(name string) error {
	r.c.SendFile(name)
	return nil
}

// Stream waits until the handler has returned. fasthttp starts the writer
// beside the handler, but sends nothing before it returns.
func (r request) Stream(contentType string, f func(w io.Writer, flush func() error) error) error {
	r.c.SetContentType(contentType)
	returned, _ := r.c.UserValue("returned").(chan struct{})
	r.c.SetBodyStreamWriter(func(w *bufio.Writer) {
		<-returned
		_ = f(w, w.Flush) // the client is gone: there is nobody to tell
	})
	return nil
}

func (r request) Hijack(f func(net.Conn)) error {
	r.c.HijackSetNoResponse(r.c.Response.StatusCode() != fasthttp.StatusSwitchingProtocols)
	r.c.Hijack(f)
	return nil
}
