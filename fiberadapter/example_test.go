package fiberadapter_test

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/fiberadapter"
)

// A flash survives the redirect and is shown once.
func Example() {
	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		panic(err)
	}
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberadapter.Middleware(sessions))
	app.Post("/save", func(c *fiber.Ctx) error {
		fiberadapter.Session(c).Flash("success", "Saved.")
		return c.Redirect("/", fiber.StatusSeeOther)
	})
	app.Get("/", func(c *fiber.Ctx) error {
		page := ""
		for _, f := range fiberadapter.Session(c).Flashes() {
			page += f.Text
		}
		return c.SendString(page)
	})

	cookie := ""
	for _, request := range []string{"POST /save", "GET /", "GET /"} {
		var method, path string
		_, _ = fmt.Sscan(request, &method, &path)
		r := httptest.NewRequestWithContext(context.Background(), method, path, nil)
		r.Header.Set("Cookie", cookie)
		r.Header.Set("X-Forwarded-Proto", "https") // as a proxy would send it
		res, err := app.Test(r)
		if err != nil {
			panic(err)
		}
		if line := res.Header.Get("Set-Cookie"); line != "" {
			cookie = line
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%d %q\n", res.StatusCode, body)
	}
	// Output:
	// 303 ""
	// 200 "Saved."
	// 200 ""
}

// A handler is tested without the middleware.
func ExampleWithSession() {
	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		panic(err)
	}
	hello := func(c *fiber.Ctx) error {
		return c.SendString("Hello, " + fiberadapter.Session(c).UserID())
	}

	app := fiber.New()
	c := app.AcquireCtx(&fasthttp.RequestCtx{})
	defer app.ReleaseCtx(c)
	s := sessions.NewSession(c.UserContext())
	s.Login("ann")
	fiberadapter.WithSession(c, s)
	if err := hello(c); err != nil {
		panic(err)
	}
	fmt.Println(string(c.Response().Body()))
	// Output: Hello, ann
}
