package fiberadapter

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/adapterunit"
)

func TestCookieLines(t *testing.T) {
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
		{"a look-alike name", "Coo\u212aie: a=1\r\n", nil}, // strings.EqualFold takes the Kelvin sign for a k
		{"no colon", "Cookie\r\n", nil},
		{"no carriage returns", "Cookie: a=1\nCookie: b=2\n", []string{"a=1", "b=2"}},
	} {
		if got := rawCookieLines([]byte(c.head + "\r\n")); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A call of c.Cookies makes fasthttp rewrite the header; the session comes
// from the original.
func TestCookieLinesAfterCookies(t *testing.T) {
	app := fiber.New()
	var raw, made []string
	app.Get("/", func(c *fiber.Ctx) error {
		_ = c.Cookies("s")
		raw = (&exchange{c: c}).CookieLines()
		return nil
	})
	request(t, app, "/", `s="q"; s =x`)
	if want := []string{`s="q"; s =x`}; !slices.Equal(raw, want) {
		t.Errorf("parsed request: %q, want %q", raw, want)
	}
	// A request that was made has no raw header.
	var made0 fasthttp.RequestCtx
	made0.Request.Header.Add("Cookie", "a=1")
	made0.Request.Header.Add("Cookie", "b=2")
	c := app.AcquireCtx(&made0)
	defer app.ReleaseCtx(c)
	made = (&exchange{c: c}).CookieLines()
	if got := strings.Join(made, "; "); got != "a=1; b=2" {
		t.Errorf("made request: %q", made)
	}
}

func TestReplaceSetCookie(t *testing.T) {
	app := fiber.New()
	c := app.AcquireCtx(&fasthttp.RequestCtx{})
	defer app.ReleaseCtx(c)
	x := &exchange{c: c}
	c.Cookie(&fiber.Cookie{Name: "mine", Value: "1"})
	x.ReplaceSetCookie("", "s=one; Path=/")
	c.Response().Header.Add("Set-Cookie", "s=app; Path=/app")
	x.ReplaceSetCookie("s=one; Path=/", "s=two; Path=/")
	x.ReplaceSetCookie("s=unknown", "")
	var got []string
	c.Response().Header.VisitAllCookie(func(_, v []byte) { got = append(got, string(v)) })
	want := []string{"mine=1; path=/; SameSite=Lax", "s=app; Path=/app", "s=two; Path=/"}
	if !slices.Equal(got, want) {
		t.Errorf("cookies are %q, want %q", got, want)
	}
}

// All lines of a header count, and are replaced by one.
func TestResponseHeader(t *testing.T) {
	app := fiber.New()
	c := app.AcquireCtx(&fasthttp.RequestCtx{})
	defer app.ReleaseCtx(c)
	x := &exchange{c: c}
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

// After a failed commit the response is what it was before the handler,
// cookies included.
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

// An error that OnError returns goes to the application's error handler, and
// one that this returns to Fiber's last resort.
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

// Fiber's strings are views of buffers; what is stored must be copies.
func TestNothingIsAView(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	app := fiber.New()
	app.Get("/", Middleware(m), func(c *fiber.Ctx) error {
		s := Session(c)
		if user := c.Query("user"); user != "" {
			s.Login(user)
			s.Set(c.Query("key"), c.Query("user"))
			s.Flash(c.Query("key"), c.Query("user"))
		}
		v, _ := core.Get[string](s, "theme")
		return c.SendString(fmt.Sprint(s.UserID(), v, s.Keys(), s.PeekFlashes()))
	})
	cookie := request(t, app, "/?user=alice&key=theme", "").Cookie(t)
	want := request(t, app, "/", cookie).Body
	for i := range 50 {
		request(t, app, fmt.Sprintf("/?user=%05d&key=%05d", i, i), "")
	}
	if got := request(t, app, "/", cookie).Body; got != want || !strings.Contains(got, "alice") {
		t.Errorf("the session changed from %q to %q", want, got)
	}
	infos, err := m.List(t.Context(), "alice")
	if err != nil || len(infos) != 1 {
		t.Errorf("alice's sessions: %v, %v", infos, err)
	}
}

// The writer of a body stream runs without a Ctx: the session can be read.
func TestStreamReads(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	r := serve(t, func(c *fiber.Ctx) error {
		s := Session(c)
		s.Set("k", "v")
		c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
			v, _ := core.Get[string](s, "k")
			_, _ = w.WriteString(v)
		})
		return nil
	}, "", Middleware(m))
	r.Wants(t, 200, "v")
	r.Cookie(t)
}

// A hijacked connection gets a session cookie with a 101 and not otherwise;
// the session is stored in both cases, if it was before.
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

// overTCP returns all that the server answers on one connection.
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

// Fiber takes its Ctx back when the handler has returned.
func TestSessionOfReleasedCtx(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	var kept ctx
	serve(t, func(c ctx) error {
		kept = c
		return text(c, 200, "ok")
	}, "", Middleware(m)).Wants(t, 200, "ok")
	adapterunit.Names(t, adapterunit.PanicOf(func() { Session(kept) }), "the request is over", "before the handler returns")
	if s, ok := TrySession(kept); ok {
		t.Errorf("TrySession returned %v", s)
	}
}
