// Package gorillastore makes backends of stores for gorilla/sessions.
//
//	backend := gorillastore.Cookie(hashKey, blockKey)
//	sessions, err := core.New(backend, core.Config{})
//
// [Cookie] keeps sessions in cookies that gorilla's CookieStore has signed and
// encrypted, for teams whose keys and reviews are for gorilla/securecookie. What is
// in the cookie, and its timeouts, flashes, name and attributes are Satchel's, so that
// handlers see no difference to any other backend. [CookieStore] takes a store that
// the application has already.
//
// # Limits
//
// It promises what every client-side backend can: the last of overlapping
// responses wins, a copied cookie works until it expires or until RevokeAll, and sessions
// can be neither listed nor revoked one by one. [Limits] has the list. Cookies
// are larger than those of core.NewCookieSealer, which also needs fewer keys: prefer
// it unless you have a reason.
package gorillastore
