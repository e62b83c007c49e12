package ginadapter

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// writer is an Exchange that is a [gin.ResponseWriter]. Gin only records the
// status in WriteHeader. The response begins with one of the other methods,
// which therefore commit. After the chain, Gin writes to the real writer.
type writer struct {
	httpadapter.Exchange
	c       *gin.Context
	onError func(*gin.Context, error)
	asked   bool // for a Pusher
}

var (
	_ gin.ResponseWriter        = (*writer)(nil)
	_ httpadapter.ErrorAnswerer = (*writer)(nil)
)

// real returns Gin's writer.
func (w *writer) real() gin.ResponseWriter { return w.Unwrap().(gin.ResponseWriter) }

// again runs the handlers of a request that already has its session. Gin's
// HandleContext has restored its own writer, which middleware outside may have wrapped
// once more, and sends the response when these handlers return.
func again(c *gin.Context, slot *core.Slot) {
	w, ok := slot.Exchange().(*writer)
	if !ok || w.c != c || w.around(c.Writer) {
		c.Next()
		return
	}
	w.SetWriter(c.Writer)
	c.Writer = w
	c.Next()
	w.Finish(w.final())
}

// around reports whether outer is w or passes on to it. Pusher, which has no effect,
// shows that: wrappers seldom have one of their own.
func (w *writer) around(outer gin.ResponseWriter) bool {
	w.asked = false
	_ = outer.Pusher()
	return w.asked
}

// AnswerError implements [httpadapter.ErrorAnswerer]. It answers through the
// real writer, then restores ours, which refuses anything the handler still writes.
func (w *writer) AnswerError(err error) {
	outer := w.c.Writer
	w.c.Writer = w.real()
	w.real().WriteHeader(http.StatusOK) // not what the handler has recorded
	w.onError(w.c, err)
	w.real().WriteHeaderNow() // from here on nothing can change it
	w.c.Writer = outer
}

// close is for defer: even after a panic, it restores the real writer, unless
// middleware inside has left its own in place.
func (w *writer) close() {
	if w.c.Writer == gin.ResponseWriter(w) {
		w.c.Writer = w.real()
	}
	w.Close()
}

// begin starts the Exchange's response with the status that Gin has recorded.
// Afterwards it records the status again, which changes nothing.
func (w *writer) begin() { w.Exchange.WriteHeader(w.real().Status()) }

// final is the status of a response that the handlers have not begun. If they have
// recorded none, a pending error's is recorded; middleware outside may still render it.
// One that they have recorded is their answer: a redirect after a form writes no body.
func (w *writer) final() int {
	pending := w.c.Errors.Last()
	if pending == nil || w.Started() || w.real().Status() != http.StatusOK {
		return w.real().Status()
	}
	status := core.ErrorResponseFor(pending).Status
	w.real().WriteHeader(status)
	return status
}

// WriteHeader implements [http.ResponseWriter]: it records the status.
func (w *writer) WriteHeader(status int) {
	if _, held := w.Held(); !held {
		w.real().WriteHeader(status)
	}
}

// WriteHeaderNow implements [gin.ResponseWriter].
func (w *writer) WriteHeaderNow() {
	if status := w.real().Status(); status < 200 && status != http.StatusSwitchingProtocols && !w.Started() {
		w.inform(status)
		return
	}
	w.begin()
	if _, held := w.Held(); !held && !w.Refused() {
		w.real().WriteHeaderNow()
	}
}

// inform sends an informational header (1xx) past Gin, which would take it for
// the response.
func (w *writer) inform(status int) {
	if inner, ok := w.real().(interface{ Unwrap() http.ResponseWriter }); ok {
		inner.Unwrap().WriteHeader(status)
	}
	w.real().WriteHeader(http.StatusOK)
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

// Hijack implements [http.Hijacker]. A recorded 101 was sent by WriteHeaderNow,
// or will not be sent at all.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.Exchange.Hijack() }

// Pusher implements [gin.ResponseWriter].
func (w *writer) Pusher() http.Pusher {
	w.asked = true
	return w.real().Pusher()
}

// Status implements [gin.ResponseWriter].
func (w *writer) Status() int { return w.real().Status() }

// Written implements [gin.ResponseWriter]. A body that is held back counts.
func (w *writer) Written() bool {
	_, held := w.Held()
	return held || w.real().Written()
}

// Size implements [gin.ResponseWriter]. A body that is held back counts.
func (w *writer) Size() int {
	if n, held := w.Held(); held {
		return n
	}
	return w.real().Size()
}
