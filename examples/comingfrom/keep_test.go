package comingfrom_test

import (
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-contrib/sessions/cookie"
	ginredis "github.com/gin-contrib/sessions/redis"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/gofiber/fiber/v2/middleware/session"
	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"
	"github.com/rbcervilla/redisstore/v9"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/scsstore"
	"github.com/satchel-go/satchel/echoadapter"
	"github.com/satchel-go/satchel/fiberadapter"
	"github.com/satchel-go/satchel/ginadapter"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// keptConfig keeps using the cookie that the old application has set.
var keptConfig = core.Config{
	Cookie: core.Cookie{Name: "session"}, // as before, like Domain and Path
}

// fromStore moves sessions from any store of gorilla's or gin-contrib's.
func fromStore(old sessions.Store, client redis.UniversalClient) (*core.Manager, error) {
	before := gorillastore.From(old, gorillastore.FromConfig{UserKey: "user"})
	after := core.ServerSide(goredisstore.New(client, goredisstore.Config{}))
	return core.New(core.Migrating(before, after), keptConfig)
}

// fromRedisstore moves sessions from rbcervilla/redisstore's to Satchel's own.
func fromRedisstore(client redis.UniversalClient) (*core.Manager, error) {
	before := gorillastore.RedisCompatible(client, gorillastore.CompatibleConfig{UserKey: "user"})
	after := core.ServerSide(goredisstore.New(client, goredisstore.Config{}))
	return core.New(core.Migrating(before, after), keptConfig)
}

// fromSCS moves sessions from scs's store, whichever it is.
func fromSCS(old *scs.SessionManager, client redis.UniversalClient) (*core.Manager, error) {
	before := scsstore.From(old, scsstore.Config{
		UserKey: "user",                                // says who is logged in
		Flashes: map[string]string{"flash": "success"}, // what is popped, and of which kind it is now
	})
	after := core.ServerSide(goredisstore.New(client, goredisstore.Config{}))
	return core.New(core.Migrating(before, after), scsstore.ConfigOf(old))
}

// keepFiber logs in a user who is logged in with Fiber's session middleware,
// and ends that session. It goes inside Satchel's middleware.
func keepFiber(old *session.Store) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if c.Cookies("session_id") == "" {
			return c.Next()
		}
		before, err := old.Get(c)
		if err != nil {
			return err
		}
		s := fiberadapter.Session(c)
		if user, ok := before.Get("user").(string); ok && s.UserID() == "" {
			s.Login(user)
			t, _ := before.Get("theme").(string)
			theme.Set(s, t)
			if err := s.Commit(c.UserContext()); err != nil {
				return fiber.ErrServiceUnavailable
			}
		}
		if err := before.Destroy(); err != nil { // deletes its cookie too
			return err
		}
		return c.Next()
	}
}

// moves lets a user log in with the old application and continue with the new one.
func moves(t *testing.T, before, after http.Handler) {
	t.Helper()
	b := newBrowser(t, site{handler: before})
	b.post("/theme", "theme", "dark")
	b.post("/login", "user", "ann")
	b.get("/") // shows the flash
	b.handler = after
	for range 2 {
		if got := b.get("/"); got != "200 ann dark []" {
			t.Errorf("the new application shows %q", got)
		}
	}
	stale := b.Request(http.MethodGet, "/", nil)
	b.post("/logout")
	if got := b.get("/"); got != "200 []" {
		t.Errorf("after the logout it shows %q", got)
	}
	if got := newBrowser(t, b.site).do(stale); got != "200 []" {
		t.Errorf("with the cookie from before the logout it shows %q", got)
	}
}

func redisClient(t *testing.T) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func mounted(t *testing.T, m *core.Manager, err error) http.Handler {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	app := &netHTTPApp{sessions: m}
	mux.HandleFunc("GET /", app.home)
	mux.HandleFunc("POST /logout", app.logout)
	return httpadapter.Middleware(m)(mux)
}

func TestKeepUsersOfGorilla(t *testing.T) {
	client := redisClient(t)
	t.Run("cookies", func(t *testing.T) {
		old := &gorillaApp{store: sessions.NewCookieStore(hashKey, blockKey)}
		m, err := fromStore(old.store, client)
		after := mounted(t, m, err)
		moves(t, old.handler(), after)

		// The trap: gorilla's logout does not revoke the cookie, not even for Satchel.
		b := newBrowser(t, site{handler: old.handler()})
		b.post("/login", "user", "ann")
		copied := b.Request(http.MethodGet, "/", nil)
		b.post("/logout")
		if got := newBrowser(t, site{handler: after}).do(copied); got != "200 ann []" {
			t.Errorf("with the cookie from before gorilla's logout it shows %q", got)
		}
	})
	t.Run("redisstore", func(t *testing.T) {
		store, err := redisstore.NewRedisStore(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		store.Options(sessions.Options{Path: "/", MaxAge: 86400})
		m, err := fromRedisstore(client)
		moves(t, (&gorillaApp{store: store}).handler(), mounted(t, m, err))
	})
	t.Run("files", func(t *testing.T) {
		store := sessions.NewFilesystemStore(t.TempDir(), hashKey, blockKey)
		m, err := fromStore(store, client)
		moves(t, (&gorillaApp{store: store}).handler(), mounted(t, m, err))
	})
}

func TestKeepUsersOfEchoContrib(t *testing.T) {
	old := sessions.NewCookieStore(hashKey, blockKey)
	m, err := fromStore(old, redisClient(t))
	if err != nil {
		t.Fatal(err)
	}
	e, app := echo.New(), &echoApp{sessions: m}
	e.Use(echoadapter.Middleware(m))
	e.GET("/", app.home)
	e.POST("/logout", app.logout)
	moves(t, (&echoContribApp{store: old}).handler(), e)
}

func TestKeepUsersOfGinContrib(t *testing.T) {
	client := redisClient(t)
	t.Run("cookie", func(t *testing.T) {
		store := cookie.NewStore(hashKey, blockKey)
		m, err := fromStore(store, client)
		moves(t, (&ginContribApp{store: store}).handler(), mountedInGin(t, m, err))
	})
	t.Run("redis", func(t *testing.T) {
		store, err := ginredis.NewStore(2, "tcp", redistest.Shared(t).Addr(), "", "", hashKey, blockKey)
		if err != nil {
			t.Fatal(err)
		}
		m, err := fromStore(store, client)
		moves(t, (&ginContribApp{store: store}).handler(), mountedInGin(t, m, err))
	})
}

func mountedInGin(t *testing.T, m *core.Manager, err error) http.Handler {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	g, app := gin.New(), &ginApp{sessions: m}
	g.Use(ginadapter.Middleware(m))
	g.GET("/", app.home)
	g.POST("/logout", app.logout)
	return g
}

// newManager returns the Manager of an application that cannot read the old
// one's sessions.
func newManager(t *testing.T) *core.Manager {
	t.Helper()
	memory := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = memory.Close() })
	m, err := core.New(core.ServerSide(memory), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestKeepUsersOfSCS(t *testing.T) {
	old := scs.New()
	m, err := fromSCS(old, redisClient(t))
	if err != nil {
		t.Fatal(err)
	}
	before, after := (&scsApp{sessions: old}).handler(), (&netHTTPApp{sessions: m}).handler()
	moves(t, before, after)

	b := newBrowser(t, site{handler: before})
	b.post("/login", "user", "ann")
	b.post("/theme", "theme", "dark")
	copied := b.Request(http.MethodGet, "/", nil)
	b.handler = after
	if got := b.get("/"); got != "200 ann dark [{success Saved.}]" {
		t.Errorf("the new application shows %q", got)
	}
	if got := newBrowser(t, site{handler: before}).do(copied); got != "200" {
		t.Errorf("the old application shows %q of a session that has moved", got)
	}
}

func TestKeepUsersOfFiber(t *testing.T) {
	old, m := session.New(), newManager(t)
	f, app := fiber.New(), &fiberApp{sessions: m}
	f.Use(fiberadapter.Middleware(m), keepFiber(old))
	f.Get("/", app.home)
	f.Post("/logout", app.logout)
	moves(t, (&fiberSessionApp{store: old}).handler(), adaptor.FiberApp(f))
}

// A cookie of a library that Satchel cannot read is not a session, and stays
// as it is: the new application logs nobody out of the old one.
func TestUnreadableCookiesAreNoSession(t *testing.T) {
	m := newManager(t)
	old := scs.New()
	old.Cookie.Name = "__Host-session"
	for name, before := range map[string]http.Handler{
		"scs":   (&scsApp{sessions: old}).handler(),
		"fiber": (&fiberSessionApp{store: session.New(session.Config{KeyLookup: "cookie:__Host-session"})}).handler(),
	} {
		b := newBrowser(t, site{handler: before})
		b.post("/login", "user", "ann")
		b.handler = (&netHTTPApp{sessions: m}).handler()
		res := b.Do(b.handler, b.Request(http.MethodGet, "/", nil))
		if res.StatusCode != http.StatusOK || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d, Set-Cookie %q", name, res.StatusCode, res.Header.Get("Set-Cookie"))
		}
		if got := b.get("/"); got != "200 []" {
			t.Errorf("%s: the new application shows %q", name, got)
		}
		b.handler = before
		if got := b.get("/"); got != "200 ann" {
			t.Errorf("%s: back in the old one, it shows %q", name, got)
		}
	}
}
