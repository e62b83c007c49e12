package bench

import (
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
)

// scsOn returns scs on a store, or on its memory store if that is nil. A zero idle
// means no idle timeout. A flash is a value that is popped.
func scsOn(name string, store scs.Store, idle time.Duration) peer {
	m := scs.New()
	m.IdleTimeout = idle
	if store != nil {
		m.Store = store
	}
	fillAll := func(r *http.Request) {
		m.Put(r.Context(), "id", int64(1234567))
		m.Put(r.Context(), "name", "Ann Example")
		m.Put(r.Context(), "role", "editor")
		m.Put(r.Context(), "blob", payload)
	}
	readAll := func(r *http.Request) {
		if m.GetInt64(r.Context(), "id") == 0 || m.GetString(r.Context(), "name") == "" ||
			m.GetString(r.Context(), "role") == "" || m.GetBytes(r.Context(), "blob") == nil {
			panic("a value is missing")
		}
	}
	count := counter()
	return httpOn(name, m.LoadAndSave, stepsWith(map[string]func(*http.Request){
		fill:   fillAll,
		member: func(r *http.Request) { fillAll(r); m.Put(r.Context(), "user", userOf18(count())) },
		read:   readAll,
		write:  func(r *http.Request) { readAll(r); m.Put(r.Context(), "id", count()) },
		login: func(r *http.Request) {
			if err := m.RenewToken(r.Context()); err != nil {
				panic(err)
			}
			m.Put(r.Context(), "user", user(count()))
		},
		notify: func(r *http.Request) { m.Put(r.Context(), "flash", notice) },
		show:   func(r *http.Request) { shown(m.PopString(r.Context(), "flash")) },
	}, func(step func(*http.Request)) httpStep {
		return func(_ http.ResponseWriter, r *http.Request) { step(r) }
	}))
}
