package httpadapter

import (
	"bufio"
	"net"
	"net/http"

	"github.com/satchel-go/satchel/core"
)

// What a ResponseWriter may do beyond writing. Helpers ask for these by type
// assertion, so they are all there; what the real writer cannot do fails as [http.ResponseController]
// says.
var (
	_ http.Flusher       = (*Exchange)(nil)
	_ http.Hijacker      = (*Exchange)(nil)
	_ http.Pusher        = (*Exchange)(nil)
	_ http.CloseNotifier = (*Exchange)(nil) //nolint:staticcheck // gin's c.Stream still asks for it
)

// Flush implements [http.Flusher]: it commits, like the first byte.
func (x *Exchange) Flush() { _ = x.FlushError() }

// FlushError is Flush for [http.ResponseController].
func (x *Exchange) FlushError() error {
	if x.state == holding {
		if err := x.release(); err != nil {
			return err
		}
	}
	if !x.commit(http.StatusOK) {
		return x.refusal()
	}
	return http.NewResponseController(x.w).Flush()
}

// Hijack implements [http.Hijacker]. The session is stored first; what would
// need a cookie comes too late, unless the handler has sent a 101 through WriteHeader.
func (x *Exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if _, ok := find[http.Hijacker](x.w); !ok {
		return nil, nil, http.ErrNotSupported // nothing is committed: the handler answers otherwise
	}
	if x.state == holding {
		if err := x.release(); err != nil {
			return nil, nil, err
		}
	}
	if !x.commit(core.StatusHijacked) {
		return nil, nil, x.refusal()
	}
	return http.NewResponseController(x.w).Hijack()
}

// Push implements [http.Pusher].
func (x *Exchange) Push(target string, opts *http.PushOptions) error {
	if pusher, ok := find[http.Pusher](x.w); ok {
		return pusher.Push(target, opts)
	}
	return http.ErrNotSupported
}

// find looks for an ability of w, or of what it wraps.
func find[T any](w http.ResponseWriter) (T, bool) {
	for {
		if t, ok := w.(T); ok {
			return t, true
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			var none T
			return none, false
		}
		w = inner.Unwrap()
	}
}

// CloseNotify implements the deprecated http.CloseNotifier.
func (x *Exchange) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	done := x.r.Context().Done()
	if done != nil {
		go func() {
			<-done // net/http cancels it at the end of the request at the latest
			gone <- true
		}()
	}
	return gone
}
