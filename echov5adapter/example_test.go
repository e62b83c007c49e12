package echov5adapter_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/echov5adapter"
)

// A flash survives the redirect and is shown once.
func Example() {
	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		panic(err)
	}
	e := echo.New()
	e.Use(echov5adapter.Middleware(sessions))
	e.POST("/save", func(c *echo.Context) error {
		echov5adapter.Session(c).Flash("success", "Saved.")
		return c.Redirect(http.StatusSeeOther, "/")
	})
	e.GET("/", func(c *echo.Context) error {
		page := ""
		for _, f := range echov5adapter.Session(c).Flashes() {
			page += f.Text
		}
		return c.String(http.StatusOK, page)
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
	hello := func(c *echo.Context) error {
		return c.String(http.StatusOK, "Hello, "+echov5adapter.Session(c).UserID())
	}

	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
	c := echo.New().NewContext(r, w)
	s := sessions.NewSession(r.Context())
	s.Login("ann")
	echov5adapter.WithSession(c, s)
	if err := hello(c); err != nil {
		panic(err)
	}
	fmt.Println(w.Body)
	// Output: Hello, ann
}
