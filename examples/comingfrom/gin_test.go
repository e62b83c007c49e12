package comingfrom_test

import (
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/ginadapter"
)

// ginApp is the new application in Gin.
type ginApp struct {
	sessions *core.Manager
	probe
}

func (a *ginApp) handler() http.Handler {
	g := gin.New()
	g.Use(ginadapter.Middleware(a.sessions))
	mount(func(method, path string, h gin.HandlerFunc) { g.Handle(method, path, h) },
		a.home, a.setTheme, a.addToCart, a.login, a.logout, a.moved, a.failing, a.slow, a.keys)
	return g
}

func (a *ginApp) home(c *gin.Context) {
	s := ginadapter.Session(c)
	t, _ := theme.Get(s) // "" if there is none
	c.String(http.StatusOK, "%s %s %v", s.UserID(), t, s.Flashes())
}

func (a *ginApp) setTheme(c *gin.Context) {
	s := ginadapter.Session(c)
	theme.Set(s, c.PostForm("theme"))
	s.Flash("success", "Saved.")
	c.Redirect(http.StatusSeeOther, "/")
}

func (a *ginApp) addToCart(c *gin.Context) {
	item := Item{Name: c.PostForm("item"), N: 1}
	cart.Update(ginadapter.Session(c), func(items []Item) []Item { return append(items, item) })
	c.Redirect(http.StatusSeeOther, "/")
}

func (a *ginApp) login(c *gin.Context) {
	s := ginadapter.Session(c)
	s.Login(c.PostForm("user")) // a new token; the old one is dead
	s.Remember(c.PostForm("remember") == "on")
	c.Redirect(http.StatusSeeOther, "/")
}

func (a *ginApp) logout(c *gin.Context) {
	ginadapter.Session(c).Logout()
	c.Redirect(http.StatusSeeOther, "/")
}

// What follows is not in the docs; it is run beside the old application.

func (a *ginApp) moved(c *gin.Context) {
	ginadapter.Session(c).Flashes()
	c.Redirect(http.StatusSeeOther, "/")
}

func (a *ginApp) failing(c *gin.Context) {
	theme.Set(ginadapter.Session(c), c.PostForm("theme"))
	c.String(http.StatusInternalServerError, "failed")
}

func (a *ginApp) slow(c *gin.Context) {
	s := ginadapter.Session(c)
	a.wait()
	s.Set(c.PostForm("key"), "x")
	c.String(http.StatusOK, s.UserID())
}

func (a *ginApp) keys(c *gin.Context) {
	c.String(http.StatusOK, "%v", keysOf(ginadapter.Session(c)))
}

func newGin(t *testing.T) site {
	t.Helper()
	return newSite(t, func(m *core.Manager) (http.Handler, *probe) {
		app := &ginApp{sessions: m}
		return app.handler(), &app.probe
	})
}
