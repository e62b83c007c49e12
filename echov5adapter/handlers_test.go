package echov5adapter_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/internal/testing/handlerstest"
)

func TestHandlers(t *testing.T) {
	handlerstest.Run(t, handlerstest.Apps{Signup: signupApp, Cart: cartApp})
}

func served(e *echo.Echo) handlerstest.Doer {
	return func(c *sessiontest.Client, r *http.Request) *http.Response { return c.Do(e, r) }
}

func signupApp(m *core.Manager) handlerstest.Doer {
	e := echo.New()
	e.Use(echov5adapter.Middleware(m))
	e.GET("/signup", func(c *echo.Context) error {
		return handlerstest.Page.Execute(c.Response(), handlerstest.SignupForm.Take(echov5adapter.Session(c)))
	})
	e.POST("/signup", func(c *echo.Context) error {
		var in handlerstest.Signup
		if err := c.Bind(&in); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, handlerstest.Submit(echov5adapter.Session(c), in))
	})
	return served(e)
}

func addToCart(c *echo.Context) error {
	return c.NoContent(handlerstest.Add(echov5adapter.Session(c), c.FormValue("item")))
}

func cartApp(m *core.Manager) handlerstest.Doer {
	e := echo.New()
	e.Use(middleware.Recover(), echov5adapter.Middleware(m))
	e.POST("/cart", addToCart)
	e.GET("/in-place", func(c *echo.Context) error {
		handlerstest.InPlace(echov5adapter.Session(c))
		return c.NoContent(http.StatusOK)
	})
	e.GET("/late", func(c *echo.Context) error {
		handlerstest.Keep(echov5adapter.Session(c))
		return c.NoContent(http.StatusOK)
	})
	return served(e)
}

// Without the middleware, the handler gets the client's session.
func TestHandlerWithoutTheMiddleware(t *testing.T) {
	alice := sessiontest.New(t).Login("alice")
	c := echo.New().NewContext(alice.Form("/cart", handlerstest.Item()), httptest.NewRecorder())
	echov5adapter.WithSession(c, alice.Session())
	if err := addToCart(c); err != nil {
		t.Fatal(err)
	}
	handlerstest.WantItem(alice)
}
