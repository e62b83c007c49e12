package comingfrom_test

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v2/middleware/session"
	session3 "github.com/gofiber/fiber/v3/middleware/session"
	"github.com/gorilla/sessions"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/scsstore"
)

// keptConfig goes on with the old application's cookie.
var keptConfig = core.Config{
	Cookie:     core.Cookie{Name: "session"},                                            // as before, like Domain and Path
	Remembered: core.Timeouts{Idle: 30 * 24 * time.Hour, Lifetime: 90 * 24 * time.Hour}, // Idle: the old MaxAge
}

// fromStore moves sessions from any store of gorilla's or gin-contrib's.
func fromStore(old sessions.Store, after core.Backend) (*core.Manager, error) {
	before := gorillastore.From(old, gorillastore.FromConfig{UserKey: "user"})
	return core.New(core.Migrating(before, after), keptConfig)
}

// fromRedisstore moves sessions from rbcervilla/redisstore.
func fromRedisstore(client redis.UniversalClient, after core.Backend) (*core.Manager, error) {
	before := gorillastore.RedisCompatible(client, gorillastore.CompatibleConfig{UserKey: "user"})
	return core.New(core.Migrating(before, after), keptConfig)
}

// fromOneKey moves sessions from NewCookieStore(hashKey), whose users are integers.
func fromOneKey(old sessions.Store, after core.Backend) (*core.Manager, error) {
	before := gorillastore.From(old, gorillastore.FromConfig{
		UserKey:               "user",
		UserValue:             func(user string) (any, error) { return strconv.Atoi(user) }, // an int, as before
		InsecureAllowReadable: true,                                                         // cookies that were readable already
	})
	return core.New(core.Migrating(before, after), keptConfig)
}

// keepPrefs moves the values of a second cookie. It goes inside Satchel's middleware.
func keepPrefs(old sessions.Store, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before, err := old.Get(r, "prefs"); err == nil && !before.IsNew {
			s := httpadapter.Session(r)
			t, ok := before.Values["theme"].(string)
			if _, newer := theme.Get(s); ok && !newer {
				theme.Set(s, t)
			}
			for _, f := range before.Flashes("notice") {
				s.Flash("notice", fmt.Sprint(f))
			}
			if err := s.Commit(r.Context()); err != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "prefs", Path: "/", MaxAge: -1}) // not in the store: requests overlap
		}
		next.ServeHTTP(w, r)
	})
}

// fromSCS moves sessions from scs's store, whichever it is.
func fromSCS(old *scs.SessionManager, after core.Backend) (*core.Manager, error) {
	before := scsstore.From(old, scsstore.Config{
		UserKey: "user",                                // says who is logged in
		Flashes: map[string]string{"flash": "success"}, // what is popped, and of which kind it is now
	})
	return core.New(core.Migrating(before, after), scsstore.ConfigOf(old))
}

// fromFiber moves sessions from Fiber's storage, whichever it is.
func fromFiber(old *session.Store, after core.Backend) (*core.Manager, error) {
	store := gorillastore.FiberV2(gorillastore.FiberConfig{Storage: old.Storage, CookieSessionOnly: old.CookieSessionOnly})
	before := gorillastore.From(store, gorillastore.FromConfig{UserKey: "user"})
	return core.New(core.Migrating(before, after), likeFiber(old))
}

// likeFiber keeps the cookie, and lets sessions last as long as before.
func likeFiber(old *session.Store) core.Config {
	kept := core.Timeouts{Idle: old.Expiration, Lifetime: 90 * 24 * time.Hour} // Fiber v2 has no Lifetime
	return core.Config{
		Cookie:      core.Cookie{Name: "session_id"}, // as in KeyLookup
		IdleTimeout: kept.Idle,
		Lifetime:    kept.Lifetime,
		Remembered:  kept, // sessions that come from Fiber are
	}
}

// fromFiber3 is fromFiber for Fiber v3.
func fromFiber3(old *session3.Store, after core.Backend) (*core.Manager, error) {
	store := gorillastore.FiberV3(gorillastore.FiberConfig{Storage: old.Storage, CookieSessionOnly: old.CookieSessionOnly})
	before := gorillastore.From(store, gorillastore.FromConfig{UserKey: "user"})
	kept := core.Timeouts{Idle: old.IdleTimeout, Lifetime: old.AbsoluteTimeout} // if it is set
	return core.New(core.Migrating(before, after), core.Config{
		Cookie: core.Cookie{Name: "session_id"}, IdleTimeout: kept.Idle, Lifetime: kept.Lifetime, Remembered: kept,
	})
}
