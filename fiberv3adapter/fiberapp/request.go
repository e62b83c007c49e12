package fiberapp

import (
	"bufio"
	"cmp"
	"context"
	"html/template"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v3"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/fiberv3adapter"
)

// request adapts a fiber.Ctx to the suite. Its strings are copies, because the
// suite's handlers do not know that Fiber reuses buffers.
type request struct{ c fiber.Ctx }

var _ adaptertest.Request = request{}

func (r request) Session() *core.Session                  { return fiberv3adapter.Session(r.c) }
func (r request) TrySession() (*core.Session, bool)       { return fiberv3adapter.TrySession(r.c) }
func (r request) SessionOf(m *core.Manager) *core.Session { return fiberv3adapter.SessionOf(r.c, m) }
func (r request) Context() context.Context                { return r.c.Context() }
func (r request) OwnContext() context.Context             { return r.c }
func (r request) Method() string                          { return r.c.Method() }
func (r request) RequestHeader(name string) string        { return strings.Clone(r.c.Get(name)) }
func (r request) SetHeader(name, value string)            { r.c.Set(name, value) }
func (r request) ResponseHeader(name string) []string {
	return slices.Clone(r.c.GetRespHeaders()[name])
}

func (r request) Text(status int, body string) error   { return r.c.Status(status).SendString(body) }
func (r request) JSON(status int, v any) error         { return r.c.Status(status).JSON(v) }
func (r request) Redirect(status int, to string) error { return r.c.Redirect().Status(status).To(to) }
func (r request) Fail(status int) error                { return fiber.NewError(status) }
func (r request) File(name string) error               { return r.c.SendFile(name) }

func (r request) Param(name string) string {
	return cmp.Or(r.c.Query(name), r.c.FormValue(name))
}

func (r request) SetCookie(name, value string) {
	r.c.Cookie(&fiber.Cookie{Name: name, Value: value, Path: "/"})
}

func (r request) Status(status int) error {
	r.c.Status(status)
	return nil
}

func (r request) Template(t *template.Template, v any) error {
	r.c.Type("html", "utf-8")
	return t.Execute(r.c, v)
}

func (r request) Raw(body string) error {
	_, err := io.WriteString(r.c.Response().BodyWriter(), body)
	return err
}

func (r request) Stream(contentType string, f func(w io.Writer, flush func() error) error) error {
	r.c.Set(fiber.HeaderContentType, contentType)
	done, _ := r.c.Locals(returned{}).(chan struct{})
	return r.c.SendStreamWriter(func(w *bufio.Writer) {
		<-done
		_ = f(w, w.Flush) // no one is left to report it to
	})
}

func (r request) Hijack(f func(net.Conn)) error {
	r.c.RequestCtx().HijackSetNoResponse(r.c.Response().StatusCode() != fiber.StatusSwitchingProtocols)
	r.c.RequestCtx().Hijack(f)
	return nil
}

func (r request) EarlyHints(link string) error { return r.c.SendEarlyHints([]string{link}) }
