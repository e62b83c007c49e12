package fiberadapter

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

func TestHeaderLines(t *testing.T) {
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
		if got := rawLines([]byte(c.head+"\r\n"), "Cookie"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	head := "AUTHORIZATION: Bearer a\r\nCookie: a=1\r\n b=2\r\nx-two: 1\r\nauthorization:Basic\r\n\tb \r\nX-Two: 2, 3\r\n\r\n"
	for name, want := range map[string][]string{
		"Authorization": {"Bearer a", "Basic b"}, "X-TWO": {"1", "2, 3"}, "X-Absent": nil, "": nil,
	} {
		if got := rawLines([]byte(head), name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Proxies write names small, and DisableHeaderNormalizing leaves them so.
func TestF1HeaderNamesInAnyCase(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	app := fiber.New(fiber.Config{DisableHeaderNormalizing: true})
	app.Use(Middleware(m))
	app.Get("/", func(c *fiber.Ctx) error {
		Session(c).Flashes()
		return nil
	})
	for _, name := range []string{"sec-purpose", "Sec-Purpose", "X-SEC-PURPOSE"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header[name] = []string{"prefetch"}
		res, err := app.Test(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close() // only the header matters
		if vary := res.Header.Get("Vary"); vary != "Cookie, Sec-Purpose" {
			t.Errorf("F1: after %s, Vary is %q", name, vary)
		}
	}
}

// A call of c.Cookies makes fasthttp rewrite the header. The session still comes
// from the original.
func TestHeaderLinesAfterCookies(t *testing.T) {
	app := fiber.New()
	var raw, made []string
	app.Get("/", func(c *fiber.Ctx) error {
		_ = c.Cookies("s")
		raw = (&exchange{c: c}).RequestHeaderLines("Cookie")
		return nil
	})
	request(t, app, "/", `s="q"; s =x`)
	if want := []string{`s="q"; s =x`}; !slices.Equal(raw, want) {
		t.Errorf("parsed request: %q, want %q", raw, want)
	}
	// A request that was built, not parsed, has no raw header.
	var made0 fasthttp.RequestCtx
	made0.Request.Header.Add("Cookie", "a=1")
	made0.Request.Header.Add("Cookie", "b=2")
	made0.Request.Header.Add("X-Two", "1")
	made0.Request.Header.Add("X-Two", "2")
	c := app.AcquireCtx(&made0)
	defer app.ReleaseCtx(c)
	made = (&exchange{c: c}).RequestHeaderLines("Cookie")
	if got := strings.Join(made, "; "); got != "a=1; b=2" {
		t.Errorf("made request: %q", made)
	}
	if got := (&exchange{c: c}).RequestHeaderLines("x-two"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("made request: X-Two %q", got)
	}
}

func TestReplaceSetCookies(t *testing.T) {
	app := fiber.New()
	c := app.AcquireCtx(&fasthttp.RequestCtx{})
	defer app.ReleaseCtx(c)
	x := &exchange{c: c, response: c.Response()}
	c.Cookie(&fiber.Cookie{Name: "mine", Value: "1"})
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
		var got []string
		c.Response().Header.VisitAllCookie(func(_, v []byte) { got = append(got, string(v)) }) //nolint:staticcheck // as in ReplaceSetCookies
		if want := append([]string{"mine=1; path=/; SameSite=Lax"}, step.want...); matched != step.matched || !slices.Equal(got, want) {
			t.Errorf("%d matched, cookies are %q, want %d, %q", matched, got, step.matched, want)
		}
	}
}

// All lines of a header count, and one replaces them.
func TestResponseHeader(t *testing.T) {
	app := fiber.New()
	c := app.AcquireCtx(&fasthttp.RequestCtx{})
	defer app.ReleaseCtx(c)
	x := &exchange{c: c, response: c.Response()}
	c.Response().Header.Add("Vary", "Origin")
	c.Response().Header.Add("Vary", "Accept")
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
func TestResetKeepsOuter(t *testing.T) {
	m, s := adapterunit.ServerSide(t, core.Config{})
	s.Down.Store(true)
	r := serve(t, func(c *fiber.Ctx) error {
		Session(c).Set("k", "v")
		c.Cookie(&fiber.Cookie{Name: "inner", Value: "1"})
		c.Context().SetBodyStreamWriter(func(w *bufio.Writer) { _, _ = w.WriteString("stream") })
		return nil
	}, "", func(c *fiber.Ctx) error {
		c.Response().Header.Add("Set-Cookie", "outer=1")
		c.Response().Header.Add("X-Outer", "a")
		c.Response().Header.Add("X-Outer", "b")
		return c.Next()
	}, Middleware(m))
	r.Wants(t, 503, "Service Unavailable\n")
	r.WantsHeader(t, "Set-Cookie", "outer=1")
	r.WantsHeader(t, "X-Outer", "a", "b")
}

// The application's error handler handles an error that OnError returns. If the
// handler returns an error too, the response is a plain 500.
func TestErrorsOfErrorHandlers(t *testing.T) {
	m, s := adapterunit.ServerSide(t, core.Config{})
	for _, broken := range []bool{false, true} {
		app := fiber.New(fiber.Config{ErrorHandler: func(c *fiber.Ctx, err error) error {
			if broken {
				return err
			}
			return c.Status(507).SendString(err.Error())
		}})
		app.Get("/", Middleware(m, OnError(func(*fiber.Ctx, error) error { return errors.New("mine") })), func(c *fiber.Ctx) error {
			Session(c).Set("k", "v")
			return nil
		})
		s.Down.Store(true)
		r := request(t, app, "/", "")
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
func TestErrorIsAnsweredOnce(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{Strict: true})
	calls := 0
	app := fiber.New(fiber.Config{ErrorHandler: func(c *fiber.Ctx, err error) error {
		calls++
		var known *fiber.Error
		if !errors.As(err, &known) || known.Code != 503 || !errors.Is(err, core.ErrConflict) {
			t.Errorf("the error handler gets %v", err)
		}
		Session(c).Set("error", "yes")
		return c.Status(402).SendString("pay")
	}})
	app.Use(func(c *fiber.Ctx) error {
		err := c.Next()
		if status := c.Response().StatusCode(); err != nil || status != 402 || !errors.Is(HandlerError(c), core.ErrConflict) {
			t.Errorf("outside: error %v, status %d, HandlerError %v", err, status, HandlerError(c))
		}
		return err
	})
	app.Use(Middleware(m))
	app.Get("/", func(*fiber.Ctx) error { return fmt.Errorf("handler: %w", core.ErrConflict) })
	request(t, app, "/", "").Wants(t, 402, "pay")
	if calls != 1 {
		t.Errorf("%d calls of the error handler", calls)
	}
}

// The processes of Prefork do not share sessions in memory, but share the connections.
func TestPreforkWithAStoreInMemory(t *testing.T) {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	for child, want := range map[string]int{"": 0, "1": 1} {
		t.Setenv("FIBER_PREFORK_CHILD", child)
		var memory, cookies adapterunit.Events
		m, _ := adapterunit.ServerSide(t, core.Config{Observer: memory.Observe})
		Middleware(m)
		Middleware(adapterunit.Manager(t, core.ClientSide(sealed.Cookie(keys)), core.Config{Observer: cookies.Observe}))
		if a, b := memory.Count(core.EventMisconfigured), cookies.Count(core.EventMisconfigured); a != want || b != 0 {
			t.Errorf("child %q: %d events about sessions in memory, want %d, and %d about those in cookies", child, a, want, b)
		}
	}
}

// A hijacked connection gets a session cookie only with a 101. A session that
// was already stored is saved in either case.
func TestHijack(t *testing.T) {
	for _, status := range []int{101, 200} {
		m, _ := adapterunit.ServerSide(t, core.Config{})
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Get("/", Middleware(m), func(c *fiber.Ctx) error {
			Session(c).Set("k", "v")
			c.Status(status)
			c.Context().Hijack(func(conn net.Conn) { _, _ = io.WriteString(conn, "hijacked") })
			return nil
		})
		answer := overTCP(t, app, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := strings.Contains(answer, "Set-Cookie"); got != (status == 101) || !strings.HasSuffix(answer, "hijacked") {
			t.Errorf("status %d: answer is %q", status, answer)
		}
	}
}

// After fasthttp's TimeoutError another response is sent. It has the cookie, and a
// server error rolls back, but not what a Commit has stored before.
func TestC6TimeoutError(t *testing.T) {
	for _, status := range []int{408, 503} {
		for _, commits := range []bool{true, false} {
			var seen adapterunit.Events
			m, _ := adapterunit.ServerSide(t, core.Config{Observer: seen.Observe})
			r := serve(t, func(c *fiber.Ctx) error {
				s := Session(c)
				s.Set("k", "v")
				if commits {
					if err := s.Commit(c.UserContext()); err != nil {
						t.Error(err)
					}
					s.Set("k", "w")
				}
				c.Context().TimeoutErrorWithCode("too slow", status)
				return nil
			}, "", Middleware(m))
			r.Wants(t, status, "too slow")
			want := 1
			if status == 503 && !commits {
				want = 0
			}
			lines, created, late := len(r.Header["Set-Cookie"]), seen.Count(core.EventCreated), seen.Count(core.EventTooLate)
			if lines != want || created != want || late != 0 || seen.Count(core.EventRolledBack) == 0 != (status == 408) {
				t.Errorf("%d, commits %t: %d cookies, %d sessions created, %d events tell of a late change", status, commits, lines, created, late)
			}
		}
	}
}

// The handler has read the flash for a page that nobody sees.
func TestF1TimeoutShowsNoFlash(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	cookie := unit.Stored(t, m, func(s *core.Session) { s.Flash("info", "hello") })
	read := func(c *fiber.Ctx) (n int) { return len(Session(c).Flashes()) }
	serve(t, func(c *fiber.Ctx) error {
		read(c)
		c.Context().TimeoutErrorWithCode("too slow", 408)
		return nil
	}, cookie, Middleware(m)).Wants(t, 408, "too slow")
	serve(t, func(c *fiber.Ctx) error { return text(c, 200, fmt.Sprint(read(c))) }, cookie, Middleware(m)).Wants(t, 200, "1")
}

// overTCP returns everything that the server answers on one connection.
func overTCP(t *testing.T, app *fiber.App, request string) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Listener(ln) }()
	t.Cleanup(func() {
		_ = app.ShutdownWithTimeout(time.Second)
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

// Fiber takes its Ctx back when the handler returns.
func TestSessionOfReleasedCtx(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	var kept ctx
	serve(t, func(c ctx) error {
		kept = c
		return text(c, 200, "ok")
	}, "", Middleware(m)).Wants(t, 200, "ok")
	for name, use := range map[string]func(){
		"Session":      func() { Session(kept) },
		"SessionOf":    func() { SessionOf(kept, m) },
		"WithSession":  func() { WithSession(kept, m.NewSession(t.Context())) },
		"HandlerError": func() { _ = HandlerError(kept) },
	} {
		t.Run(name, func(t *testing.T) {
			adapterunit.Names(t, adapterunit.PanicOf(use), "fiberadapter: the request is over", "before the handler returns")
		})
	}
	if s, ok := TrySession(kept); ok {
		t.Errorf("TrySession returned %v", s)
	}
}

// The first request tells, once, that Fiber refuses what the session's cookies may
// become.
func TestE2ReadBufferSizeIsCompared(t *testing.T) {
	for size, want := range map[int]int{0: 1, 4096: 1, 16 << 10: 0} {
		told := 0
		m := adapterunit.ClientSide(t, core.Config{Observer: func(_ context.Context, e core.Event) {
			if e.Kind == core.EventLargeCookie {
				told++
				if !strings.Contains(e.Detail, "ReadBufferSize") || !strings.Contains(e.Detail, "4096") {
					t.Errorf("it does not say what to raise: %s", e.Detail)
				}
			}
		}})
		app := fiber.New(fiber.Config{ReadBufferSize: size})
		app.Get("/", Middleware(m), func(c *fiber.Ctx) error { return c.SendString("ok") })
		for range 3 {
			request(t, app, "/", "").Wants(t, 200, "ok")
		}
		if told != want {
			t.Errorf("ReadBufferSize %d: told %d times, want %d", size, told, want)
		}
	}
}
