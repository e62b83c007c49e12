package bench

import (
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
)

// scsOn returns scs on a store, or on its memory store if that is nil. A zero idle
// means no idle timeout.
func scsOn(name string, store scs.Store, idle time.Duration) peer {
	m := scs.New()
	m.IdleTimeout = idle
	if store != nil {
		m.Store = store
	}
	readAll := func(r *http.Request) {
		if m.GetInt64(r.Context(), "id") == 0 || m.GetString(r.Context(), "name") == "" ||
			m.GetString(r.Context(), "role") == "" || m.GetBytes(r.Context(), "blob") == nil {
			panic("a value is missing")
		}
	}
	n := int64(0)
	app := httpApp{}
	for route, f := range map[string]func(*http.Request){
		fill: func(r *http.Request) {
			m.Put(r.Context(), "id", int64(1234567))
			m.Put(r.Context(), "name", "Ann Example")
			m.Put(r.Context(), "role", "editor")
			m.Put(r.Context(), "blob", payload)
		},
		read:      readAll,
		write:     func(r *http.Request) { readAll(r); n++; m.Put(r.Context(), "id", n) },
		anonymous: func(*http.Request) {},
		login: func(r *http.Request) {
			if err := m.RenewToken(r.Context()); err != nil {
				panic(err)
			}
			n++
			m.Put(r.Context(), "user", user(n))
		},
	} {
		app[route] = m.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r) }))
	}
	return peer{name, app}
}
