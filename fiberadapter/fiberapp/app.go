// Package fiberapp carries no compatibility promise: it is for tests.
//
// It makes Fiber servers from handlers that are written once for
// all frameworks. It serves the suite that checks the adapters, and the
// probe. It is not an example of an application; see the folder examples for those.
package fiberapp

import (
	"context"
	"net"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/compress"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/gofiber/fiber/v2/middleware/timeout"

	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/fiberadapter"
)

type app struct{ fiber *fiber.App }

// New makes a Fiber server with c's routes. It reads request heads of up to
// 64 KiB, so that sessions split over several cookies arrive.
func New(c adaptertest.Config) adaptertest.App {
	config := fiber.Config{DisableStartupMessage: true, ReadBufferSize: 64 << 10, CaseSensitive: true, StrictRouting: true}
	if c.ErrorStatus != 0 {
		config.ErrorHandler = func(fc *fiber.Ctx, _ error) error {
			return fc.Status(c.ErrorStatus).SendString("app error")
		}
	}
	a := fiber.New(config)
	a.Use(afterwards, recover.New(), outerHeader(c.OuterHeader))
	var opts []fiberadapter.Option
	if c.OnError != nil {
		opts = append(opts, fiberadapter.OnError(func(fc *fiber.Ctx, err error) error { return c.OnError(request{fc}, err) }))
	}
	if c.Skip != nil {
		opts = append(opts, fiberadapter.Skip(func(fc *fiber.Ctx) bool { return c.Skip(request{fc}) }))
	}
	var sessions []fiber.Handler
	for _, m := range c.Managers {
		sessions = append(sessions, fiberadapter.Middleware(m, opts...))
	}
	if c.Compress {
		for _, handler := range append(sessions, compress.New()) {
			a.Use(handler)
		}
	}
	for _, route := range c.Routes {
		var handlers []fiber.Handler
		if !route.Plain {
			handlers = append(handlers, sessions...)
		}
		handler := func(fc *fiber.Ctx) error { return route.Handler(request{fc}) }
		if route.Timeout > 0 {
			handler = timeout.NewWithContext(handler, route.Timeout)
		}
		handlers = append(handlers, handler)
		a.Add(route.Method, route.Path, handlers...)
		if route.Method == fiber.MethodGet {
			a.Add(fiber.MethodHead, route.Path, handlers...)
		}
	}
	return &app{a}
}

func outerHeader(header map[string]string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		for name, value := range header {
			c.Set(name, value)
		}
		return c.Next()
	}
}

// returned is the key under which a stream learns that the handlers have returned.
type returned struct{}

// afterwards lets streams begin. fasthttp starts a stream's writer at once, in a
// goroutine beside the handler, and sends nothing before the handler returns.
// Waiting for that makes the order of events the same every time.
func afterwards(c *fiber.Ctx) error {
	done := make(chan struct{})
	defer close(done)
	c.Locals(returned{}, done)
	return c.Next()
}

// Serve implements [adaptertest.App].
func (a *app) Serve(l net.Listener) error { return a.fiber.Listener(l) }

// Shutdown implements [adaptertest.App].
func (a *app) Shutdown(ctx context.Context) error { return a.fiber.ShutdownWithContext(ctx) }
