package compare

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
	fibersession "github.com/gofiber/fiber/v2/middleware/session"
	fiberredis "github.com/gofiber/storage/redis/v3"
)

// fiber2 is Fiber v2's session middleware with Fiber's storage for Redis.
func fiber2() library {
	return library{
		name: "Fiber v2's session", backend: "Redis", framework: "Fiber v2", source: "fiber2_test.go",
		modules: []string{"github.com/gofiber/fiber/v2", "github.com/gofiber/storage/redis/v3"},
		options: []option{{safeCookies, []string{"flags"}}, {saveAlways, []string{"idle"}}},
		start:   startFiber2,
	}
}

func fiberStorage(e environment) (*fiberredis.Storage, error) {
	host, port, err := net.SplitHostPort(e.redis)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	return fiberredis.New(fiberredis.Config{Host: host, Port: n, Database: e.db}), nil
}

func startFiber2(e environment) (*app, error) {
	storage, err := fiberStorage(e)
	if err != nil {
		return nil, err
	}
	store := fibersession.New(fibersession.Config{
		Storage: storage, Expiration: e.timeout(),
		CookieSecure: e.option == safeCookies, CookieHTTPOnly: e.option == safeCookies,
	})
	server := fiber.New(fiber.Config{DisableStartupMessage: true, ReadBufferSize: 16 << 10})
	server.Use(recover.New())
	a := &app{
		env:    e,
		serve:  server.Listener,
		close:  func() { _ = server.ShutdownWithTimeout(5 * time.Second); _ = storage.Close() },
		endID:  func(_ context.Context, id string) error { return store.Delete(id) },
		endAll: func(context.Context) error { return store.Reset() },
	}
	for _, r := range routes {
		server.All(r.path, func(c *fiber.Ctx) error {
			return a.answer(r, fiber2Request{c}, func() (session, error) {
				s, err := store.Get(c)
				if err != nil {
					return nil, err
				}
				return fiber2Session{bag{s.Get, s.Set}, s}, nil
			})
		})
	}
	return a, nil
}

type fiber2Session struct {
	bag
	s *fibersession.Session
}

func (f fiber2Session) save() error                { return f.s.Save() }
func (f fiber2Session) flash(string) error         { return none("no flash messages") }
func (f fiber2Session) flashes() ([]string, error) { return nil, none("no flash messages") }
func (f fiber2Session) logout() error              { return f.s.Destroy() }
func (f fiber2Session) id() string                 { return f.s.ID() }
func (f fiber2Session) late() session              { return nil }

func (f fiber2Session) login(user string) error {
	if err := f.s.Regenerate(); err != nil {
		return err
	}
	f.set("user", user)
	return nil
}

// fiber2Request copies what it gets from Fiber, which uses its buffers again.
type fiber2Request struct{ c *fiber.Ctx }

func (q fiber2Request) param(name string) string { return strings.Clone(q.c.Query(name)) }
func (q fiber2Request) text(status int, body string) error {
	return q.c.Status(status).SendString(body)
}

func (q fiber2Request) redirect(to string) error { return q.c.Redirect(to, fiber.StatusSeeOther) }

func (q fiber2Request) stream(first string, rest func(line func(string))) error {
	q.c.Context().SetBodyStreamWriter(fiberStream(first, rest))
	return nil
}

func fiberStream(first string, rest func(line func(string))) func(*bufio.Writer) {
	return func(w *bufio.Writer) {
		if first != "" {
			_, _ = fmt.Fprintln(w, first)
			_ = w.Flush()
		}
		rest(func(line string) { _, _ = fmt.Fprintln(w, line) })
	}
}
