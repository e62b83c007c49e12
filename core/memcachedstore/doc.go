// Package memcachedstore keeps sessions in Memcached, on one server or several.
//
//	store := memcachedstore.New(memcachedstore.Config{}, "10.0.0.5:11211", "10.0.0.6:11211")
//	defer store.Close()
//	sessions, err := core.New(core.ServerSide(store), core.Config{})
//
// # What it promises
//
// Saves compare and set, so overlapping requests lose nothing and deleted sessions do
// not come back. A server that does not answer is unavailable: its sessions are not
// taken for absent, and no other server takes its place.
//
// # What it cannot promise
//
// Memcached forgets everything when it restarts: all of that server's users are logged
// out. It could forget an index of users and keep the sessions, so there is none: sessions
// cannot be listed or ended by user, and [core.Config.SessionLimit] is refused. For these,
// use another store.
//
// # What it costs
//
// Loading a session takes one round trip, creating one takes one or two, and saving,
// touching and deleting take two, two and one.
//
// # The servers
//
// [core.New] refuses servers before version 1.6, and those that throw sessions away when
// their memory is full (start Memcached with -M), that do not compare (-C), or that
// refuse items of 128 KiB (-I).
// Every instance of the application needs the same list of servers, in any order. A server
// that is added or taken out moves a share of the sessions, whose users are logged out. If
// it is put back, sessions that were ended meanwhile may be alive on it: restart it first.
//
// Connections may use TLS. Memcached's authentication is not supported: let only the
// application reach the servers.
//
// # What lies in Memcached
//
// One item for each session, satchel:<session ID>: times, the hash of its token, user and
// values. Session IDs are public: reading an item is not enough to take over a session. Values
// and user names are readable; see [sealed.Store].
//
// [sealed.Store]: https://pkg.go.dev/github.com/satchel-go/satchel/core/sealed#Store
package memcachedstore
