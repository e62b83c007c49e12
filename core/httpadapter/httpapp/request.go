package httpapp

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// request is a handler's view of a request. Each method is what a net/http
// handler would ordinarily write.
type request struct {
	w        http.ResponseWriter
	r        *http.Request
	answered bool
}

var _ adaptertest.Request = (*request)(nil)

// statusError is how a handler fails with a status of its own.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

func (q *request) Session() *core.Session            { return httpadapter.Session(q.r) }
func (q *request) TrySession() (*core.Session, bool) { return httpadapter.TrySession(q.r) }
func (q *request) SessionOf(m *core.Manager) *core.Session {
	return httpadapter.SessionOf(q.r, m)
}

func (q *request) Context() context.Context { return q.r.Context() }
func (q *request) Method() string           { return q.r.Method }

func (q *request) Param(name string) string {
	if v := q.r.URL.Query().Get(name); v != "" {
		return v
	}
	return q.r.PostFormValue(name)
}

func (q *request) RequestHeader(name string) string    { return q.r.Header.Get(name) }
func (q *request) SetHeader(name, value string)        { q.w.Header().Set(name, value) }
func (q *request) ResponseHeader(name string) []string { return q.w.Header().Values(name) }

func (q *request) SetCookie(name, value string) {
	http.SetCookie(q.w, &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (q *request) Status(status int) error {
	q.answered = true
	q.w.WriteHeader(status)
	return nil
}

func (q *request) Text(status int, body string) error {
	q.answered = true
	q.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	q.w.WriteHeader(status)
	_, err := io.WriteString(q.w, body)
	return err
}

func (q *request) JSON(status int, v any) error {
	q.answered = true
	q.w.Header().Set("Content-Type", "application/json")
	q.w.WriteHeader(status)
	return json.NewEncoder(q.w).Encode(v)
}

func (q *request) Redirect(status int, to string) error {
	q.answered = true
	http.Redirect(q.w, q.r, to, status)
	return nil
}

func (q *request) Fail(status int) error { return statusError(status) }

func (q *request) Template(t *template.Template, v any) error {
	q.answered = true
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return t.Execute(q.w, v)
}

func (q *request) Raw(body string) error {
	q.answered = true
	_, err := q.w.Write([]byte(body))
	return err
}

func (q *request) File(name string) error {
	q.answered = true
	http.ServeFile(q.w, q.r, name)
	return nil
}

func (q *request) Stream(contentType string, f func(w io.Writer, flush func() error) error) error {
	q.answered = true
	q.w.Header().Set("Content-Type", contentType)
	return f(q.w, http.NewResponseController(q.w).Flush)
}

func (q *request) Hijack(f func(net.Conn)) error {
	q.answered = true
	conn, _, err := http.NewResponseController(q.w).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the client has what f wrote, or has gone
	f(conn)
	return nil
}

func (q *request) EarlyHints(link string) error {
	q.w.Header().Set("Link", link)
	q.w.WriteHeader(http.StatusEarlyHints)
	return nil
}
