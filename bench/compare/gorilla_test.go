package compare

import (
	"context"
	"encoding/gob"
	"net/http"

	"github.com/gorilla/sessions"
	"github.com/rbcervilla/redisstore/v9"
	"github.com/redis/go-redis/v9"
)

// gob needs to know the types of values behind interfaces. gorilla, scs and Fiber say so.
func init() { gob.Register(circle{}) }

const cookieName = "session"

// blockKey is an option of gorilla's cookies, which are only signed otherwise.
const blockKey = "an encryption key"

// checkGet is an option of gorilla's libraries. Their README ignores the error of Get, and
// their package documentation answers it with 500; this is the latter.
const checkGet = "500 for an error of Get"

// gorillaCookie is gorilla/sessions with its CookieStore.
func gorillaCookie() library {
	return library{
		name: "gorilla/sessions", backend: "cookie", framework: "net/http", source: "gorilla_test.go",
		modules: []string{"github.com/gorilla/sessions"},
		options: []option{{blockKey, []string{"unreadable"}}, {safeCookies, []string{"flags"}}, {saveAlways, []string{"idle"}}},
		start: func(e environment) (*app, error) {
			a := &app{env: e}
			return a.on(a.mux(gorilla(e, gorillaCookieStore(e)))), nil
		},
	}
}

func gorillaCookieStore(e environment) *sessions.CookieStore {
	var pairs [][]byte // for each key one to sign with, and one or none to encrypt with
	for _, key := range e.keys {
		if e.option == blockKey {
			pairs = append(pairs, []byte(key), []byte(key))
		} else {
			pairs = append(pairs, []byte(key), nil)
		}
	}
	store := sessions.NewCookieStore(pairs...)
	if e.option == safeCookies {
		store.Options.HttpOnly, store.Options.SameSite = true, http.SameSiteLaxMode
	}
	if e.timeout() > 0 {
		store.MaxAge(int(e.timeout().Seconds()))
	}
	return store
}

// gorillaRedis is gorilla/sessions with rbcervilla/redisstore.
func gorillaRedis() library {
	return library{
		name: "gorilla/sessions", backend: "Redis", framework: "net/http", source: "gorilla_test.go",
		modules: []string{"github.com/gorilla/sessions", "github.com/rbcervilla/redisstore/v9"},
		options: []option{{safeCookies, []string{"flags"}}, {saveAlways, []string{"idle"}}, {checkGet, []string{"outage-told", "outage-survives", "outage-cut"}}},
		start: func(e environment) (*app, error) {
			client := redis.NewClient(&redis.Options{Addr: e.redis, DB: e.db})
			store, err := redisstore.NewRedisStore(context.Background(), client)
			if err != nil {
				return nil, err
			}
			options := sessions.Options{Path: "/", MaxAge: 86400 * 30}
			if e.option == safeCookies {
				options.HttpOnly, options.Secure, options.SameSite = true, true, http.SameSiteLaxMode
			}
			if e.timeout() > 0 {
				options.MaxAge = int(e.timeout().Seconds())
			}
			store.Options(options)
			a := &app{env: e, close: func() { _ = client.Close() }}
			return a.on(a.mux(gorilla(e, store))), nil
		},
	}
}

// gorilla returns what opens a session in store, as the README does.
func gorilla(e environment, store sessions.Store) func(http.ResponseWriter, *http.Request) (session, error) {
	return func(w http.ResponseWriter, r *http.Request) (session, error) {
		s, err := store.Get(r, cookieName)
		if e.option == checkGet && err != nil {
			return nil, err
		}
		return gorillaSession{gorillaBag(s), s, func() error { return s.Save(r, w) }}, nil
	}
}

func gorillaBag(s *sessions.Session) bag {
	return bag{
		load:  func(key string) any { return s.Values[key] },
		store: func(key string, v any) { s.Values[key] = v },
	}
}

type gorillaSession struct {
	bag
	s    *sessions.Session
	keep func() error
}

func (g gorillaSession) save() error             { return g.keep() }
func (g gorillaSession) flash(text string) error { g.s.AddFlash(text); return nil }
func (g gorillaSession) login(user string) error { g.set("user", user); return nil } // nothing renews the ID
func (g gorillaSession) logout() error           { g.s.Options.MaxAge = -1; return g.keep() }
func (g gorillaSession) id() string              { return g.s.ID }
func (g gorillaSession) flashes() ([]string, error) {
	return texts(g.s.Flashes()), nil
}

func texts(list []any) []string {
	var all []string
	for _, v := range list {
		text, _ := v.(string)
		all = append(all, text)
	}
	return all
}
