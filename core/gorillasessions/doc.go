// Package gorillasessions turns a Manager into a gorilla sessions.Store, for
// libraries that need one: Goth, echo-contrib's session middleware,
// gin-contrib/sessions. Their sessions become parts of Satchel's session, in its
// backend and under its one cookie.
//
//	gothic.Store = gorillasessions.NewStore(manager)
//
// Put Satchel's middleware with the same Manager outside the library's. Handlers
// read what a library has stored with [Value], or by its [ValueKey].
//
// # How values are stored
//
// Each value of a gorilla session is a value of Satchel's session. Overlapping
// requests therefore keep each other's values, and the flashes that each adds or
// takes. For a single key, the last Save wins.
//
// A string, bool, int, float64 or []byte under a string key is stored as it is.
// Gorilla reads integers that handlers store as int. Everything else is stored as
// gob, so its type must be registered with gob.Register, as with gorilla's stores.
//
// Save commits the Satchel session at once, with all its changes so far. If Save
// returns an error, nothing is stored. A later status of 500 undoes nothing. Without
// Save, nothing is stored.
//
// Options.MaxAge = -1 deletes the values of this gorilla session only. Login
// keeps gorilla's sessions; Logout ends them together with Satchel's. Session.ID is
// Satchel's public ID and no secret. IsNew means that there are no values.
//
// # Session fixation
//
// Gorilla's sessions have no login, so a Save renews the token when it may be one. The
// token from before then stops working. A Save renews if it
//
//   - adds a value, or replaces an empty one such as false, 0 or "";
//   - replaces any other value, except in a GET or HEAD request that does not come from
//     another site, by its Sec-Fetch-Site header.
//
// Flashes, deletions and values that [Store].Exempt names never renew. With
// sessions in client-side cookies nothing needs to. A Save that would renew fails with
// [core.ErrTooLate] once the response has begun.
//
// A request that overlaps a renewal, and loaded the session before it, still adds
// its flashes and changed values, except where a value has changed since. It has 30
// seconds for that. Its Save fails with [core.ErrEnded] if it may be a login itself,
// or after Satchel's own Login, Renew or Logout. What it changed in Satchel's own
// values is dropped, with an event. A request that arrives later with the old token
// reads an empty session.
//
// A GET from the same site that replaces one user by another keeps the token. Log in by
// POST, or call Login.
//
// # Limits
//
// core.Config determines the timeouts and the cookie. Only a negative MaxAge in a
// session's Options has an effect, unless [Store].Options is set.
//
// Without Satchel's middleware, the store loads the session itself, and Save
// writes the cookie into the response header. Then only a Save counts as activity. A
// copy of the request does not see what was saved through another copy, but nothing
// is lost.
package gorillasessions
