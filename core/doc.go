// Package core gives Go web applications sessions and flash messages that
// behave the same in every framework and on every backend.
//
// An application makes a [Manager] once, mounts an adapter's middleware
// (echoadapter, ginadapter, fiberadapter or httpadapter), and uses the
// request's [Session] in its handlers:
//
//	sessions, err := core.New(core.ServerSide(memstore.New()), core.Config{})
//	e.Use(echoadapter.Middleware(sessions))
//
//	var visits = core.NewKey[int]("visits")
//
//	func home(c echo.Context) error {
//		s := echoadapter.Session(c)
//		visits.Update(s, func(n int) int { return n + 1 })
//		s.Flash("success", "Welcome back.")
//		return c.Redirect(http.StatusSeeOther, "/")
//	}
//
// Nothing needs to be saved: the adapter commits before the response starts,
// and a handler that wants the answer calls [Session.Commit].
//
// # Values, flashes, identity
//
// Values are typed by [Key] or read with [Get]; they need no registration. A
// [Flash] waits for the page that shows it: redirects, errors and reloads in between
// lose nothing. [Session.Login] and [Session.Logout] change who the session
// belongs to; with a server-side backend, sessions can be listed and revoked by ID, by user, or
// altogether, from a request or from outside one ([Manager.Update],
// [Manager.RevokeUser], [Manager.Done]).
//
// # Backends
//
// A [Backend] is [ServerSide], over a [Store] (memory, Redis, SQL), or
// [ClientSide], over a [Sealer] (an encrypted cookie). Handlers do not see the
// difference, and it can be changed later. What differs is what can be promised:
//
//   - Server-side, a session commits its changes, not its state: overlapping
//     requests lose nothing, and a logout is final, whatever else is in flight.
//   - Client-side, the last response wins, and a copied cookie works until it
//     expires or until [Manager.RevokeAll]. Sessions cannot be listed. Calls
//     that a backend cannot serve return [ErrUnsupported].
//
// # Failures
//
// "There is no such session" and "nobody can say" are different things. The
// first is an empty session; the second is [ErrUnavailable], answered with 503, and
// logs nobody out. A commit that fails replaces the response by an error; a response of
// 500 or above undoes what was not committed. Nothing that fails goes unseen: see
// [Config.Observer].
//
// # For those who extend it
//
// A [Store] has four methods; the package storetest proves one. An
// adapter implements [Exchange]; the package adaptertest proves it.
package core
