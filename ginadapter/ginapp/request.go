package ginapp

import (
	"cmp"
	"context"
	"html/template"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/ginadapter"
)

// request adapts a gin.Context to the suite.
type request struct{ c *gin.Context }

var _ adaptertest.Request = request{}

func (r request) Session() *core.Session                  { return ginadapter.Session(r.c) }
func (r request) TrySession() (*core.Session, bool)       { return ginadapter.TrySession(r.c) }
func (r request) SessionOf(m *core.Manager) *core.Session { return ginadapter.SessionOf(r.c, m) }
func (r request) Context() context.Context                { return r.c.Request.Context() }
func (r request) Method() string                          { return r.c.Request.Method }
func (r request) RequestHeader(name string) string        { return r.c.GetHeader(name) }
func (r request) SetHeader(name, value string)            { r.c.Header(name, value) }
func (r request) ResponseHeader(name string) []string     { return r.c.Writer.Header().Values(name) }
func (r request) Fail(status int) error                   { return failure(status) }

func (r request) Param(name string) string { return cmp.Or(r.c.Query(name), r.c.PostForm(name)) }

func (r request) SetCookie(name, value string) {
	r.c.SetCookie(name, value, 0, "/", "", false, false)
}

func (r request) Status(status int) error {
	r.c.Status(status)
	return nil
}

func (r request) Text(status int, body string) error {
	r.c.String(status, "%s", body)
	return nil
}

func (r request) JSON(status int, v any) error {
	r.c.JSON(status, v)
	return nil
}

func (r request) Redirect(status int, to string) error {
	r.c.Redirect(status, to)
	return nil
}

func (r request) File(name string) error {
	r.c.File(name)
	return nil
}

func (r request) Template(t *template.Template, v any) error {
	r.c.Header("Content-Type", "text/html; charset=utf-8")
	return t.Execute(r.c.Writer, v)
}

func (r request) Raw(body string) error {
	_, err := io.WriteString(r.c.Writer, body)
	return err
}

func (r request) Stream(contentType string, f func(w io.Writer, flush func() error) error) error {
	r.c.Header("Content-Type", contentType)
	var err error
	r.c.Stream(func(w io.Writer) bool {
		err = f(w, func() error {
			r.c.Writer.Flush()
			return nil
		})
		return false
	})
	return err
}

func (r request) Hijack(f func(net.Conn)) error {
	if r.c.Writer.Status() == http.StatusSwitchingProtocols {
		r.c.Writer.WriteHeaderNow() // as WebSocket libraries for Gin do
	}
	conn, _, err := r.c.Writer.Hijack()
	if err != nil {
		return err
	}
	f(conn)
	return conn.Close()
}

func (r request) EarlyHints(link string) error {
	r.c.Header("Link", link)
	r.c.Status(http.StatusEarlyHints)
	r.c.Writer.WriteHeaderNow()
	return nil
}
