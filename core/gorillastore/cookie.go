package gorillastore

import (
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// CookieConfig configures [Cookie]. The zero value is ready to use.
type CookieConfig struct {
	// UserKey and UserValue are as in [FromConfig].
	UserKey   string
	UserValue func(user string) (any, error)

	// InsecureAllowReadable accepts a newest key pair without a block key. It signs
	// sessions but does not encrypt them. Clients, and anyone who sees their cookies,
	// can read every value, flash and user ID.
	InsecureAllowReadable bool
}

// Cookie returns a backend that keeps sessions in the client's cookie. It signs and
// encrypts them with the keys of store, as gorilla's CookieStore does. The keys
// come in pairs, newest first: a hash key of at least 32 bytes, and a block key of
// 16, 24 or 32 bytes. The newest pair needs its block key; older pairs may have nil.
//
// core.New refuses weak keys and says which. Cookie copies the store: later changes
// to it have no effect, and gorilla/sessions can use it as before.
//
// Of the store's Options, only MaxAge counts, and only for cookies that gorilla
// wrote. core.Config has the attributes of cookies.
func Cookie(store *sessions.CookieStore, c CookieConfig) core.Backend {
	return core.ClientSide(newSealer(store, c))
}
