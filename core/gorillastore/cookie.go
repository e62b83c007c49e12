package gorillastore

import (
	"maps"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// Cookie returns a backend that keeps sessions in the client's cookie, signed
// and encrypted as gorilla's CookieStore does it. The keys come in pairs as in
// sessions.NewCookieStore, newest pair first: a hash key of at least 32 bytes,
// and a block key of 16, 24 or 32 bytes. The newest pair needs its block key;
// older pairs may have nil in its place.
//
// core.New refuses weak keys and says which.
func Cookie(keyPairs ...[]byte) core.Backend {
	return CookieStore(sessions.NewCookieStore(keyPairs...))
}

// CookieSigned is [Cookie] without the need for a block key. Sessions sealed
// without one are signed and not encrypted: clients, and whoever sees their
// cookies, can read every value, flash and user ID.
func CookieSigned(keyPairs ...[]byte) core.Backend {
	return CookieStoreSigned(sessions.NewCookieStore(keyPairs...))
}

// CookieStore is [Cookie] with the codecs of store, whose keys have to meet
// the same demands. The store is copied: changing it later changes nothing,
// and it can be used with gorilla/sessions as before.
//
// Of its Options, MaxAge alone counts, for cookies that gorilla wrote; the
// attributes of cookies are those in core.Config.
func CookieStore(store *sessions.CookieStore) core.Backend {
	return core.ClientSide(newSealer(store, false))
}

// CookieStoreSigned is [CookieStore] without the need for a block key: see
// [CookieSigned].
func CookieStoreSigned(store *sessions.CookieStore) core.Backend {
	return core.ClientSide(newSealer(store, true))
}

// NewSealer returns the sealer behind [Cookie], for hybrids and tests.
func NewSealer(keyPairs ...[]byte) core.Sealer {
	return newSealer(sessions.NewCookieStore(keyPairs...), false)
}

// Limits returns the promises that sessions in gorilla's cookies cannot keep,
// each with the reason: promise ID to reason, as the conformance suite of
// package adaptertest expects it.
func Limits() map[string]string { return maps.Clone(limits) }

var limits = map[string]string{
	"K1": "the last response wins: each carries the whole session",
	"K2": "nothing on the server knows of the logout: a response in flight, or a copied cookie, brings the session back until it expires",
	"K3": "every token that was handed out opens until it expires",
	"I1": "the token before a login opens until it expires",
	"I2": "the server does not know which sessions there are: they cannot be listed, counted or ended one by one",
	"L4": "nothing on the server knows that a token was superseded",
	"F6": "the last response wins: a flash that an overlapping request added can be lost",
}
