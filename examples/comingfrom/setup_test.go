package comingfrom_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	gin "github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/session"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// weekly makes sessions last for a week, like the old ones here.
var weekly = core.Config{
	IdleTimeout: 7 * 24 * time.Hour,
	Lifetime:    7 * 24 * time.Hour,
}

// Sessions in the cookie. The key comes from sealed.GenerateKey, by way of the environment.
func sessionsInCookies(key string) (*core.Manager, error) {
	keys, err := sealed.ParseKeyring(key)
	if err != nil {
		return nil, err
	}
	return core.New(core.ClientSide(sealed.Cookie(keys)), weekly)
}

func sessionsInRedis(url string) (*core.Manager, error) {
	client, err := goredisstore.NewClient(url)
	if err != nil {
		return nil, err
	}
	return core.New(core.ServerSide(goredisstore.New(client, goredisstore.Config{})), weekly)
}

func sessionsInMemory() (*core.Manager, error) {
	return core.New(core.ServerSide(memstore.New(memstore.Config{})), weekly)
}

func gorillaStore() sessions.Store {
	store := sessions.NewCookieStore(hashKey, blockKey)
	store.MaxAge(86400 * 7)
	store.Options.HttpOnly = true
	store.Options.Secure = true
	store.Options.SameSite = http.SameSiteLaxMode
	return store
}

func ginStore() gin.Store {
	store := cookie.NewStore(hashKey, blockKey)
	store.Options(gin.Options{
		Path: "/", MaxAge: 86400 * 7, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	})
	return store
}

func scsManager() *scs.SessionManager {
	manager := scs.New()
	manager.Lifetime = 7 * 24 * time.Hour
	manager.Cookie.Secure = true
	manager.Cookie.Persist = false // RememberMe decides
	return manager
}

func fiberStore(storage fiber.Storage) *session.Store {
	return session.New(session.Config{
		Storage:        storage,
		Expiration:     7 * 24 * time.Hour,
		CookieSecure:   true,
		CookieHTTPOnly: true,
		CookieSameSite: "Lax",
	})
}

// Each of them must work.
func TestSetUp(t *testing.T) {
	after := func(m *core.Manager, err error) http.Handler {
		if err != nil {
			t.Fatal(err)
		}
		return (&netHTTPApp{sessions: m}).handler()
	}
	for name, app := range map[string]http.Handler{
		"gorilla": (&gorillaApp{store: gorillaStore()}).handler(),
		"gin":     (&ginContribApp{store: ginStore()}).handler(),
		"scs":     (&scsApp{sessions: scsManager()}).handler(),
		"fiber":   (&fiberSessionApp{store: fiberStore(new(fiberMemory))}).handler(),
		"cookies": after(sessionsInCookies(sealed.GenerateKey())),
		"redis":   after(sessionsInRedis("redis://" + redistest.Shared(t).Addr())),
		"memory":  after(sessionsInMemory()),
	} {
		b := newBrowser(t, site{handler: app})
		b.post("/login", "user", "ann")
		if got := b.get("/"); len(got) < 7 || got[:7] != "200 ann" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
