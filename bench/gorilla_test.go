package bench

import (
	"net/http"

	ginsessions "github.com/gin-contrib/sessions"
	"github.com/gin-gonic/gin"
	"github.com/gorilla/sessions"
	echosessions "github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"
)

// values are those of a gorilla session, in the frameworks that wrap it.
type values interface {
	get(key string) any
	set(key string, value any)
	flash(text string)
	flashes() []any
}

// gorillaSteps returns what handlers do with a session of gorilla's.
func gorillaSteps() map[string]func(values) {
	fillAll := func(s values) {
		s.set("id", int64(1234567))
		s.set("name", "Ann Example")
		s.set("role", "editor")
		s.set("blob", payload)
	}
	readAll := func(s values) {
		_, a := s.get("id").(int64)
		_, b := s.get("name").(string)
		_, c := s.get("role").(string)
		_, d := s.get("blob").([]byte)
		if !a || !b || !c || !d {
			panic("a value is missing")
		}
	}
	count := counter()
	return map[string]func(values){
		fill:   fillAll,
		member: func(s values) { fillAll(s); s.set("user", userOf18(count())) },
		read:   readAll,
		write:  func(s values) { readAll(s); s.set("id", count()) },
		notify: func(s values) { s.flash(notice) },
		show: func(s values) {
			flashes := s.flashes()
			if len(flashes) != 1 {
				panic("not one flash")
			}
			text, _ := flashes[0].(string)
			shown(text)
		},
	}
}

// saves reports whether the handler of a route saves the session.
func saves(route string) bool { return route != read }

// gorillaValues are a session of gorilla's.
type gorillaValues struct{ *sessions.Session }

func (s gorillaValues) get(key string) any        { return s.Values[key] }
func (s gorillaValues) set(key string, value any) { s.Values[key] = value }
func (s gorillaValues) flash(text string)         { s.AddFlash(text) }
func (s gorillaValues) flashes() []any            { return s.Flashes() }

// ginValues are a session of gin-contrib's.
type ginValues struct{ ginsessions.Session }

func (s ginValues) get(key string) any        { return s.Get(key) }
func (s ginValues) set(key string, value any) { s.Set(key, value) }
func (s ginValues) flash(text string)         { s.AddFlash(text) }
func (s ginValues) flashes() []any            { return s.Flashes() }

// gorillaOn returns gorilla/sessions on a store.
func gorillaOn(name string, store sessions.Store) peer {
	steps := map[string]httpStep{}
	for route, step := range gorillaSteps() {
		saves := saves(route)
		steps[route] = func(w http.ResponseWriter, r *http.Request) {
			s, err := store.Get(r, "session")
			must(err)
			step(gorillaValues{s})
			if saves {
				must(s.Save(r, w))
			}
		}
	}
	return httpOn(name, nil, steps)
}

// echoContrib returns echo-contrib, which is gorilla/sessions, on a store.
func echoContrib(name string, store sessions.Store) peer {
	steps := map[string]echoStep{}
	for route, step := range gorillaSteps() {
		saves := saves(route)
		steps[route] = func(c echo.Context) {
			s, err := echosessions.Get("session", c)
			must(err)
			step(gorillaValues{s})
			if saves {
				must(s.Save(c.Request(), c.Response()))
			}
		}
	}
	return echoOn(name, []echo.MiddlewareFunc{echosessions.Middleware(store)}, steps)
}

// ginContrib returns gin-contrib, on its own version of a store of gorilla's.
func ginContrib(name string, store ginsessions.Store) peer {
	steps := map[string]ginStep{}
	for route, step := range gorillaSteps() {
		saves := saves(route)
		steps[route] = func(c *gin.Context) {
			s := ginsessions.Default(c)
			step(ginValues{s})
			if saves {
				must(s.Save())
			}
		}
	}
	return ginOn(name, []gin.HandlerFunc{ginsessions.Sessions("session", store)}, steps)
}
