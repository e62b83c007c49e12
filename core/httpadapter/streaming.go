package httpadapter

import (
	"bufio"
	"net"
	"net/http"

	"github.com/satchel-go/satchel/core"
)

// What a ResponseWriter may do beyond writing. Helpers look for these interfaces
// by type assertion, so Exchange has them all. If the real writer lacks one, the
// call fails as it does with [http.ResponseController].
var (
	_ http.Flusher       = (*Exchange)(nil)
	_ http.Hijacker      = (*Exchange)(nil)
	_ http.Pusher        = (*Exchange)(nil)
	_ http.CloseNotifier = (*Exchange)(nil) //nolint:staticcheck // gin's c.Stream still uses it
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

// Hijack implements [http.Hijacker]. It stores the session first. Changes that
// need a cookie are too late, unless the handler sent a 101 through WriteHeader.
func (x *Exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if _, ok := find[http.Hijacker](x.w); !ok {
		return nil, nil, http.ErrNotSupported // nothing is committed: the handler can still answer in another way
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

// find looks for an ability of w or of a writer that w wraps.
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
			<-done // net/http cancels the context when the request ends, if not before
			gone <- true
		}()
	}
	return gone
}
