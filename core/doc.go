// Package core gives Go web applications sessions and flash messages that
// behave the same in every framework and on every backend.
//
// An application makes one [Manager], mounts an adapter's middleware
// (echov5adapter, ginadapter, fiberv3adapter or httpadapter), and uses the
// request's [Session] in its handlers:
//
//	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
//	e.Use(echov5adapter.Middleware(sessions))
//
//	var visits = core.NewKey[int]("visits")
//
//	func home(c *echo.Context) error {
//		s := echov5adapter.Session(c)
//		visits.Update(s, func(n int) int { return n + 1 })
//		s.Flash("success", "Welcome back.")
//		return c.Redirect(http.StatusSeeOther, "/")
//	}
//
// Handlers need not save anything: the adapter commits before the response
// starts. A handler that needs the result calls [Session.Commit].
//
// # What an application uses
//
//   - [Manager], made by [New] from a backend and a [Config] with its [Cookie]
//     and [Timeouts]; [ConfigFromEnv] reads one from the environment. A [Carrier] has
//     tokens travel in a header, for clients that are no browsers.
//   - [Session]: values, flashes, Login and Logout.
//   - [Key] for typed values, with [KeyOption] for what an earlier release stored, and
//     [FlashKey] for typed flashes; neither needs
//     registration. [Get], [Lookup] and [Update] work with plain names.
//   - [Flash]: a message that waits for the page that shows it. Redirects, errors
//     and HEAD requests lose none.
//   - [ID] and [Info]: a session's public name, and what lists tell about it. With a
//     server-side backend, sessions can be listed, changed and revoked from outside a
//     request: [Manager.List], [Manager.Update], [Manager.RevokeUser], [Manager.Done].
//   - [Event], told to an [Observer]: what happened to a session, with its
//     [EventKind], [Reason] and [Request]. [SlogObserver] logs them.
//   - [ValueError], [SizeError] and the sentinel errors, such as [ErrUnavailable].
//   - [Migrating], which moves sessions to another backend without logging anyone
//     out; its [Migration] counts them in [MigrationStats].
//   - Rarely: [Codec], [LimitPolicy], [SameSite], and [FromContext] for code that
//     has only a context.
//
// # Backends
//
// A [Backend] is [ServerSide], over a [Store] (memory, Redis), or [ClientSide],
// over a [Sealer] (an encrypted cookie). Handlers do not see the difference, and
// it can be changed later. They differ in what they can promise:
//
//   - Server-side, a session commits its changes, not its state. Overlapping
//     requests lose nothing, and a logout is final, whatever else is in flight.
//   - [Hybrid] is server-side, with a copy on the client that answers what only reads. It
//     may be as old as a window that the application chooses.
//   - Client-side, the last response wins, and a copied cookie works until it
//     expires or until [Manager.RevokeAll]. Sessions cannot be listed. Calls that
//     a backend cannot serve return [ErrUnsupported].
//
// # Failures
//
// "There is no such session" and "the backend cannot tell" are different. The
// first is an empty session. The second is [ErrUnavailable]: it is answered with
// 503 and logs nobody out. A commit that fails replaces the response by an error,
// and a response of 500 or above undoes what was not committed. Every failure is
// an event; see [Config.Observer].
//
// # For authors of stores, sealers and adapters
//
// Applications do not need what follows.
//
//   - Stores: [Store] has four methods on an [Entry] and its [Version]; package
//     storetest checks an implementation. Optional abilities are [UserIndex] with
//     [Mender], [IncompleteError] and [TouchMender], [AllDeleter], [Sweeper], [Counter], [Watcher] or
//     [PulseWatcher], [Invalidator], [UserNamer], [Local], [Windowed], [Validator] and
//     [Configurable].
//     A store that wraps another finds them with [StoreAs].
//   - Sealers: [Sealer] turns a [Record], with its [StoredFlash] list, into a token
//     for a [Scope] and back; [ParseRecord] reads an encoded one.
//   - Backends that are neither: [Backend] with its [Traits], [Tokens], [Handle] and
//     [LoadResult], and the optional [Registry] and [Leaver].
//   - Adapters: [Exchange] is one request and its response, as the core sees them, and
//     [Slot] the request's place for its session; [ErrorResponse] is the answer to an error,
//     [NewContext] carries the session. Package adaptertest checks an adapter.
package core
