package compare

import (
	"context"
	"crypto/rand"
	"net/http"

	"github.com/redis/go-redis/v9"
)

// specimens are libraries of our own that do wrong what none of the columns does, or right
// what all do wrong, so that every case is seen to say no and yes. They are not in the table.
func specimens() []library {
	return []library{careless("keeps flashes"), careless("forgets flashes"), careless("takes flashes")}
}

// careless stores each value as soon as it is set and for ever, in a place that only this
// process knows. It logs users out when Redis fails, and its revocations do nothing.
func careless(variant string) library {
	return library{name: "careless", backend: "Redis", framework: variant, start: func(e environment) (*app, error) {
		client := redis.NewClient(&redis.Options{Addr: e.redis, DB: e.db})
		place := rand.Text()
		nothing := func(context.Context, string) error { return nil }
		a := &app{
			env: e, close: func() { _ = client.Close() },
			endID: nothing, endUser: nothing,
			endAll: func(context.Context) error { return nil },
			count:  func(context.Context, string) (int, error) { return 0, nil },
		}
		return a.on(a.mux(func(w http.ResponseWriter, r *http.Request) (session, error) {
			s := &carelessSession{w: w, r: r, client: client, variant: variant}
			if cookie, err := r.Cookie(cookieName); err == nil {
				s.token = cookie.Value
			} else {
				s.token = rand.Text()
			}
			s.key = place + s.token
			s.bag = bag{load: s.load, store: s.store}
			if err := client.Ping(r.Context()).Err(); err != nil {
				return s, s.logout()
			}
			return s, nil
		})), nil
	}}
}

type carelessSession struct {
	bag
	w          http.ResponseWriter
	r          *http.Request
	client     *redis.Client
	token, key string
	variant    string
}

func (s *carelessSession) load(key string) any {
	text, err := s.client.HGet(s.r.Context(), s.key, key).Result()
	if err != nil {
		return nil
	}
	return text
}

func (s *carelessSession) store(key string, v any) {
	_ = s.client.HSet(s.r.Context(), s.key, key, v).Err()
	http.SetCookie(s.w, &http.Cookie{Name: cookieName, Value: s.token, Path: "/"})
}

func (s *carelessSession) save() error             { return nil }
func (s *carelessSession) login(user string) error { s.set("user", user); return nil }
func (s *carelessSession) id() string              { return s.token }

func (s *carelessSession) logout() error {
	http.SetCookie(s.w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1})
	return nil
}

func (s *carelessSession) flash(text string) error {
	if s.variant != "forgets flashes" {
		s.set("flash", text)
	}
	return nil
}

func (s *carelessSession) flashes() ([]string, error) {
	text := s.get("flash")
	if s.variant == "takes flashes" { // of two that read it, one can remove it
		if n, err := s.client.HDel(s.r.Context(), s.key, "flash").Result(); n == 0 || err != nil {
			return nil, err
		}
	}
	return []string{text}, nil
}
