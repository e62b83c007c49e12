package adapterunit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
)

func (f Fiber[C]) testHeaderLines(t *testing.T) {
	t.Helper()
	for _, c := range []struct {
		name, head string
		want       []string
	}{
		{"none", "X-Cookie: a=1\r\nCookies: b=2\r\n", nil},
		{"one", "Cookie: a=1; b=2\r\n", []string{"a=1; b=2"}},
		{"two lines, any case", "cookie: a=1\r\nX-Between: x\r\nCOOKIE: b=2\r\n", []string{"a=1", "b=2"}},
		{"original bytes", "Cookie:  s=\"q\"; s =x\\y\t \r\n", []string{`s="q"; s =x\y`}},
		{"folded", "Cookie: a=1;\r\n  b=2\r\nX-Other: y\r\n z\r\n", []string{"a=1; b=2"}},
		{"empty", "Cookie:\r\n", []string{""}},
		{"a look-alike name", "Coo\u212aie: a=1\r\n", nil}, // strings.EqualFold treats the Kelvin sign as a k
		{"no colon", "Cookie\r\n", nil},
		{"no carriage returns", "Cookie: a=1\nCookie: b=2\n", []string{"a=1", "b=2"}},
	} {
		if got := f.HeaderLines([]byte(c.head+"\r\n"), "Cookie"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	head := "AUTHORIZATION: Bearer a\r\nCookie: a=1\r\n b=2\r\nx-two: 1\r\nauthorization:Basic\r\n\tb \r\nX-Two: 2, 3\r\n\r\n"
	for name, want := range map[string][]string{
		"Authorization": {"Bearer a", "Basic b"}, "X-TWO": {"1", "2, 3"}, "X-Absent": nil, "": nil,
	} {
		if got := f.HeaderLines([]byte(head), name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A call of c.Cookies makes fasthttp rewrite the header. The session still comes
// from the original.
func (f Fiber[C]) testHeaderLinesAfterCookies(t *testing.T) {
	t.Helper()
	var raw []string
	f.Serve(t, func(c C) error {
		_ = c.Cookies("s")
		raw = f.Exchange(c).RequestHeaderLines("Cookie")
		return nil
	}, `s="q"; s =x`)
	if want := []string{`s="q"; s =x`}; !slices.Equal(raw, want) {
		t.Errorf("parsed request: %q, want %q", raw, want)
	}
	// A request that was built, not parsed, has no raw header.
	made := f.Exchange(f.Ctx(t, [2]string{"Cookie", "a=1"}, [2]string{"Cookie", "b=2"}, [2]string{"X-Two", "1"}, [2]string{"X-Two", "2"}))
	if got := strings.Join(made.RequestHeaderLines("Cookie"), "; "); got != "a=1; b=2" {
		t.Errorf("made request: %q", got)
	}
	if got := made.RequestHeaderLines("x-two"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("made request: X-Two %q", got)
	}
}

func (f Fiber[C]) testReplaceSetCookies(t *testing.T) {
	t.Helper()
	c := f.Ctx(t)
	x := f.Exchange(c)
	f.AddHeader(c, "Set-Cookie", "mine=1")
	ours := func(line string) bool { return strings.HasPrefix(line, "s=") }
	for _, step := range []struct {
		lines   []string
		matched int
		want    []string
	}{
		{nil, 0, nil},
		{[]string{"s=one; Path=/"}, 0, []string{"s=one; Path=/"}},
		{nil, 1, []string{"s=one; Path=/"}},
		{[]string{"s=two; Path=/", "s=2; Path=/"}, 1, []string{"s=two; Path=/", "s=2; Path=/"}},
	} {
		matched := x.ReplaceSetCookies(step.lines, ours)
		got := f.SetCookies(c)
		if want := append([]string{"mine=1"}, step.want...); matched != step.matched || !slices.Equal(got, want) {
			t.Errorf("%d matched, cookies are %q, want %d, %q", matched, got, step.matched, want)
		}
	}
}

// All lines of a header count, and one replaces them.
func (f Fiber[C]) testResponseHeader(t *testing.T) {
	t.Helper()
	c := f.Ctx(t)
	x := f.Exchange(c)
	f.AddHeader(c, "Vary", "Origin")
	f.AddHeader(c, "Vary", "Accept")
	if got := x.ResponseHeader("Vary"); got != "Origin, Accept" {
		t.Errorf("Vary is %q", got)
	}
	x.SetResponseHeader("Vary", "Cookie")
	if got := x.ResponseHeader("Vary"); got != "Cookie" {
		t.Errorf("Vary is %q", got)
	}
}

// After a failed commit the response is as it was before the handler, including
// cookies.
func (f Fiber[C]) testResetKeepsOuter(t *testing.T) {
	t.Helper()
	m, s := ServerSide(t, core.Config{})
	s.Down.Store(true)
	r := f.Serve(t, func(c C) error {
		f.Session(c).Set("k", "v")
		f.AddHeader(c, "Set-Cookie", "inner=1")
		f.Stream(c, func(w *bufio.Writer) { _, _ = w.WriteString("stream") })
		return nil
	}, "", func(c C) error {
		f.AddHeader(c, "Set-Cookie", "outer=1")
		f.AddHeader(c, "X-Outer", "a")
		f.AddHeader(c, "X-Outer", "b")
		return c.Next()
	}, f.Middleware(m))
	r.Wants(t, 503, "Service Unavailable\n")
	r.WantsHeader(t, "Set-Cookie", "outer=1")
	r.WantsHeader(t, "X-Outer", "a", "b")
}

// The application's error handler handles an error that OnError returns. If the
// handler returns an error too, the response is a plain 500.
func (f Fiber[C]) testErrorsOfErrorHandlers(t *testing.T) {
	t.Helper()
	m, s := ServerSide(t, core.Config{})
	for _, broken := range []bool{false, true} {
		app := f.New(FiberConfig[C]{ErrorHandler: func(c C, err error) error {
			if broken {
				return err
			}
			return c.Status(507).SendString(err.Error())
		}}, f.OnError(m, func(C, error) error { return errors.New("mine") }), func(c C) error {
			f.Session(c).Set("k", "v")
			return nil
		})
		s.Down.Store(true)
		r := app.Request(t, "/", "")
		if broken {
			r.Wants(t, 500, "Internal Server Error")
		} else {
			r.Wants(t, 507, "mine")
		}
		r.WantsHeader(t, "Set-Cookie")
	}
}

// The error handler runs once, and gets the error of the core with its status.
// Middleware outside gets no error, but knows it.
func (f Fiber[C]) testErrorIsAnsweredOnce(t *testing.T) {
	t.Helper()
	m, _ := ServerSide(t, core.Config{Strict: true})
	calls := 0
	app := f.New(FiberConfig[C]{ErrorHandler: func(c C, err error) error {
		calls++
		if f.ErrorCode(err) != 503 || !errors.Is(err, core.ErrConflict) {
			t.Errorf("the error handler gets %v", err)
		}
		f.Session(c).Set("error", "yes")
		return c.Status(402).SendString("pay")
	}}, func(c C) error {
		err := c.Next()
		if status := f.Status(c); err != nil || status != 402 || !errors.Is(f.HandlerError(c), core.ErrConflict) {
			t.Errorf("outside: error %v, status %d, HandlerError %v", err, status, f.HandlerError(c))
		}
		return err
	}, f.Middleware(m), func(C) error { return fmt.Errorf("handler: %w", core.ErrConflict) })
	app.Request(t, "/", "").Wants(t, 402, "pay")
	if calls != 1 {
		t.Errorf("%d calls of the error handler", calls)
	}
}

// The processes of Prefork do not share sessions in memory, but share the connections.
func (f Fiber[C]) testPreforkWithAStoreInMemory(t *testing.T) {
	t.Helper()
	for child, want := range map[string]int{"": 0, "1": 1} {
		t.Setenv("FIBER_PREFORK_CHILD", child)
		var memory, cookies Events
		m, _ := ServerSide(t, core.Config{Observer: memory.Observe})
		f.Middleware(m)
		f.Middleware(ClientSide(t, core.Config{Observer: cookies.Observe}))
		if a, b := memory.Count(core.EventMisconfigured), cookies.Count(core.EventMisconfigured); a != want || b != 0 {
			t.Errorf("child %q: %d events about sessions in memory, want %d, and %d about those in cookies", child, a, want, b)
		}
	}
}

// A hijacked connection gets a session cookie only with a 101. A session that
// was already stored is saved in either case.
func (f Fiber[C]) testHijack(t *testing.T) {
	t.Helper()
	for _, status := range []int{101, 200} {
		m, _ := ServerSide(t, core.Config{})
		app := f.New(FiberConfig[C]{}, f.Middleware(m), func(c C) error {
			f.Session(c).Set("k", "v")
			c.Status(status)
			f.Hijack(c, func(conn net.Conn) { _, _ = io.WriteString(conn, "hijacked") })
			return nil
		})
		answer := app.OverTCP(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := strings.Contains(answer, "Set-Cookie"); got != (status == 101) || !strings.HasSuffix(answer, "hijacked") {
			t.Errorf("status %d: answer is %q", status, answer)
		}
	}
}

// Fiber takes its Ctx back when the handler returns.
func (f Fiber[C]) testSessionOfReleasedCtx(t *testing.T) {
	t.Helper()
	m, _ := ServerSide(t, core.Config{})
	var kept C
	f.Serve(t, func(c C) error {
		kept = c
		return f.Text(c, 200, "ok")
	}, "", f.Middleware(m)).Wants(t, 200, "ok")
	for name, use := range map[string]func(){
		"Session":      func() { f.Session(kept) },
		"SessionOf":    func() { f.SessionOf(kept, m) },
		"WithSession":  func() { f.WithSession(kept, m.NewSession(t.Context())) },
		"HandlerError": func() { _ = f.HandlerError(kept) },
	} {
		t.Run(name, func(t *testing.T) {
			Names(t, PanicOf(use), f.Name+": the request is over", "before the handler returns")
		})
	}
	if s, ok := f.TrySession(kept); ok {
		t.Errorf("TrySession returned %v", s)
	}
}

// TestF1TimeoutShowsNoFlash checks that a flash stays if its page timed out.
func (f Fiber[C]) TestF1TimeoutShowsNoFlash(t *testing.T) {
	t.Helper()
	m, _ := ServerSide(t, core.Config{})
	cookie := f.Stored(t, m, func(s *core.Session) { s.Flash("info", "hello") })
	read := func(c C) (n int) { return len(f.Session(c).Flashes()) }
	f.Serve(t, func(c C) error {
		read(c)
		f.Timeout(c, 408)
		return nil
	}, cookie, f.Middleware(m)).Wants(t, 408, "too slow")
	f.Serve(t, func(c C) error { return f.Text(c, 200, fmt.Sprint(read(c))) }, cookie, f.Middleware(m)).Wants(t, 200, "1")
}

// TestE2ReadBufferSizeIsCompared checks that the first request tells, once,
// that Fiber refuses what the session's cookies may become.
func (f Fiber[C]) TestE2ReadBufferSizeIsCompared(t *testing.T) {
	t.Helper()
	for size, want := range map[int]int{0: 1, 4096: 1, 16 << 10: 0} {
		told := 0
		m := ClientSide(t, core.Config{Observer: func(_ context.Context, e core.Event) {
			if e.Kind == core.EventLargeCookie {
				told++
				if !strings.Contains(e.Detail, "ReadBufferSize") || !strings.Contains(e.Detail, "4096") {
					t.Errorf("it does not say what to raise: %s", e.Detail)
				}
			}
		}})
		app := f.New(FiberConfig[C]{ReadBufferSize: size}, f.Middleware(m), func(c C) error { return c.SendString("ok") })
		for range 3 {
			app.Request(t, "/", "").Wants(t, 200, "ok")
		}
		if told != want {
			t.Errorf("ReadBufferSize %d: told %d times, want %d", size, told, want)
		}
	}
}
