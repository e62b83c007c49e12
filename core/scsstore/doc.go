// Package scsstore reads and writes the sessions of alexedwards/scs where they are, in any of
// its stores, so that an application moves to Satchel without logging anybody out:
//
//	old := scs.New() // the application's, as it is
//	from := scsstore.From(old, scsstore.Config{UserKey: "userID", Flashes: map[string]string{"flash": "success"}})
//	to := core.ServerSide(sqlstore.New(db, sqlstore.Config{}))
//	manager, err := core.New(core.Migrating(from, to), scsstore.ConfigOf(old))
//
// [core.Migrating] moves each session with its next request. docs/changing-the-backend.md
// has the steps, and docs/coming-from/scs.md the code before and after.
//
// # A genuine session of scs
//
// Programs that use the SessionManager read and change Satchel's sessions, and Satchel
// theirs, until the last of them is replaced:
//
//   - Values are under their own keys. Strings, bools, []byte and float64 keep their type;
//     integers become int. Any other value becomes a []byte: its encoding after the three
//     bytes D9 D9 F7, CBOR's mark. With another Codec than gob it becomes a string.
//   - A value that scs wrote keeps its type, also when Satchel changes it to another value of
//     that type. As with scs, gob makes nil of an empty list in a struct and of a pointer to
//     zero; in an any, integers become int64. With another Codec, lists and maps stay so.
//   - So what scs's programs cannot read is a value of a type of their own that Satchel was
//     first to store under its key, or that Satchel changed to what is none of that type.
//     Programs that find nothing there begin anew over it.
//   - The value under Config.UserKey is the session's user. Keys of Config.Flashes are
//     flashes; other values that an application pops are values.
//   - RememberMe and Cookie.Persist make a session remembered.
//   - The deadline is scs's. No user of a session that scs began has authenticated to Satchel:
//     AuthenticatedAt is zero until the next login.
//   - The key "_satchel" holds everything else: identity, times, other flashes. Leave it alone.
//
// A session that has moved away is empty for scs from then on, so that a logout here is one
// there too. What is left says where it went, so that its old token is good until the client
// has shown the new one.
//
// # Limits
//
//   - Satchel does not see values that core.Config.Codec cannot encode. They stay in the
//     store, and do not move.
//   - Types in the interface values of a session must be registered with gob in this program
//     as in the old one. Otherwise the answer is 503, and the session stays as it is. A
//     session that cannot be decoded is no session, and stays too.
//   - gob trusts the length of a map. Whoever can write to the store, and knows of a map type that
//     the application has registered, can exhaust its memory, here as in scs.
//   - An unknown token is never adopted. A store that cannot answer is unavailable; it does
//     not yield an empty session. Satchel does not wait for a store that ignores deadlines.
//   - scs's sessions carry no namespace: they are read only where core.Config.Namespace is "".
//   - The store finds sessions by their tokens alone. Operations that need a list of sessions,
//     or their IDs, return [core.ErrUnsupported]. Whoever reads the store can take
//     sessions over, unless the SessionManager hashes tokens.
//   - Within a process, and for all Managers on one From, no update is lost, a logout is
//     final, and a login leaves one token. scs's stores cannot compare and set: if two
//     processes, of Satchel or scs, save a session at the same moment, the last save wins.
//     A save can also bring back a session that another process ends at that moment. So
//     this package is for a migration, and no store to stay with.
//   - scs's memstore belongs to one process: only that can move its sessions.
package scsstore
