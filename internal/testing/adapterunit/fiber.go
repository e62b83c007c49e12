package adapterunit

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// Fiber is a version of Fiber, with its adapter.
type Fiber[C FiberCtx[C]] struct {
	Framework[C, func(C) error]

	// The adapter's functions.
	HandlerError func(C) error
	HeaderLines  func(head []byte, name string) []string
	Exchange     func(C) core.Exchange

	// New returns an app that answers GET / with handlers, and Ctx what they get for
	// a request that was made of this header, not parsed.
	New func(c FiberConfig[C], handlers ...func(C) error) FiberApp
	Ctx func(t *testing.T, header ...[2]string) C

	// What handlers do.
	AddHeader func(c C, name, value string)
	Stream    func(c C, write func(*bufio.Writer))
	Hijack    func(c C, with func(net.Conn))
	Timeout   func(c C, status int) // with the body "too slow"

	// What there is to see.
	SetCookies func(C) []string
	Status     func(C) int
	ErrorCode  func(error) int // of Fiber's kind of error, else 0
}

// FiberCtx is what a handler's argument can do in each version.
type FiberCtx[C any] interface {
	Next() error
	Status(status int) C
	SendString(body string) error
	Cookies(name string, or ...string) string
}

// FiberConfig is what the tests choose.
type FiberConfig[C any] struct {
	ErrorHandler   func(C, error) error
	ReadBufferSize int
}

// FiberApp is an app in any version.
type FiberApp struct {
	Test     func(*http.Request) (*http.Response, error)
	Listener func(net.Listener) error
	Shutdown func(timeout time.Duration) error
}

// Request answers one request.
func (a FiberApp) Request(tb testing.TB, path, cookie string) Reply {
	tb.Helper()
	res, err := a.Test(request(tb, path, cookie))
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return Reply{res.StatusCode, res.Header, string(body)}
}

// OverTCP returns everything that the server answers on one connection.
func (a FiberApp) OverTCP(t *testing.T, request string) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- a.Listener(ln) }()
	t.Cleanup(func() {
		_ = a.Shutdown(time.Second)
		_ = ln.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // read to its end
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// Run runs the tests that no promise names.
func (f Fiber[C]) Run(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"HeaderLines", f.testHeaderLines},
		{"HeaderLinesAfterCookies", f.testHeaderLinesAfterCookies},
		{"ReplaceSetCookies", f.testReplaceSetCookies},
		{"ResponseHeader", f.testResponseHeader},
		{"ResetKeepsOuter", f.testResetKeepsOuter},
		{"ErrorsOfErrorHandlers", f.testErrorsOfErrorHandlers},
		{"ErrorIsAnsweredOnce", f.testErrorIsAnsweredOnce},
		{"PreforkWithAStoreInMemory", f.testPreforkWithAStoreInMemory},
		{"Hijack", f.testHijack},
		{"SessionOfReleasedCtx", f.testSessionOfReleasedCtx},
	} {
		t.Run(test.name, test.run)
	}
}
