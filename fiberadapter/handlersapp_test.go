package fiberadapter_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/fiberadapter"
)

// Fiber binds the fields of nested structs by a path.
const cityField, codeField = "Home.city", "Home.code"

type doer = func(*sessiontest.Client, *http.Request) *http.Response

func served(app *fiber.App) doer {
	return func(c *sessiontest.Client, r *http.Request) *http.Response { return c.Test(app, r) }
}

func signupApp(st *sessiontest.Sessions) doer {
	app := fiber.New()
	app.Use(fiberadapter.Middleware(st.Manager))
	app.Get("/signup", func(c *fiber.Ctx) error {
		var page bytes.Buffer
		if err := signupPage.Execute(&page, signupForm.Take(fiberadapter.Session(c))); err != nil {
			return err
		}
		return c.Send(page.Bytes())
	})
	app.Post("/signup", func(c *fiber.Ctx) error {
		s := fiberadapter.Session(c)
		var in signup
		if err := c.BodyParser(&in); err != nil {
			return err
		}
		if errs := check(in); len(errs) > 0 {
			signupForm.Fail(s, in, errs)
			return c.Redirect("/signup", fiber.StatusSeeOther)
		}
		s.Login(in.Email)
		s.Flash("success", "Welcome, "+in.Name+".")
		return c.Redirect("/", fiber.StatusSeeOther)
	})
	return served(app)
}

func addToCart(c *fiber.Ctx) error {
	return c.SendStatus(add(fiberadapter.Session(c), c.FormValue("item")))
}

func cartApp(st *sessiontest.Sessions) doer {
	app := fiber.New()
	app.Use(recover.New(), fiberadapter.Middleware(st.Manager))
	app.Post("/cart", addToCart)
	app.Get("/in-place", func(c *fiber.Ctx) error {
		inPlace(fiberadapter.Session(c))
		return nil
	})
	app.Get("/late", func(c *fiber.Ctx) error {
		keep(fiberadapter.Session(c))
		return nil
	})
	return served(app)
}

// Without the middleware, the handler's session is the client's.
func TestHandlerWithoutTheMiddleware(t *testing.T) {
	alice := sessiontest.New(t).Login("alice")
	app := fiber.New()
	c := app.AcquireCtx(&fasthttp.RequestCtx{})
	defer app.ReleaseCtx(c)
	c.Request().Header.SetContentType(fiber.MIMEApplicationForm)
	c.Request().SetBodyString("item=hat")
	fiberadapter.WithSession(c, alice.Session())
	if err := addToCart(c); err != nil {
		t.Fatal(err)
	}
	alice.WantFlash("success", "Added hat.")
	sessiontest.Want(alice, cart, []string{"hat"})
}
