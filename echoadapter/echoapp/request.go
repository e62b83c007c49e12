package echoapp

import (
	"cmp"
	"context"
	"html/template"
	"io"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/echoadapter"
)

// request adapts an echo.Context to the suite.
type request struct{ c echo.Context }

var _ adaptertest.Request = request{}

func (r request) Session() *core.Session                  { return echoadapter.Session(r.c) }
func (r request) TrySession() (*core.Session, bool)       { return echoadapter.TrySession(r.c) }
func (r request) SessionOf(m *core.Manager) *core.Session { return echoadapter.SessionOf(r.c, m) }
func (r request) Context() context.Context                { return r.c.Request().Context() }
func (r request) Method() string                          { return r.c.Request().Method }
func (r request) RequestHeader(name string) string        { return r.c.Request().Header.Get(name) }
func (r request) SetHeader(name, value string)            { r.c.Response().Header().Set(name, value) }

func (r request) ResponseHeader(name string) []string  { return r.c.Response().Header().Values(name) }
func (r request) Status(status int) error              { return r.c.NoContent(status) }
func (r request) Text(status int, body string) error   { return r.c.String(status, body) }
func (r request) JSON(status int, v any) error         { return r.c.JSON(status, v) }
func (r request) Redirect(status int, to string) error { return r.c.Redirect(status, to) }
func (r request) Fail(status int) error                { return echo.NewHTTPError(status) }
func (r request) File(name string) error               { return r.c.File(name) }

func (r request) Param(name string) string {
	return cmp.Or(r.c.QueryParam(name), r.c.FormValue(name))
}

func (r request) SetCookie(name, value string) {
	r.c.SetCookie(&http.Cookie{Name: name, Value: value, Path: "/"}) //nolint:gosec // plain on purpose
}

func (r request) Template(t *template.Template, v any) error {
	r.c.Response().Header().Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	return t.Execute(r.c.Response(), v)
}

func (r request) Raw(body string) error {
	_, err := io.WriteString(r.c.Response().Writer, body)
	return err
}

func (r request) Stream(contentType string, f func(w io.Writer, flush func() error) error) error {
	res := r.c.Response()
	res.Header().Set(echo.HeaderContentType, contentType)
	res.WriteHeader(http.StatusOK)
	return f(res, func() error {
		res.Flush()
		return nil
	})
}

func (r request) Hijack(f func(net.Conn)) error {
	conn, _, err := r.c.Response().Hijack()
	if err != nil {
		return err
	}
	f(conn)
	return conn.Close()
}

func (r request) EarlyHints(link string) error {
	r.c.Response().Header().Set("Link", link)
	// Not through the Response: Echo would take it for the final response.
	r.c.Response().Writer.WriteHeader(http.StatusEarlyHints)
	return nil
}
