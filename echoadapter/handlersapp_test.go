package echoadapter_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/echoadapter"
)

// Echo binds the fields of nested structs by their own names.
const cityField, codeField = "city", "code"

type doer = func(*sessiontest.Client, *http.Request) *http.Response

func served(e *echo.Echo) doer {
	return func(c *sessiontest.Client, r *http.Request) *http.Response { return c.Do(e, r) }
}

func signupApp(st *sessiontest.Sessions) doer {
	e := echo.New()
	e.Use(echoadapter.Middleware(st.Manager))
	e.GET("/signup", func(c echo.Context) error {
		return signupPage.Execute(c.Response(), signupForm.Take(echoadapter.Session(c)))
	})
	e.POST("/signup", func(c echo.Context) error {
		s := echoadapter.Session(c)
		var in signup
		if err := c.Bind(&in); err != nil {
			return err
		}
		if errs := check(in); len(errs) > 0 {
			signupForm.Fail(s, in, errs)
			return c.Redirect(http.StatusSeeOther, "/signup")
		}
		s.Login(in.Email)
		s.Flash("success", "Welcome, "+in.Name+".")
		return c.Redirect(http.StatusSeeOther, "/")
	})
	return served(e)
}

func addToCart(c echo.Context) error {
	return c.NoContent(add(echoadapter.Session(c), c.FormValue("item")))
}

func cartApp(st *sessiontest.Sessions) doer {
	e := echo.New()
	e.Use(middleware.Recover(), echoadapter.Middleware(st.Manager))
	e.POST("/cart", addToCart)
	e.GET("/in-place", func(c echo.Context) error {
		inPlace(echoadapter.Session(c))
		return c.NoContent(http.StatusOK)
	})
	e.GET("/late", func(c echo.Context) error {
		keep(echoadapter.Session(c))
		return c.NoContent(http.StatusOK)
	})
	return served(e)
}

// Without the middleware, the handler's session is the client's.
func TestHandlerWithoutTheMiddleware(t *testing.T) {
	alice := sessiontest.New(t).Login("alice")
	c := echo.New().NewContext(alice.Form("/cart", map[string][]string{"item": {"hat"}}), httptest.NewRecorder())
	echoadapter.WithSession(c, alice.Session())
	if err := addToCart(c); err != nil {
		t.Fatal(err)
	}
	alice.WantFlash("success", "Added hat.")
	sessiontest.Want(alice, cart, []string{"hat"})
}
