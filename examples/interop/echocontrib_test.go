package interop_test

import (
	"encoding/gob"
	"fmt"
	"net/http"
	"testing"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillasessions"
	"github.com/satchel-go/satchel/echoadapter"
)

// cart is a typical value of applications on gorilla's sessions.
type cart struct{ Items []string }

func init() { gob.Register(&cart{}) }

// An application with echo-contrib's middleware and Satchel's, or the former
// alone.
func TestEchoContrib(t *testing.T) {
	for _, backend := range backends {
		for _, with := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/with=%v", backend.name, with), func(t *testing.T) {
				m := newManager(t, backend.open(t))
				b := newBrowser(t, serveHTTP(t, echoContribApp(m, with)))
				b.sees("/get", "new=true n=0 items=[] flashes=[]")
				b.sees("/add?item=tea", "")
				b.sees("/add?item=milk", "")
				b.sees("/get", "new=false n=2 items=[tea milk] flashes=[added tea added milk]")
				b.sees("/get", "new=false n=2 items=[tea milk] flashes=[]")
				before := b.cookie()
				if with {
					b.sees("/login", "ada 2")
					if b.cookie() == before {
						t.Error("I1: the token is the same before and after the login")
					}
				}
				b.sees("/get", "new=false n=2 items=[tea milk] flashes=[]")
				b.sees("/end", "")
				b.sees("/get", "new=true n=0 items=[] flashes=[]")
			})
		}
	}
}

func echoContribApp(m *core.Manager, with bool) http.Handler {
	e := echo.New()
	if with {
		e.Use(echoadapter.Middleware(m)) // outside: then both share the session
	}
	e.Use(session.Middleware(gorillasessions.NewStore(m)))
	e.GET("/add", func(c echo.Context) error {
		s, err := session.Get("shop", c)
		if err != nil {
			return err
		}
		// As in echo's documentation. With Satchel, core.Config decides.
		s.Options = &sessions.Options{Path: "/", MaxAge: 86400 * 7, HttpOnly: true}
		things, ok := s.Values["cart"].(*cart)
		if !ok {
			things = new(cart)
			s.Values["cart"] = things
		}
		things.Items = append(things.Items, c.QueryParam("item")) // in place
		n, _ := s.Values["n"].(int)
		s.Values["n"] = n + 1
		s.AddFlash("added " + c.QueryParam("item"))
		if err := s.Save(c.Request(), c.Response()); err != nil {
			return err
		}
		return c.NoContent(http.StatusOK)
	})
	e.GET("/get", func(c echo.Context) error {
		s, err := session.Get("shop", c)
		if err != nil {
			return err
		}
		things, ok := s.Values["cart"].(*cart)
		if !ok {
			things = new(cart)
		}
		n, _ := s.Values["n"].(int)
		flashes := s.Flashes()
		if err := s.Save(c.Request(), c.Response()); err != nil {
			return err
		}
		return c.String(http.StatusOK, fmt.Sprintf("new=%v n=%d items=%v flashes=%v", s.IsNew, n, things.Items, flashes))
	})
	e.GET("/login", func(c echo.Context) error {
		s := echoadapter.Session(c)
		s.Login("ada")
		n, _ := core.Get[int](s, gorillasessions.ValueKey("shop", "n"))
		return c.String(http.StatusOK, fmt.Sprint(s.UserID(), " ", n))
	})
	e.GET("/end", func(c echo.Context) error {
		s, err := session.Get("shop", c)
		if err != nil {
			return err
		}
		s.Options.MaxAge = -1
		if err := s.Save(c.Request(), c.Response()); err != nil {
			return err
		}
		return c.NoContent(http.StatusOK)
	})
	return e
}
