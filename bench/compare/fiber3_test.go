package compare

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"
	fibersession "github.com/gofiber/fiber/v3/middleware/session"
)

const nextPlain = "Config.Next for that page"

// fiber3 is Fiber v3's session middleware with Fiber's storage for Redis, and the flash
// messages of Fiber v3's redirects.
func fiber3() library {
	return library{
		name: "Fiber v3's session", backend: "Redis", framework: "Fiber v3", source: "fiber3_test.go",
		modules: []string{"github.com/gofiber/fiber/v3", "github.com/gofiber/storage/redis/v3"},
		options: []option{{safeCookies, []string{"flags"}}, {nextPlain, []string{"outage-plain", "untouched"}}},
		start:   startFiber3,
	}
}

func startFiber3(e environment) (*app, error) {
	storage, err := fiberStorage(e)
	if err != nil {
		return nil, err
	}
	idle := e.idle
	if e.max > 0 && idle == 0 {
		idle = e.max // it may not be longer than the lifetime
	}
	middleware, store := fibersession.NewWithStore(fibersession.Config{
		Storage: storage, IdleTimeout: idle, AbsoluteTimeout: e.max,
		Next:         func(c fiber.Ctx) bool { return e.option == nextPlain && c.Path() == "/plain" },
		CookieSecure: e.option == safeCookies, CookieHTTPOnly: e.option == safeCookies,
	})
	server := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	server.Use(recover.New(), middleware)
	a := &app{
		env:    e,
		serve:  listenFiber3(server),
		close:  func() { _ = server.ShutdownWithTimeout(5 * time.Second); _ = storage.Close() },
		endID:  store.Delete,
		endAll: store.Reset,
	}
	for _, r := range routes {
		server.All(r.path, func(c fiber.Ctx) error {
			return a.answer(r, fiber3Request{c}, func() (session, error) {
				s := fibersession.FromContext(c)
				return fiber3Session{bag{
					func(key string) any { return s.Get(key) },
					func(key string, v any) { s.Set(key, v) },
				}, s, store, c}, nil
			})
		})
	}
	return a, nil
}

type fiber3Session struct {
	bag
	s     *fibersession.Middleware
	store *fibersession.Store
	c     fiber.Ctx
}

func (f fiber3Session) save() error             { return nil }
func (f fiber3Session) flash(text string) error { f.c.Redirect().With("flash", text); return nil }
func (f fiber3Session) logout() error           { return f.s.Reset() }
func (f fiber3Session) id() string              { return f.s.ID() }

func (f fiber3Session) flashes() (list []string, err error) {
	for _, m := range f.c.Redirect().Messages() {
		list = append(list, strings.Clone(m.Value))
	}
	return list, nil
}

func (f fiber3Session) login(user string) error {
	if err := f.s.Regenerate(); err != nil {
		return err
	}
	f.set("user", user)
	return nil
}

// late returns a session for use after the handler, by its ID, which is Fiber's way for
// work in the background.
func (f fiber3Session) late() session {
	return fiber3Late{name: strings.Clone(f.s.ID()), store: f.store, changes: map[string]string{}}
}

type fiber3Late struct {
	session
	name    string
	store   *fibersession.Store
	changes map[string]string
}

func (f fiber3Late) set(key, value string) { f.changes[key] = value }

func (f fiber3Late) save() error {
	s, err := f.store.GetByID(context.Background(), f.name)
	if err != nil {
		return err
	}
	defer s.Release()
	for key, value := range f.changes {
		s.Set(key, value)
	}
	return s.Save()
}

type fiber3Request struct{ c fiber.Ctx }

func (q fiber3Request) param(name string) string { return strings.Clone(q.c.Query(name)) }
func (q fiber3Request) text(status int, body string) error {
	return q.c.Status(status).SendString(body)
}

func (q fiber3Request) redirect(to string) error {
	return q.c.Redirect().Status(fiber.StatusSeeOther).To(to)
}

func (q fiber3Request) stream(first string, rest func(line func(string))) error {
	return q.c.SendStreamWriter(fiberStream(first, rest))
}
