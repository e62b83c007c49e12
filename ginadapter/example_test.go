package ginadapter_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/ginadapter"
)

// A flash survives the redirect and is shown once.
func Example() {
	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		panic(err)
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.Use(ginadapter.Middleware(sessions))
	e.POST("/save", func(c *gin.Context) {
		ginadapter.Session(c).Flash("success", "Saved.")
		c.Redirect(http.StatusSeeOther, "/")
	})
	e.GET("/", func(c *gin.Context) {
		page := ""
		for _, f := range ginadapter.Session(c).Flashes() {
			page += f.Text
		}
		c.String(http.StatusOK, page)
	})

	cookie := ""
	for _, request := range []string{"POST /save", "GET /", "GET /"} {
		var method, path string
		_, _ = fmt.Sscan(request, &method, &path)
		r := httptest.NewRequestWithContext(context.Background(), method, path, nil)
		r.Header.Set("Cookie", cookie)
		r.Header.Set("X-Forwarded-Proto", "https") // as a proxy would send it
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if line := w.Header().Get("Set-Cookie"); line != "" {
			cookie = line
		}
		fmt.Printf("%d %q\n", w.Code, w.Body)
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
	hello := func(c *gin.Context) {
		c.String(http.StatusOK, "Hello, "+ginadapter.Session(c).UserID())
	}

	gin.SetMode(gin.ReleaseMode)
	w := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(w)
	c.Request = httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
	s := sessions.NewSession(c.Request.Context())
	s.Login("ann")
	ginadapter.WithSession(c, s)
	hello(c)
	fmt.Println(w.Body)
	// Output: Hello, ann
}
