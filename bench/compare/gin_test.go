package compare

import (
	"io"
	"net/http"
	"strconv"

	"github.com/gin-contrib/sessions"
	ginredis "github.com/gin-contrib/sessions/redis"
	"github.com/gin-gonic/gin"
)

const maxLength = "SetMaxLength"

// ginContrib is gin-contrib/sessions with its Redis store.
func ginContrib() library {
	return library{
		name: "gin-contrib/sessions", backend: "Redis", framework: "Gin", source: "gin_test.go",
		modules: []string{"github.com/gin-contrib/sessions", "github.com/gin-gonic/gin"},
		options: []option{{safeCookies, []string{"flags"}}, {saveAlways, []string{"idle"}}, {maxLength, []string{"large"}}},
		start:   startGin,
	}
}

func startGin(e environment) (*app, error) {
	var pairs [][]byte
	for _, key := range e.keys {
		pairs = append(pairs, []byte(key), nil)
	}
	store, err := ginredis.NewStoreWithDB(10, "tcp", e.redis, "", "", strconv.Itoa(e.db), pairs...)
	if err != nil {
		return nil, err
	}
	if e.option == safeCookies {
		store.Options(sessions.Options{Path: "/", MaxAge: 86400 * 30, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
	}
	if e.timeout() > 0 {
		store.Options(sessions.Options{Path: "/", MaxAge: int(e.timeout().Seconds())})
	}
	inner, err := ginredis.GetRedisStore(store)
	if err != nil {
		return nil, err
	}
	if e.option == maxLength {
		inner.SetMaxLength(1 << 20)
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(gin.RecoveryWithWriter(io.Discard), sessions.Sessions(cookieName, store))
	a := &app{env: e, close: func() { _ = inner.Close() }}
	for _, r := range routes {
		engine.Any(r.path, func(c *gin.Context) {
			_ = a.answer(r, httpRequest{c.Writer, c.Request}, func() (session, error) {
				s := sessions.Default(c)
				return ginSession{bag{func(key string) any { return s.Get(key) }, func(key string, v any) { s.Set(key, v) }}, s}, nil
			})
		})
	}
	return a.on(engine), nil
}

type ginSession struct {
	bag
	s sessions.Session
}

func (g ginSession) save() error                { return g.s.Save() }
func (g ginSession) flash(text string) error    { g.s.AddFlash(text); return nil }
func (g ginSession) flashes() ([]string, error) { return texts(g.s.Flashes()), nil }
func (g ginSession) login(user string) error    { g.set("user", user); return nil } // nothing renews the ID
func (g ginSession) id() string                 { return g.s.ID() }
func (g ginSession) logout() error {
	g.s.Clear()
	g.s.Options(sessions.Options{Path: "/", MaxAge: -1})
	return g.s.Save()
}
