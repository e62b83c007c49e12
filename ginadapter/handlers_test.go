package ginadapter_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/ginadapter"
	"github.com/satchel-go/satchel/internal/testing/handlerstest"
)

func TestHandlers(t *testing.T) {
	handlerstest.Run(t, handlerstest.Apps{Signup: signupApp, Cart: cartApp})
}

func served(e *gin.Engine) handlerstest.Doer {
	return func(c *sessiontest.Client, r *http.Request) *http.Response { return c.Do(e, r) }
}

func signupApp(m *core.Manager) handlerstest.Doer {
	e := gin.New()
	e.Use(ginadapter.Middleware(m))
	e.GET("/signup", func(c *gin.Context) {
		_ = handlerstest.Page.Execute(c.Writer, handlerstest.SignupForm.Take(ginadapter.Session(c)))
	})
	e.POST("/signup", func(c *gin.Context) {
		var in handlerstest.Signup
		if err := c.ShouldBind(&in); err != nil {
			_ = c.AbortWithError(http.StatusBadRequest, err)
			return
		}
		c.Redirect(http.StatusSeeOther, handlerstest.Submit(ginadapter.Session(c), in))
	})
	return served(e)
}

func addToCart(c *gin.Context) {
	c.Status(handlerstest.Add(ginadapter.Session(c), c.PostForm("item")))
}

func cartApp(m *core.Manager) handlerstest.Doer {
	e := gin.New()
	e.Use(gin.Recovery(), ginadapter.Middleware(m))
	e.POST("/cart", addToCart)
	e.GET("/in-place", func(c *gin.Context) { handlerstest.InPlace(ginadapter.Session(c)) })
	e.GET("/late", func(c *gin.Context) { handlerstest.Keep(ginadapter.Session(c)) })
	return served(e)
}

// Without the middleware, the handler gets the client's session.
func TestHandlerWithoutTheMiddleware(t *testing.T) {
	alice := sessiontest.New(t).Login("alice")
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = alice.Form("/cart", handlerstest.Item())
	ginadapter.WithSession(c, alice.Session())
	addToCart(c)
	handlerstest.WantItem(alice)
}
