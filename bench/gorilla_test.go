package bench

import (
	"net/http"

	"github.com/gorilla/sessions"
)

// gorillaOn returns gorilla/sessions on a store.
func gorillaOn(name string, store sessions.Store) peer {
	get := func(r *http.Request) *sessions.Session {
		s, err := store.Get(r, "session")
		if err != nil {
			panic(err)
		}
		return s
	}
	readAll := func(r *http.Request) *sessions.Session {
		s := get(r)
		_, a := s.Values["id"].(int64)
		_, b := s.Values["name"].(string)
		_, c := s.Values["role"].(string)
		_, d := s.Values["blob"].([]byte)
		if !a || !b || !c || !d {
			panic("a value is missing")
		}
		return s
	}
	save := func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		if err := s.Save(r, w); err != nil {
			panic(err)
		}
	}
	n := int64(0)
	return peer{name, httpApp{
		fill: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := get(r)
			s.Values["id"], s.Values["name"], s.Values["role"], s.Values["blob"] = int64(1234567), "Ann Example", "editor", payload
			save(w, r, s)
		}),
		read:      http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { readAll(r) }),
		write:     http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s := readAll(r); n++; s.Values["id"] = n; save(w, r, s) }),
		anonymous: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
	}}
}
