package httpadapter

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// Exchange is one request and its response. It is the [core.Exchange] of every
// framework on net/http, and the [http.ResponseWriter] to pass to the handlers
// inside the middleware. It commits the session before the first byte of the
// response. Everything else that the real ResponseWriter can do stays available.
//
// Adapters embed it in an exchange of their own, an [ErrorAnswerer]. Call Load before
// anything else. An Exchange is small: most requests need nothing more.
type Exchange struct {
	slot   core.Slot
	w      http.ResponseWriter
	r      *http.Request
	rare   *rare
	status int32 // with which the response has begun
	state  state
	over   bool // Finish or Close was called
}

// rare is what few requests need.
type rare struct {
	outer http.Header // the response's header before the handler; nil if it was empty
	hold  int         // how many bytes of body may be held back
	held  []byte      // body waiting for the commit
	err   error       // why writes are refused
	after
}

// more returns x.rare for writing.
func (x *Exchange) more() *rare {
	if x.rare == nil {
		x.rare = new(rare)
	}
	return x.rare
}

type state uint8

const (
	open    state = iota // nothing committed, nothing sent
	holding              // the body waits: a template may still read flashes
	started              // committed: writes go through
	refused              // the commit failed and the error was answered
)

// ErrorAnswerer is an adapter's own exchange, with an Exchange in it. AnswerError lets
// the framework answer an error of the session, through the real writer.
type ErrorAnswerer interface {
	core.Exchange
	AnswerError(err error)
}

// Sender is an [ErrorAnswerer] whose framework lets handlers answer past the
// Exchange. Sent returns the status of a response that has begun so: no cookie can be set.
type Sender interface{ Sent() (status int, ok bool) }

// Load loads m's session for r. Afterwards, pass x on in place of w, with a request whose
// context is x.SessionContext(). outer is the exchange that x is in, which answers when a
// later commit fails; the caller answers an error of Load itself, with x.Refuse.
func (x *Exchange) Load(m *core.Manager, w http.ResponseWriter, r *http.Request, outer ErrorAnswerer) error {
	x.w, x.r = w, r
	if h := w.Header(); len(h) > 0 {
		x.more().outer = h.Clone()
	}
	return x.slot.Load(m, outer)
}

// SessionContext returns the request's context with the session in it.
func (x *Exchange) SessionContext() context.Context { return &x.slot }

// Session returns the request's session. It does not count as the handler's use.
func (x *Exchange) Session() *core.Session { return x.slot.Session() }

// outer returns the exchange that x is in.
func (x *Exchange) outer() ErrorAnswerer { return x.slot.Exchange().(ErrorAnswerer) }

// Request returns the request that was passed to Load.
func (x *Exchange) Request() *http.Request { return x.r }

// Refuse answers err and lets nothing else through.
func (x *Exchange) Refuse(err error) {
	x.state = refused
	x.more().err = err
	x.rare.held = nil
	x.outer().AnswerError(err)
}

// Started reports whether, as the handler sees it, the response has begun.
func (x *Exchange) Started() bool { return x.state != open }

// Status returns the status with which, as the handler sees it, the response has begun.
func (x *Exchange) Status() int { return int(x.status) }

// Held returns how many bytes of body wait for the commit. ok is true while the
// response has begun for the handler but not for the client.
func (x *Exchange) Held() (n int, ok bool) {
	if x.state != holding {
		return 0, false
	}
	return len(x.rare.held), true
}

// Refused reports whether an error of the session was answered in place of the
// handler's response.
func (x *Exchange) Refused() bool { return x.state == refused }

// commit stores the session before a response with this status. It reports
// whether the response may be sent.
func (x *Exchange) commit(status int) bool {
	switch x.state {
	case started:
		if x.over {
			x.carryOver()
		}
		return true
	case refused:
		return false
	}
	if err := x.slot.Commit(x.outcome(status)); err != nil {
		x.Refuse(err)
		return false
	}
	x.state, x.status = started, int32(status)
	return true
}

// outcome returns the status for a commit of a response with this status. A response
// that has begun past us takes no cookie, but an error of it still rolls back.
func (x *Exchange) outcome(status int) int {
	if s, ok := x.slot.Exchange().(Sender); ok {
		if sent, ok := s.Sent(); ok && sent < 500 {
			return core.StatusHijacked
		} else if ok {
			return -sent
		}
	}
	return status
}

// release commits and sends the body that was held back.
func (x *Exchange) release() error {
	if x.state != holding {
		return nil
	}
	if !x.commit(x.Status()) {
		return x.refusal()
	}
	x.w.WriteHeader(x.Status())
	held := x.rare.held
	x.rare.held = nil
	if len(held) == 0 {
		return nil
	}
	_, err := x.w.Write(held)
	return err
}

func (x *Exchange) refusal() error {
	return errors.Join(errors.New("httpadapter: the response was replaced by an error: the session could not be committed"), x.rare.err)
}

// Finish commits, unless the handler already did by writing, and ends the
// request. status is what the framework sends if nothing was written. x stays
// usable as a writer, for middleware inside that leaves its own around x.
func (x *Exchange) Finish(status int) {
	if x.state == holding {
		_ = x.release() // no one is left to report it to
	} else {
		x.commit(status)
	}
	x.carryOver()
	x.over = true
	x.slot.Finish()
}

// Close is for defer: after a handler panicked, it rolls the session's changes
// back, and lets through what answers the panic. After Finish it does nothing.
func (x *Exchange) Close() {
	if x.rare != nil {
		x.rare.held = nil
	}
	x.slot.Abort()
	if x.state != refused {
		x.state = started
	}
	x.over = true
}

// carryOver makes the changes that handlers have made in what they saw of the header.
func (x *Exchange) carryOver() {
	if x.rare != nil {
		x.rare.carryOver(x.w)
	}
}

// Header implements [http.ResponseWriter]. Once the response has begun, the result lacks
// the session's token.
func (x *Exchange) Header() http.Header {
	if x.state == refused {
		return http.Header{} // the handler may not change the error response
	}
	if x.state == started && x.rare != nil && x.rare.hides() {
		return x.rare.header(x.w.Header())
	}
	return x.w.Header()
}

// WriteHeader implements [http.ResponseWriter]. Informational headers (1xx) are
// sent and commit nothing; 101 is the response and commits.
func (x *Exchange) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols { // below 100, the real writer knows what to do
		x.w.WriteHeader(status)
		return
	}
	switch x.state {
	case open:
		if x.holds(status) {
			return
		}
	case holding: // a second WriteHeader has no effect
		return
	}
	if x.commit(status) {
		x.w.WriteHeader(status)
	}
}

// holds reports whether the body of a response with this status waits for the commit.
func (x *Exchange) holds(status int) bool {
	hold := x.slot.HoldBody(status)
	if hold == 0 {
		return false
	}
	x.more().hold = hold
	x.state, x.status = holding, int32(status)
	return true
}

// ready commits for the first byte. wait reports whether to hold the body back.
func (x *Exchange) ready() (wait bool, err error) {
	if x.state == open {
		x.holds(http.StatusOK)
	}
	if x.state == holding {
		return true, nil
	}
	if !x.commit(http.StatusOK) {
		return false, x.refusal()
	}
	return false, nil
}

// Write implements [http.ResponseWriter].
func (x *Exchange) Write(b []byte) (int, error) {
	wait, err := x.ready()
	if err != nil {
		return 0, err
	}
	if wait {
		if len(x.rare.held)+len(b) <= x.rare.hold {
			x.rare.held = append(x.rare.held, b...)
			return len(b), nil
		}
		if err := x.release(); err != nil {
			return 0, err
		}
	}
	return x.w.Write(b)
}

// WriteString implements [io.StringWriter].
func (x *Exchange) WriteString(s string) (int, error) {
	if wait, err := x.ready(); err != nil {
		return 0, err
	} else if wait {
		return x.Write([]byte(s))
	}
	return io.WriteString(x.w, s)
}

// ReadFrom implements [io.ReaderFrom], so that the kernel still sends files.
func (x *Exchange) ReadFrom(src io.Reader) (int64, error) {
	wait, err := x.ready()
	if err != nil {
		return 0, err
	}
	if wait {
		return io.Copy(struct{ io.Writer }{x}, src)
	}
	return io.Copy(x.w, src)
}

// Unwrap returns the real writer, so that [http.ResponseController] can set
// deadlines and the like.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.w }

// SetWriter replaces the real writer that Load was given. It is for a framework that
// handles a request again, through other middleware outside.
func (x *Exchange) SetWriter(w http.ResponseWriter) { x.w = w }

// Method implements [core.Exchange].
func (x *Exchange) Method() string { return x.r.Method }

// RequestPath implements [core.Exchange].
func (x *Exchange) RequestPath() string { return x.r.URL.Path }

// Secure implements [core.Exchange].
func (x *Exchange) Secure() bool { return x.r.TLS != nil }

// RemoteIP implements [core.Exchange].
func (x *Exchange) RemoteIP() string {
	host, _, err := net.SplitHostPort(x.r.RemoteAddr)
	if err != nil {
		return x.r.RemoteAddr
	}
	return host
}

// RequestHeader implements [core.Exchange].
func (x *Exchange) RequestHeader(name string) string { return x.r.Header.Get(name) }

// RequestHeaderLines implements [core.Exchange].
func (x *Exchange) RequestHeaderLines(name string) []string { return x.r.Header.Values(name) }

// ResponseHeader implements [core.Exchange].
func (x *Exchange) ResponseHeader(name string) string {
	return strings.Join(x.w.Header().Values(name), ", ")
}

// SetResponseHeader implements [core.Exchange].
func (x *Exchange) SetResponseHeader(name, value string) {
	x.w.Header().Set(name, value)
	if x.slot.Carrier().Answers(name) {
		x.more().hidden = append(x.more().hidden, name)
	}
}

// ReplaceSetCookies implements [core.Exchange].
func (x *Exchange) ReplaceSetCookies(lines []string, ours func(line string) bool) (matched int) {
	h := x.w.Header()
	all := h["Set-Cookie"]
	for _, line := range all {
		if ours(line) {
			matched++
		}
	}
	if len(lines) == 0 {
		return matched
	}
	x.more().ours = ours
	if matched > 0 {
		all = slices.DeleteFunc(slices.Clone(all), ours)
	}
	h["Set-Cookie"] = append(slices.Clip(all), lines...) // a slice of our own
	return matched
}

// ResetResponse implements [core.Exchange]: it restores the header from before
// the handler and drops the body that was held back.
func (x *Exchange) ResetResponse() {
	h := x.w.Header()
	clear(h)
	if x.rare != nil {
		maps.Copy(h, x.rare.outer)
		x.rare.held = nil
	}
}

// WriteErrorResponse answers err with the response of [core.ErrorResponseFor].
func WriteErrorResponse(w http.ResponseWriter, err error) {
	r := core.ErrorResponseFor(err)
	w.Header().Set("Content-Type", r.ContentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(r.Status)
	_, _ = io.WriteString(w, r.Body) // the client may have gone
}
