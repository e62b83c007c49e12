package comingfrom_test

import (
	"net/http"
	"testing"

	"github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	"github.com/gin-contrib/sessions/memstore"
	"github.com/gin-gonic/gin"
	gorilla "github.com/gorilla/sessions"
)

// ginContribApp is the old application on gin-contrib/sessions.
type ginContribApp struct {
	store sessions.Store
	probe
}

func (a *ginContribApp) handler() http.Handler {
	g := gin.New()
	g.Use(sessions.Sessions("session", a.store))
	mount(func(method, path string, h gin.HandlerFunc) { g.Handle(method, path, h) },
		a.home, a.setTheme, a.addToCart, a.login, a.logout, a.moved, a.failing, a.slow, a.keys)
	return g
}

func (a *ginContribApp) home(c *gin.Context) {
	s := sessions.Default(c)
	user, _ := s.Get("user").(string)
	t, _ := s.Get("theme").(string)
	flashes := s.Flashes()
	if err := s.Save(); err != nil { // or they are shown again
		_ = c.AbortWithError(http.StatusInternalServerError, err)
		return
	}
	c.String(http.StatusOK, "%s %s %v", user, t, flashes)
}

func (a *ginContribApp) setTheme(c *gin.Context) {
	s := sessions.Default(c)
	s.Set("theme", c.PostForm("theme"))
	s.AddFlash("Saved.")
	if err := s.Save(); err != nil {
		_ = c.AbortWithError(http.StatusInternalServerError, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/")
}

func (a *ginContribApp) addToCart(c *gin.Context) {
	s := sessions.Default(c)
	items, _ := s.Get("cart").([]Item)
	s.Set("cart", append(items, Item{Name: c.PostForm("item"), N: 1}))
	if err := s.Save(); err != nil { // without gob.Register([]Item{})
		_ = c.AbortWithError(http.StatusInternalServerError, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/")
}

func (a *ginContribApp) login(c *gin.Context) {
	s := sessions.Default(c)
	s.Set("user", c.PostForm("user")) // in a server-side store, this keeps the ID
	if c.PostForm("remember") == "on" {
		s.Options(sessions.Options{Path: "/", MaxAge: 86400 * 30, HttpOnly: true})
	}
	if err := s.Save(); err != nil {
		_ = c.AbortWithError(http.StatusInternalServerError, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/")
}

func (a *ginContribApp) logout(c *gin.Context) {
	s := sessions.Default(c)
	s.Options(sessions.Options{Path: "/", MaxAge: -1})
	if err := s.Save(); err != nil {
		_ = c.AbortWithError(http.StatusInternalServerError, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/")
}

func (a *ginContribApp) moved(c *gin.Context) {
	s := sessions.Default(c)
	s.Flashes()
	_ = s.Save()
	c.Redirect(http.StatusSeeOther, "/")
}

func (a *ginContribApp) failing(c *gin.Context) {
	s := sessions.Default(c)
	s.Set("theme", c.PostForm("theme"))
	_ = s.Save()
	c.String(http.StatusInternalServerError, "failed")
}

func (a *ginContribApp) slow(c *gin.Context) {
	s := sessions.Default(c)
	s.Get("") // only this loads it
	a.wait()
	s.Set(c.PostForm("key"), "x")
	_ = s.Save()
	c.Status(http.StatusNoContent)
}

func (a *ginContribApp) keys(c *gin.Context) {
	s := sessions.Default(c)
	values := map[any]any{}
	for _, key := range []string{"a", "b"} {
		if v := s.Get(key); v != nil {
			values[key] = v
		}
	}
	c.String(http.StatusOK, "%v", keysIn(values))
}

// filesForGin is gorilla's FilesystemStore as a store of gin-contrib's.
type filesForGin struct{ *gorilla.FilesystemStore }

// Options implements [sessions.Store].
func (f filesForGin) Options(o sessions.Options) { f.FilesystemStore.Options = o.ToGorillaOptions() }

func ginContribOnFiles(t *testing.T) site {
	t.Helper()
	store, down := gorillaFiles(t)
	app := &ginContribApp{store: filesForGin{store}}
	return site{app.handler(), &app.probe, down}
}

func ginContribInMemory(*testing.T) site {
	app := &ginContribApp{store: memstore.NewStore(hashKey, blockKey)}
	return site{app.handler(), &app.probe, nil}
}

func ginContribInCookies(*testing.T) site {
	app := &ginContribApp{store: cookie.NewStore(hashKey, blockKey)}
	return site{app.handler(), &app.probe, nil}
}

// What docs/coming-from/gin-contrib.md says is different.
func TestFromGinContrib(t *testing.T) {
	compare(t, ginContribOnFiles, newGin, ofGorilla)
	compare(t, ginContribInMemory, newGin, []difference{
		{"memory/overlapping", overlapping, "200 [a]", "200 [a b]"},
	})
	compare(t, ginContribInCookies, newGin, []difference{
		{"cookie/logout", logout, "200 ann []", "200 []"},
	})
}
