package interop_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/tester"
	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillasessions"
	"github.com/satchel-go/satchel/ginadapter"
)

// ginStore is a store as gin-contrib/sessions wants it.
type ginStore struct{ *gorillasessions.Store }

// Options implements [sessions.Store].
func (s ginStore) Options(o sessions.Options) { s.Store.Options = o.ToGorillaOptions() }

var _ sessions.Store = ginStore{}

// TestGinContribTester runs the conformance functions that gin-contrib has
// for its own stores.
func TestGinContribTester(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	gin.DefaultWriter = io.Discard
	for _, backend := range backends {
		newStore := func(t *testing.T) sessions.Store {
			t.Helper()
			return ginStore{gorillasessions.NewStore(newManager(t, backend.open(t)))}
		}
		t.Run(backend.name, func(t *testing.T) {
			t.Run("GetSet", func(t *testing.T) { tester.GetSet(t, newStore) })
			t.Run("DeleteKey", func(t *testing.T) { tester.DeleteKey(t, newStore) })
			t.Run("Flashes", func(t *testing.T) { tester.Flashes(t, newStore) })
			t.Run("Clear", func(t *testing.T) { tester.Clear(t, newStore) })
			t.Run("Options", func(t *testing.T) { tester.Options(t, newStore) })
			t.Run("Many", func(t *testing.T) { tester.Many(t, newStore) })
		})
	}
}

// An application with gin-contrib's middleware and Satchel's, or the former
// alone.
func TestGinContrib(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for _, backend := range backends {
		for _, with := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/with=%v", backend.name, with), func(t *testing.T) {
				m := newManager(t, backend.open(t))
				b := newBrowser(t, serveHTTP(t, ginContribApp(m, with)))
				b.sees("/get", "<nil> []")
				b.sees("/set?v=dark", "")
				b.sees("/get", "dark [saved]")
				b.sees("/get", "dark []")
				if with {
					b.sees("/satchel", "dark")
				}
				b.sees("/clear", "")
				b.sees("/get", "<nil> []")
			})
		}
	}
}

// A cookie that an attacker planted gains nothing when the victim signs in, in an
// application that knows nothing of tokens.
func TestI1SEC3GinContribSessionFixation(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for _, backend := range backends {
		for _, with := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/with=%v", backend.name, with), func(t *testing.T) {
				url := serveHTTP(t, ginContribApp(newManager(t, backend.open(t)), with))
				attacker, victim := newBrowser(t, url), newBrowser(t, url)
				attacker.sees("/set?v=dark", "")
				victim.plant(attacker.cookie())
				victim.sees("/login?user=ada", "")
				victim.sees("/user", "ada")
				victim.sees("/get", "dark [saved]")
				attacker.sees("/user", "<nil>")
				victim.sees("/user", "ada")
			})
		}
	}
}

func ginContribApp(m *core.Manager, with bool) http.Handler {
	g := gin.New()
	if with {
		g.Use(ginadapter.Middleware(m)) // outside: then both share the session
	}
	g.Use(sessions.Sessions("prefs", ginStore{gorillasessions.NewStore(m)}))
	save := func(c *gin.Context, s sessions.Session) {
		if err := s.Save(); err != nil {
			_ = c.AbortWithError(http.StatusInternalServerError, err)
		}
	}
	g.GET("/set", func(c *gin.Context) {
		s := sessions.Default(c)
		s.Set("theme", c.Query("v"))
		s.AddFlash("saved")
		save(c, s)
	})
	g.GET("/get", func(c *gin.Context) {
		s := sessions.Default(c)
		flashes := s.Flashes()
		save(c, s)
		c.String(http.StatusOK, "%v %v", s.Get("theme"), flashes)
	})
	g.GET("/login", func(c *gin.Context) {
		s := sessions.Default(c)
		s.Set("user", c.Query("user"))
		save(c, s)
	})
	g.GET("/user", func(c *gin.Context) { c.String(http.StatusOK, "%v", sessions.Default(c).Get("user")) })
	g.GET("/satchel", func(c *gin.Context) {
		theme, _ := core.Get[string](ginadapter.Session(c), gorillasessions.ValueKey("prefs", "theme"))
		c.String(http.StatusOK, theme)
	})
	g.GET("/clear", func(c *gin.Context) {
		s := sessions.Default(c)
		s.Clear()
		s.Options(sessions.Options{MaxAge: -1})
		save(c, s)
	})
	return g
}
