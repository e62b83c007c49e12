package ginadapter

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// writer is an Exchange that is a [gin.ResponseWriter]. Gin only records the
// status in WriteHeader; the response begins with one of the other methods, and with it
// the commit. What Gin writes after the chain, it writes to the real writer.
type writer struct {
	httpadapter.Exchange
	ctx     writerContext
	m       *core.Manager
	c       *gin.Context
	real    gin.ResponseWriter
	onError func(*gin.Context, error)
}

var (
	_ gin.ResponseWriter        = (*writer)(nil)
	_ httpadapter.ErrorAnswerer = (*writer)(nil)
)

// writerContext leads from a request's context to its writer.
type writerContext struct {
	context.Context
	w *writer
}

type writerKey struct{ m *core.Manager }

// Value implements [context.Context].
func (c *writerContext) Value(key any) any {
	if k, ok := key.(writerKey); ok && k.m == c.w.m {
		return c.w
	}
	return c.Context.Value(key)
}

// context is the session's context, with w in it.
func (w *writer) context() context.Context {
	w.ctx = writerContext{w.Session().Context(), w}
	return &w.ctx
}

// again runs the handlers of a request that has its session already. Gin's
// HandleContext has put its own writer back, and sends the response when these
// handlers return.
func again(c *gin.Context, m *core.Manager) {
	w, ok := c.Request.Context().Value(writerKey{m}).(*writer)
	if !ok || w.c != c || c.Writer != w.real {
		c.Next()
		return
	}
	c.Writer = w
	c.Next()
	w.Finish(w.final())
}

// AnswerError implements [httpadapter.ErrorAnswerer]. The answer goes through
// the real writer; afterwards ours is back and refuses what the handler still writes.
func (w *writer) AnswerError(err error) {
	outer := w.c.Writer
	w.c.Writer = w.real
	w.real.WriteHeader(http.StatusOK) // not what the handler has recorded
	w.onError(w.c, err)
	w.real.WriteHeaderNow() // nothing can be changed from here on
	w.c.Writer = outer
}

// close is for defer: it puts the real writer back, also after a panic.
func (w *writer) close() {
	w.c.Writer = w.real
	w.Close()
}

// begin starts the response, for the Exchange, with the status that Gin has
// recorded.
func (w *writer) begin() {
	if !w.Started() {
		w.Exchange.WriteHeader(w.real.Status())
	}
}

// final is the status of a response that the handlers have not begun. Errors
// that wait for middleware outside to render them are going to be a server error.
func (w *writer) final() int {
	if len(w.c.Errors) > 0 {
		return http.StatusInternalServerError
	}
	return w.real.Status()
}

// WriteHeader implements [http.ResponseWriter]: it records the status.
func (w *writer) WriteHeader(status int) {
	if !w.Started() {
		w.real.WriteHeader(status)
	}
}

// WriteHeaderNow implements [gin.ResponseWriter].
func (w *writer) WriteHeaderNow() {
	if status := w.real.Status(); status < 200 && status != http.StatusSwitchingProtocols && !w.Started() {
		w.inform(status)
		return
	}
	w.begin()
	if _, held := w.Held(); !held && !w.Refused() {
		w.real.WriteHeaderNow()
	}
}

// inform sends an informational header (1xx) around Gin, which would take it
// for the response.
func (w *writer) inform(status int) {
	if inner, ok := w.real.(interface{ Unwrap() http.ResponseWriter }); ok {
		inner.Unwrap().WriteHeader(status)
	}
	w.real.WriteHeader(http.StatusOK)
}

// Write implements [http.ResponseWriter].
func (w *writer) Write(b []byte) (int, error) {
	w.begin()
	return w.Exchange.Write(b)
}

// WriteString implements [gin.ResponseWriter].
func (w *writer) WriteString(s string) (int, error) {
	w.begin()
	return w.Exchange.WriteString(s)
}

// ReadFrom implements [io.ReaderFrom].
func (w *writer) ReadFrom(src io.Reader) (int64, error) {
	w.begin()
	return w.Exchange.ReadFrom(src)
}

// Flush implements [http.Flusher].
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError is Flush for [http.ResponseController].
func (w *writer) FlushError() error {
	w.begin()
	return w.Exchange.FlushError()
}

// Hijack implements [http.Hijacker]. A recorded 101 has been sent by
// WriteHeaderNow, or will not be sent at all.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.Exchange.Hijack() }

// Pusher implements [gin.ResponseWriter].
func (w *writer) Pusher() http.Pusher { return w.real.Pusher() }

// Status implements [gin.ResponseWriter].
func (w *writer) Status() int { return w.real.Status() }

// Written implements [gin.ResponseWriter]: body that is held back counts.
func (w *writer) Written() bool {
	_, held := w.Held()
	return held || w.real.Written()
}

// Size implements [gin.ResponseWriter]: body that is held back counts.
func (w *writer) Size() int {
	if n, held := w.Held(); held {
		return n
	}
	return w.real.Size()
}
