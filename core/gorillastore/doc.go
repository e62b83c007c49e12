// Package gorillastore keeps Satchel's sessions where gorilla/sessions keeps
// its own, for applications that have gorilla's keys and cookies already.
//
//	backend := gorillastore.Cookie(hashKey, blockKey)
//	sessions, err := core.New(backend, core.Config{})
//
// [Cookie] takes the key pairs of sessions.NewCookieStore: hash key, block key,
// then older pairs. The newest pair seals, all of them open, and what an older
// one sealed is sealed anew. [CookieStore] takes a store that is configured
// already. Weak keys, and a missing block key, are errors of core.New; with
// [CookieSigned] the block key may be missing, and clients can read everything.
//
// The other way round, [NewStore] makes a gorilla sessions.Store of any Manager,
// for libraries that ask for one: see below.
//
// # A genuine gorilla session
//
// The cookie holds what gorilla's CookieStore would have written: the same
// codecs, the same map of values. So a program that uses gorilla/sessions with
// the same keys and cookie name reads and changes the session, and needs no
// part of Satchel for it:
//
//   - Values are under their own keys. Strings, bools, []byte and float64 are
//     what they are; integers are int64. Whatever else Satchel stored is a
//     []byte: its encoding behind the three bytes D9 D9 F7, CBOR's mark.
//   - A value that gorilla wrote keeps its Go type until it is changed, and an
//     integer keeps it even then.
//   - Flashes of kind "" are gorilla's flashes. Other kinds, and typed flashes,
//     stay out of gorilla's sight. Flashes under a key of gorilla's own are a
//     value under this key.
//   - The key "_satchel" holds everything else: identity, times, what the
//     session is for. Leave it alone: without it, the session is nobody's.
//
// A session that fits one cookie can be exchanged in this way; gorilla does not
// know how to put a split one together.
//
// Cookies that gorilla wrote before there was a Satchel are sessions with their
// values. They carry no namespace, so they are read only where Config.Namespace
// is empty. They end when gorilla's MaxAge after their writing is over (30 days
// if it has none), and at the first use become Satchel's, with its idle timeout.
// Keys that are not strings, and values that Config.Codec cannot encode, are
// left behind. The cookie with which gorilla ended a session holds all of it,
// and opens like any other.
//
// # Sessions in any other store
//
// [From] makes a backend of any gorilla store: FilesystemStore, redisstore,
// those of gin-contrib/sessions, one's own. Sessions are the store's in its own
// format, under its own IDs, with its own cookie values; a value of each session
// is Satchel's, as above. So applications that use the store through
// gorilla/sessions, echo-contrib or gin-contrib, and applications on Satchel, can
// take turns with one session, given that the cookies have the same name.
//
//   - What the old applications began goes on with its values and flashes. At
//     the first use it becomes Satchel's, with its idle timeout and lifetime from
//     then on; nobody is logged in until Login. Where the store does not tell
//     when it began, that is when this process did, for RevokeAll and NotBefore.
//   - Keys that are not strings, and values that Config.Codec cannot encode, are
//     out of Satchel's sight and stay in the store as they are until the session
//     ends, Clear or not. Flashes that are no text are shown as fmt.Sprint has them.
//   - An unknown ID is never adopted. A store that cannot answer is
//     unavailable, and does not give an empty session. A store that ignores
//     deadlines is not waited for, but what was asked of it goes on.
//   - Requests that only the old applications see are no activity: a session that
//     is theirs alone for longer than Satchel's idle timeout is over for Satchel.
//   - Whoever reads the store may find all it takes to take sessions over. It
//     finds sessions by their tokens alone: what needs a list of them, or their IDs, is
//     [core.ErrUnsupported]. See [FromLimits] and [CompatibleLimits].
//   - Within a process, and for all Managers on one From, no update is lost, a
//     logout is final, and a login leaves one token. gorilla's stores cannot compare
//     and set: when two processes save one session in the same moment, the last
//     wins, and a save can bring back what another process ends in that moment.
//
// A FilesystemStore removes a file when its session is logged out of, and at no
// other time. Delete those that are older than the longest idle timeout in use:
//
//	find DIR -name 'session_*' -mmin +20160 -delete
//
// It writes files in place, which a process that reads at that moment can take
// for damaged: for more than one process, use another store.
//
// # redisstore's sessions
//
// [RedisCompatible] shares the sessions of rbcervilla/redisstore, as From would,
// and lifts the limit to one process: Satchel's processes compare and set, and a
// login leaves a note under the old key that the others see. A save of redisstore
// itself stays blind, and is no activity: a session that only other programs go on
// using ends after Satchel's idle timeout. [Redis] uses redisstore for sessions that are Satchel's
// alone, with every promise: choose it unless other programs share the sessions.
//
// # What cookies can promise
//
// Expiry, absolute lifetime, namespace and purpose are inside the authenticated
// content and checked on every request; gorilla's own timestamp and its limit
// of 4096 bytes cut nothing short. A token has one spelling. No gob decoder
// sees a byte that was not authenticated with one of the keys.
//
// What no client-side session can promise is in [Limits]. The native
// core.CookieSealer has the same limits, with cookies of half the size and in a
// tenth of the time: choose this package for gorilla's format, not for its own sake.
//
// # A store for libraries
//
// [NewStore] is for libraries that want a gorilla sessions.Store: their sessions
// are then parts of Satchel's, on its backend and under its one cookie.
//
//	gothic.Store = gorillastore.NewStore(sessions)
//
// Put Satchel's middleware with the same Manager outside the library's. Each value of a
// gorilla session is a value of Satchel's session, under [ValueKey] if its own key is
// a string. So requests that overlap keep each other's values, and both what gorilla's
// AddFlash added and what Flashes took; for one and the same key, the last Save wins.
//
// A string, bool, int, float64 or []byte under a string key is stored as what it
// is, and integers that handlers store are an int to gorilla. Everything else is
// what gob makes of it, so that its type has to be registered with gob.Register as
// ever; handlers read it with [Value].
//
// Save commits the Satchel session at once, with everything that has been changed in it so
// far: an error of Save means that it is not stored, and a later status of 500 does not take it
// back. Without Save, nothing is stored. Options.MaxAge = -1 deletes the values of this gorilla
// session alone. A Login keeps gorilla's sessions, a Logout ends them with Satchel's.
// Session.ID is Satchel's public ID, which proves nothing; IsNew means
// that there are no values.
//
// Timeouts and the cookie are those of core.Config. Options other than a negative MaxAge do
// nothing, unless [Store].Options says so.
//
// Without Satchel's middleware, the store loads the session itself, and Save writes
// the cookie into the response. Then only a Save counts as activity, and who copies
// a request does not see in one copy what was saved through another; nothing is
// lost for that.
package gorillastore
