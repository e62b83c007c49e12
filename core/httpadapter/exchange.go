package httpadapter

import (
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// Exchange is one request and its response: the [core.Exchange] of every
// framework on net/http, and the [http.ResponseWriter] to hand to what comes after
// the middleware. It commits the session before the first byte of the response,
// and everything else that a ResponseWriter can do stays reachable.
//
// The zero Exchange waits for Load. It is one allocation for all that a
// request needs, the session included.
type Exchange struct {
	session core.Session
	m       *core.Manager
	answer  ErrorAnswerer
	w       http.ResponseWriter
	r       *http.Request
	outer   http.Header // what the response had before; nil if nothing

	state  state
	status int    // to be sent once the body is let go
	hold   int    // how many bytes may be held back
	held   []byte // body that waits for the commit
	err    error  // why writes are refused
}

type state uint8

const (
	open    state = iota // nothing committed, nothing sent
	holding              // the body waits, for a template may yet read flashes
	started              // committed: writes go through
	refused              // the commit failed and the error was answered
)

// ErrorAnswerer lets the framework answer an error of the session, through
// the real writer.
type ErrorAnswerer interface{ AnswerError(err error) }

// Load loads m's session for r. Afterwards, hand x on in place of w, together
// with a request that has the context of x.Session().Context(). answer is asked when a commit
// fails later on; an error of Load itself is the caller's to answer, with x.Refuse.
func (x *Exchange) Load(m *core.Manager, w http.ResponseWriter, r *http.Request, answer ErrorAnswerer) error {
	x.m, x.w, x.r, x.answer = m, w, r, answer
	if h := w.Header(); len(h) > 0 {
		x.outer = h.Clone()
	}
	return m.LoadInto(&x.session, x)
}

// Session returns the session that Load has loaded.
func (x *Exchange) Session() *core.Session { return &x.session }

// Request returns the request as Load got it.
func (x *Exchange) Request() *http.Request { return x.r }

// Refuse answers err and lets nothing else through.
func (x *Exchange) Refuse(err error) {
	x.state, x.err = refused, err
	x.held = nil
	x.answer.AnswerError(err)
}

// Started reports whether the response has begun, as far as the handler can tell.
func (x *Exchange) Started() bool { return x.state != open }

// Held returns how many bytes of body wait for the commit. ok is false unless
// the response has begun for the handler but not for the client.
func (x *Exchange) Held() (n int, ok bool) { return len(x.held), x.state == holding }

// Refused reports whether the session's error has been answered in the
// handler's place.
func (x *Exchange) Refused() bool { return x.state == refused }

// commit stores the session before a response with this status, and reports
// whether the response may go on.
func (x *Exchange) commit(status int) bool {
	switch x.state {
	case started:
		return true
	case refused:
		return false
	}
	if err := x.m.Commit(x, &x.session, status); err != nil {
		x.Refuse(err)
		return false
	}
	x.state = started
	return true
}

// release ends the holding back: it commits and sends what has waited.
func (x *Exchange) release() error {
	if x.state != holding {
		return nil
	}
	if !x.commit(x.status) {
		return x.refusal()
	}
	x.w.WriteHeader(x.status)
	held := x.held
	x.held = nil
	if len(held) == 0 {
		return nil
	}
	_, err := x.w.Write(held)
	return err
}

func (x *Exchange) refusal() error {
	return errors.Join(errors.New("httpadapter: the response was replaced by an error: the session could not be committed"), x.err)
}

// Finish commits, if the handler has not caused it by writing, and ends the
// request. status is what the framework will send if nothing was written.
func (x *Exchange) Finish(status int) {
	if x.state == holding {
		_ = x.release() // nobody is left to be told
	} else {
		x.commit(status)
	}
	x.m.Finish(&x.session)
}

// Close is for defer: after a handler that panicked, it rolls the session's changes
// back. After Finish it does nothing.
func (x *Exchange) Close() {
	x.held = nil
	x.m.Abort(x, &x.session)
}

// Header implements [http.ResponseWriter].
func (x *Exchange) Header() http.Header {
	if x.state == refused {
		return http.Header{} // the error response is not the handler's to change
	}
	return x.w.Header()
}

// WriteHeader implements [http.ResponseWriter]. Informational headers (1xx)
// go through and commit nothing; 101 is the response and commits.
func (x *Exchange) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols { // below 100, the real writer knows what to do
		x.w.WriteHeader(status)
		return
	}
	switch x.state {
	case open:
		if x.hold = x.session.HoldBody(status); x.hold > 0 {
			x.state, x.status = holding, status
			return
		}
	case holding: // a second WriteHeader is a mistake without effect
		return
	}
	if x.commit(status) {
		x.w.WriteHeader(status)
	}
}

// ready makes the first byte's commit happen. wait reports that the body is to be held back.
func (x *Exchange) ready() (wait bool, err error) {
	if x.state == open {
		if x.hold = x.session.HoldBody(http.StatusOK); x.hold > 0 {
			x.state, x.status = holding, http.StatusOK
		} else {
			x.commit(http.StatusOK)
		}
	}
	if x.state == refused {
		return false, x.refusal()
	}
	return x.state == holding, nil
}

// Write implements [http.ResponseWriter].
func (x *Exchange) Write(b []byte) (int, error) {
	wait, err := x.ready()
	if err != nil {
		return 0, err
	}
	if wait {
		if len(x.held)+len(b) <= x.hold {
			x.held = append(x.held, b...)
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

// ReadFrom implements [io.ReaderFrom], so that files are still sent by the kernel.
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

// Unwrap gives [http.ResponseController] the real writer, for deadlines and
// whatever else it can do.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.w }

// CookieLines implements [core.Exchange].
func (x *Exchange) CookieLines() []string { return x.r.Header["Cookie"] }

// Method implements [core.Exchange].
func (x *Exchange) Method() string { return x.r.Method }

// RequestPath implements [core.RequestPather].
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

// ResponseHeader implements [core.Exchange].
func (x *Exchange) ResponseHeader(name string) string {
	return strings.Join(x.w.Header().Values(name), ", ")
}

// SetResponseHeader implements [core.Exchange].
func (x *Exchange) SetResponseHeader(name, value string) { x.w.Header().Set(name, value) }

// ReplaceSetCookie implements [core.Exchange].
func (x *Exchange) ReplaceSetCookie(old, line string) {
	h := x.w.Header()
	lines := h["Set-Cookie"]
	if i := slices.Index(lines, old); old != "" && i >= 0 {
		lines = slices.Delete(lines, i, i+1)
	}
	if line != "" {
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		delete(h, "Set-Cookie")
		return
	}
	h["Set-Cookie"] = lines
}

// ResetResponse implements [core.Exchange]: the header is again what it was
// before the handler, and the body that waited is gone.
func (x *Exchange) ResetResponse() {
	h := x.w.Header()
	clear(h)
	maps.Copy(h, x.outer)
	x.held = nil
}

// WriteRefusal answers err as [core.Refuse] says.
func WriteRefusal(w http.ResponseWriter, err error) {
	r := core.Refuse(err)
	w.Header().Set("Content-Type", r.ContentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(r.Status)
	_, _ = io.WriteString(w, r.Body) // the client may be gone
}
