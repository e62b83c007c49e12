package examples_test

import (
	"encoding/gob"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	ginsessions "github.com/gin-contrib/sessions"
	gincookie "github.com/gin-contrib/sessions/cookie"
	ginmemstore "github.com/gin-contrib/sessions/memstore"
	ginredis "github.com/gin-contrib/sessions/redis"
	"github.com/gin-gonic/gin"
	"github.com/gorilla/sessions"
	echosession "github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"
	"github.com/rbcervilla/redisstore/v9"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/echoadapter"
	"github.com/satchel-go/satchel/ginadapter"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// basket is a type of an application on gorilla's sessions.
type basket struct {
	Pears int
	Note  string
}

func init() { gob.Register(basket{}) }

// legacy is a session of a library that Satchel replaces.
type legacy interface {
	Get(key any) any
	Set(key, v any)
	AddFlash(v any, key ...string)
	Flashes(key ...string) []any
	Save() error
}

// legacyHandlers do what an application does with it, by path.
var legacyHandlers = map[string]func(s legacy) string{
	"/fill": func(s legacy) string {
		s.Set("n", 41)
		s.Set("name", "Ada")
		s.Set("basket", basket{3, "ripe"})
		s.AddFlash("hello")
		s.AddFlash("for admins", "notice")
		return ""
	},
	"/read": func(s legacy) string {
		return fmt.Sprintf("%#v %v %+v %v %v", s.Get("n"), s.Get("name"), s.Get("basket"), s.Flashes(), s.Get("colour"))
	},
	"/more": func(s legacy) string {
		s.Set("n", s.Get("n").(int)+1)
		s.AddFlash("again")
		return ""
	},
}

// satchelHandlers do what the same application does with Satchel.
var satchelHandlers = map[string]func(s *core.Session) string{
	"/read": func(s *core.Session) string {
		n, _ := core.Get[int](s, "n")
		name, _ := core.Get[string](s, "name")
		b, _ := core.Get[basket](s, "basket")
		return fmt.Sprintf("%d %s %+v %v %s", n, name, b, s.Flashes(), s.UserID())
	},
	"/change": func(s *core.Session) string {
		core.Update(s, "n", func(n int) int { return n + 1 })
		s.Set("colour", "green")
		s.Flash("", "welcome")
		s.Flash("error", "ours alone")
		return ""
	},
	"/login":  func(s *core.Session) string { s.Login("ada"); return "" },
	"/logout": func(s *core.Session) string { s.Logout(); return "" },
}

// gorillaSession is gorilla's session with gin-contrib's methods.
type gorillaSession struct {
	*sessions.Session
	c echo.Context
}

func (s gorillaSession) Get(key any) any { return s.Values[key] }
func (s gorillaSession) Set(key, v any)  { s.Values[key] = v }
func (s gorillaSession) Save() error     { return s.Session.Save(s.c.Request(), s.c.Response()) }

// echoContrib is an application on echo-contrib/session.
func echoContrib(store sessions.Store) http.Handler {
	e := echo.New()
	e.Use(echosession.Middleware(store))
	for path, handle := range legacyHandlers {
		e.GET(path, func(c echo.Context) error {
			s, err := echosession.Get("session", c)
			if err != nil {
				return err
			}
			said := handle(gorillaSession{s, c})
			if err := s.Save(c.Request(), c.Response()); err != nil {
				return err
			}
			return c.String(http.StatusOK, said)
		})
	}
	return e
}

func echoSatchel(m *core.Manager) http.Handler {
	e := echo.New()
	e.Use(echoadapter.Middleware(m))
	for path, handle := range satchelHandlers {
		e.GET(path, func(c echo.Context) error { return c.String(http.StatusOK, handle(echoadapter.Session(c))) })
	}
	return e
}

// ginContrib is an application on gin-contrib/sessions.
func ginContrib(store sessions.Store) http.Handler {
	gin.SetMode(gin.TestMode)
	g := gin.New()
	g.Use(ginsessions.Sessions("session", store.(ginsessions.Store)))
	for path, handle := range legacyHandlers {
		g.GET(path, func(c *gin.Context) {
			s := ginsessions.Default(c)
			said := handle(s)
			if err := s.Save(); err != nil {
				_ = c.AbortWithError(http.StatusInternalServerError, err)
				return
			}
			c.String(http.StatusOK, said)
		})
	}
	return g
}

func ginSatchel(m *core.Manager) http.Handler {
	gin.SetMode(gin.TestMode)
	g := gin.New()
	g.Use(ginadapter.Middleware(m))
	for path, handle := range satchelHandlers {
		g.GET(path, func(c *gin.Context) { c.String(http.StatusOK, handle(ginadapter.Session(c))) })
	}
	return g
}

// ginFiles is gorilla's FilesystemStore as a store of gin-contrib's.
type ginFiles struct{ *sessions.FilesystemStore }

func (f ginFiles) Options(o ginsessions.Options) { f.FilesystemStore.Options = o.ToGorillaOptions() }

func key(name string) []byte { return []byte((name + "-6Jw0vPq3XzT8kLmN5rB7yHcD2fGs9QaE")[:32]) }

// browser keeps the cookie of one client.
type browser struct {
	*testing.T

	cookie string
}

func (b *browser) get(app http.Handler, path, want string) {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "https://example.com"+path, nil)
	if b.cookie != "" {
		r.Header.Set("Cookie", "session="+b.cookie)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Body.String() != want {
		b.Errorf("%s: %d %q, want %q", path, w.Code, w.Body, want)
	}
	for _, c := range w.Result().Cookies() {
		if c.Name == "session" {
			b.cookie = c.Value
		}
	}
}

// TestGorillaApplications lets applications on echo-contrib/session and
// gin-contrib/sessions share sessions in turn with the same ones on Satchel.
func TestGorillaApplications(t *testing.T) {
	addr := redistest.Shared(t).Addr()
	client := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = client.Close() })
	prefix := redistest.UniquePrefix(t)
	inRedis, err := redisstore.NewRedisStore(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	inRedis.KeyPrefix(prefix)
	ginRedis, err := ginredis.NewStore(2, "tcp", addr, "", "", key("hash"), key("block"))
	if err != nil {
		t.Fatal(err)
	}
	files := sessions.NewFilesystemStore(t.TempDir(), key("hash"), key("block"))
	compatible := gorillastore.RedisCompatible(client, gorillastore.CompatibleConfig{KeyPrefix: prefix})
	for _, c := range []struct {
		name    string
		legacy  func(sessions.Store) http.Handler
		satchel func(*core.Manager) http.Handler
		store   sessions.Store
		backend core.Backend // nil: From
	}{
		{"echo-contrib, files", echoContrib, echoSatchel, files, nil},
		{"echo-contrib, redisstore", echoContrib, echoSatchel, inRedis, nil},
		{"echo-contrib, redisstore, RedisCompatible", echoContrib, echoSatchel, inRedis, compatible},
		{"echo-contrib, cookie", echoContrib, echoSatchel, sessions.NewCookieStore(key("hash"), key("block")), nil},
		{"gin-contrib, files", ginContrib, ginSatchel, ginFiles{files}, nil},
		{"gin-contrib, redis", ginContrib, ginSatchel, ginRedis, nil},
		{"gin-contrib, memory", ginContrib, ginSatchel, ginmemstore.NewStore(key("hash"), key("block")), nil},
		{"gin-contrib, cookie", ginContrib, ginSatchel, gincookie.NewStore(key("hash"), key("block")), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.backend == nil {
				c.backend = gorillastore.From(c.store, gorillastore.FromConfig{})
			}
			config := core.Config{}
			config.Cookie.Name = "session"
			m, err := core.New(c.backend, config)
			if err != nil {
				t.Fatal(err)
			}
			takeTurns(t, c.legacy(c.store), c.satchel(m))
		})
	}
}

func takeTurns(t *testing.T, old, satchel http.Handler) {
	t.Helper()
	b := &browser{T: t}
	b.get(old, "/fill", "")
	begun := b.cookie
	b.get(satchel, "/change", "")
	b.get(old, "/read", "42 Ada {Pears:3 Note:ripe} [hello welcome] green")
	b.get(old, "/more", "")
	b.get(satchel, "/read", "43 Ada {Pears:3 Note:ripe} [{error ours alone} { again}] ")
	b.get(satchel, "/login", "")
	if b.cookie == begun || b.cookie == "" {
		t.Error("the login has not changed the cookie")
	}
	b.get(old, "/more", "")
	b.get(satchel, "/read", "44 Ada {Pears:3 Note:ripe} [{ again}] ada")
	b.get(old, "/read", "44 Ada {Pears:3 Note:ripe} [] green")
	b.get(satchel, "/logout", "")
	if b.cookie != "" {
		t.Error("the logout has left the cookie")
	}
	b.get(satchel, "/read", "0  {Pears:0 Note:} [] ")
	b.get(satchel, "/change", "")
	b.get(old, "/read", "1 <nil> <nil> [welcome] green")
}
