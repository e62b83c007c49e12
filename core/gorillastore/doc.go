// Package gorillastore keeps Satchel's sessions where gorilla/sessions keeps its
// own. It is for applications that already have gorilla's keys, cookies or stores.
//
//	cookieStore := sessions.NewCookieStore(hashKey, blockKey)
//	backend := gorillastore.Cookie(cookieStore, gorillastore.CookieConfig{})
//	manager, err := core.New(backend, core.Config{})
//
// Choose a constructor by the place:
//
//   - [Cookie] seals sessions into cookies with the keys of a CookieStore.
//   - [From] keeps them in any other gorilla store, and with [FiberV2] and [FiberV3] where
//     Fiber's session middleware keeps its own.
//   - [RedisCompatible] shares the Redis keys of rbcervilla/redisstore, for any
//     number of processes.
//   - [RedisStore] uses redisstore for sessions of Satchel alone, with every
//     promise. Choose it unless other programs share the sessions.
//
// For the other direction, package gorillasessions turns any Manager into a gorilla
// sessions.Store, for libraries that need one.
//
// # A genuine gorilla session
//
// Except with RedisStore, sessions are what gorilla would write: a map of values in
// gorilla's encoding. A program that uses gorilla/sessions with the same keys and
// cookie name reads and changes them without any part of Satchel:
//
//   - Values are under their own keys. Strings, bools, []byte and float64 keep
//     their type; integers become int64. Any other value becomes a []byte: its
//     encoding after the three bytes D9 D9 F7, CBOR's mark.
//   - A value that gorilla wrote keeps its Go type, also when Satchel changes it to another
//     value of that type. As with gorilla, gob makes nil of an empty list in a struct and of a
//     pointer to zero; in an any, integers become int64.
//   - So what gorilla's programs cannot read is a value of a type of their own that Satchel
//     was first to store under its key, or that Satchel changed to what is none of that type.
//     Programs that find nothing there begin anew over it.
//   - Flashes of kind "" are gorilla's flashes. gorilla does not see other kinds or
//     typed flashes. Flashes that gorilla keeps under another key are a value under
//     that key.
//   - The key "_satchel" holds everything else: identity, times, and the session's
//     scope. Leave it alone: without it, the session belongs to no user but UserKey's.
//
// Sessions that gorilla created keep their values and flashes. At its first use (in a
// cookie, at its first write), such a session becomes Satchel's and gets its idle
// timeout. It carries no namespace, so it is read only where Config.Namespace is empty.
// The value under UserKey is its user, who has not authenticated to Satchel:
// AuthenticatedAt is zero until the next login. Without UserKey no user is logged in.
//
// # Cookies
//
// The newest pair of keys seals and every pair opens. The next write reseals a session
// that an older pair sealed. Requests that only read leave the session's cookie alone:
// their touches travel in a cookie called NAME-touch, of some 280 bytes. Expiry,
// absolute lifetime, namespace and purpose are inside the authenticated content and
// checked on every request. gorilla's own timestamp and its limit of 4096 bytes do not
// apply. A token has one spelling. No gob decoder sees a byte that was not
// authenticated with one of the keys.
//
// gorilla cannot read a session that is split over several cookies. Keys that are not
// strings, and values that Config.Codec cannot encode, are dropped. A session that
// gorilla created ends when its MaxAge is over (30 days if it has none), whatever the
// idle timeout, until Satchel writes to it. A save by gorilla counts as use. The cookie
// with which gorilla ends a session still holds its content and opens like any other.
//
// As in all client-side sessions, the last of overlapping writes wins, a copied
// cookie opens until it expires, and the server cannot list or end sessions. Sessions
// of sealed.Cookie have half the size and take a tenth of the time. Choose Cookie
// only for gorilla's format.
//
// # Any other store
//
// With From, sessions keep the store's own format, IDs and cookie values. Applications
// on Satchel can therefore take turns on one session with applications on
// gorilla/sessions, echo-contrib or gin-contrib. The cookies must have the same name.
//
//   - A session that gorilla created gets Satchel's timeouts at its first use. If
//     the store does not say when it was created, RevokeAll and NotBefore use the
//     start of this process instead.
//   - A session whose cookie outlives the browser is remembered; of an application's own
//     MaxAge for one session, the store keeps nothing. Types in interface values need
//     gob.Register as before: without it the answer is 503, and the session stays.
//   - Satchel does not see keys that are not strings, or values that Config.Codec
//     cannot encode. They stay in the store until the session ends; Clear does not
//     remove them. Flashes that are not strings are shown as fmt.Sprint formats them.
//   - An unknown ID is never adopted. A store that cannot answer is unavailable; it
//     does not yield an empty session. Satchel does not wait for a store that ignores
//     deadlines, but calls that have started continue.
//   - Requests to the old applications do not count as activity. If only they use a
//     session for longer than Satchel's idle timeout, it has ended for Satchel.
//   - A session that [core.Migrating] has moved to a [core.ServerSide] is empty for gorilla
//     from then on. What is left says where it went, so that its old token is good until
//     the client has shown the new one. A cookie cannot be emptied: gorilla opens it
//     until its MaxAge is over.
//   - Anyone who reads the store may find enough to take sessions over. The store
//     finds sessions only by their tokens. Operations that need a list of sessions,
//     or their IDs, return [core.ErrUnsupported].
//   - Within a process, and for all Managers on one From, no update is lost, a
//     logout is final, and a login leaves one token. gorilla's stores cannot compare
//     and set: if two processes save a session at the same moment, the last save
//     wins. A save can also bring back a session that another process ends at that
//     moment.
//
// RedisCompatible lifts the limit of one process. Satchel's processes compare and set,
// and a login leaves a note under the old key for the others. redisstore's own saves
// still overwrite blindly. The other limits are those of From.
//
// A FilesystemStore writes files in place; another process that reads at that moment
// can find a file damaged. For more than one process, use another store. It removes
// a file only when its session is logged out. Delete files that are older than the
// longest idle timeout in use:
//
//	find DIR -name 'session_*' -mmin +20160 -delete
package gorillastore
