// Command gin is the demo application on Gin: sign in, see a flash message
// once, count visits, sign out.
package main

import (
	"log"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/examples/internal/page"
	"github.com/satchel-go/satchel/examples/internal/setup"
	"github.com/satchel-go/satchel/ginadapter"
)

// visits is a session value with its type. It needs no registration.
var visits = core.NewKey[int]("visits")

func main() {
	// In your program: backend := core.ServerSide(memstore.New())
	backend, listener := setup.FromFlags()

	sessions, err := core.New(backend, core.Config{
		// On this machine there is no TLS, and Safari keeps no Secure cookie
		// without it. Leave this out in production.
		InsecureAllowHTTP: true,
	})
	if err != nil {
		log.Fatal(err)
	}

	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.SetHTMLTemplate(page.Template)
	// Recovery goes outside, so that a panic undoes what was not yet saved.
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
	r.GET("/", home)
	r.POST("/sign-in", signIn)
	r.POST("/sign-out", signOut)

	log.Fatal(r.RunListener(listener))
}

func home(c *gin.Context) {
	s := ginadapter.Session(c)
	if s.UserID() != "" {
		// Two pages that load at the same time count as two.
		visits.Update(s, func(n int) int { return n + 1 })
	}
	n, _ := visits.Get(s)
	// The session is saved before the first byte of the page leaves.
	c.HTML(http.StatusOK, "page", page.Data{
		Framework: "Gin", User: s.UserID(), Visits: n, Flashes: s.Flashes(),
	})
}

func signIn(c *gin.Context) {
	s := ginadapter.Session(c)
	if name := strings.TrimSpace(c.PostForm("name")); name == "" || len(name) > 160 {
		s.Flash("error", "Please enter a short name.")
	} else {
		s.Login(name) // a new cookie, so that nobody knows it from before
		s.Flash("success", "Welcome, "+name+".")
	}
	c.Redirect(http.StatusSeeOther, "/")
}

func signOut(c *gin.Context) {
	s := ginadapter.Session(c)
	s.Logout() // ends the session; what follows is in a new one
	s.Flash("info", "You have signed out.")
	c.Redirect(http.StatusSeeOther, "/")
}
