package fiberv3adapter_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/internal/testing/handlerstest"
)

func TestHandlers(t *testing.T) {
	handlerstest.Run(t, handlerstest.Apps{Signup: signupApp, Cart: cartApp, Nested: "Home."})
}

func served(app *fiber.App) handlerstest.Doer {
	return func(c *sessiontest.Client, r *http.Request) *http.Response { return sessiontest.DoFiber(c, app, r) }
}

func signupApp(m *core.Manager) handlerstest.Doer {
	app := fiber.New()
	app.Use(fiberv3adapter.Middleware(m))
	app.Get("/signup", func(c fiber.Ctx) error {
		var page bytes.Buffer
		if err := handlerstest.Page.Execute(&page, handlerstest.SignupForm.Take(fiberv3adapter.Session(c))); err != nil {
			return err
		}
		return c.Send(page.Bytes())
	})
	app.Post("/signup", func(c fiber.Ctx) error {
		var in handlerstest.Signup
		if err := c.Bind().Body(&in); err != nil {
			return err
		}
		return c.Redirect().Status(fiber.StatusSeeOther).To(handlerstest.Submit(fiberv3adapter.Session(c), in))
	})
	return served(app)
}

func addToCart(c fiber.Ctx) error {
	return c.SendStatus(handlerstest.Add(fiberv3adapter.Session(c), c.FormValue("item")))
}

func cartApp(m *core.Manager) handlerstest.Doer {
	app := fiber.New()
	app.Use(recover.New(), fiberv3adapter.Middleware(m))
	app.Post("/cart", addToCart)
	app.Get("/in-place", func(c fiber.Ctx) error {
		handlerstest.InPlace(fiberv3adapter.Session(c))
		return nil
	})
	app.Get("/late", func(c fiber.Ctx) error {
		handlerstest.Keep(fiberv3adapter.Session(c))
		return nil
	})
	return served(app)
}

// Without the middleware, the handler gets the client's session.
func TestHandlerWithoutTheMiddleware(t *testing.T) {
	alice := sessiontest.New(t).Login("alice")
	app := fiber.New()
	c := app.AcquireCtx(&fasthttp.RequestCtx{})
	defer app.ReleaseCtx(c)
	c.Request().Header.SetContentType(fiber.MIMEApplicationForm)
	c.Request().SetBodyString(handlerstest.Item().Encode())
	fiberv3adapter.WithSession(c, alice.Session())
	if err := addToCart(c); err != nil {
		t.Fatal(err)
	}
	handlerstest.WantItem(alice)
}
