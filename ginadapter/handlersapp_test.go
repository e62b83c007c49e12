package ginadapter_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/ginadapter"
)

// Gin binds the fields of nested structs by their own names.
const cityField, codeField = "city", "code"

type doer = func(*sessiontest.Client, *http.Request) *http.Response

func served(e *gin.Engine) doer {
	return func(c *sessiontest.Client, r *http.Request) *http.Response { return c.Do(e, r) }
}

func signupApp(st *sessiontest.Sessions) doer {
	e := gin.New()
	e.Use(ginadapter.Middleware(st.Manager))
	e.GET("/signup", func(c *gin.Context) {
		_ = signupPage.Execute(c.Writer, signupForm.Take(ginadapter.Session(c)))
	})
	e.POST("/signup", func(c *gin.Context) {
		s := ginadapter.Session(c)
		var in signup
		if err := c.ShouldBind(&in); err != nil {
			_ = c.AbortWithError(http.StatusBadRequest, err)
			return
		}
		if errs := check(in); len(errs) > 0 {
			signupForm.Fail(s, in, errs)
			c.Redirect(http.StatusSeeOther, "/signup")
			return
		}
		s.Login(in.Email)
		s.Flash("success", "Welcome, "+in.Name+".")
		c.Redirect(http.StatusSeeOther, "/")
	})
	return served(e)
}

func addToCart(c *gin.Context) {
	c.Status(add(ginadapter.Session(c), c.PostForm("item")))
}

func cartApp(st *sessiontest.Sessions) doer {
	e := gin.New()
	e.Use(gin.Recovery(), ginadapter.Middleware(st.Manager))
	e.POST("/cart", addToCart)
	e.GET("/in-place", func(c *gin.Context) { inPlace(ginadapter.Session(c)) })
	e.GET("/late", func(c *gin.Context) { keep(ginadapter.Session(c)) })
	return served(e)
}

// Without the middleware, the handler's session is the client's.
func TestHandlerWithoutTheMiddleware(t *testing.T) {
	alice := sessiontest.New(t).Login("alice")
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = alice.Form("/cart", map[string][]string{"item": {"hat"}})
	ginadapter.WithSession(c, alice.Session())
	addToCart(c)
	alice.WantFlash("success", "Added hat.")
	sessiontest.Want(alice, cart, []string{"hat"})
}
