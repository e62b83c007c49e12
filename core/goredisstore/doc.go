// Package goredisstore keeps sessions in Redis, or a server that speaks its
// protocol, through go-redis: a single server, Cluster or Sentinel, with or
// without TLS.
//
//	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	sessions, err := core.New(core.ServerSide(goredisstore.New(client, goredisstore.Config{})), core.Config{})
//
// Or call [Open] with a URL: it chooses the client's options for sessions.
//
// # What it costs
//
// Loading a session, with its expiry, takes one round trip; storing it takes one
// more. A login of a user without a session limit adds two. Saves compare and set
// in a script, so overlapping requests lose nothing and deleted sessions do not
// come back.
//
// # What lies in Redis
//
// Two kinds of keys, each with a time to live:
//
//	satchel:<session ID>     the session: times, hash of its token, values
//	satchel:u:<user, hashed> the index of the user's sessions
//
// Session IDs are public: reading Redis is not enough to take over a session.
// Values, user names and labels are readable; see [sealed.Store]. In a cluster,
// session and index lie in different slots and never change in one step. A
// failure in between leaves the index with one session too many, never one too
// few. The next login or list removes the extra one.
//
// # When Redis does not answer
//
// Every call ends after [Config.Timeout], half a second by default, however long
// the client would keep trying. A save whose answer was lost is sent again and
// recognises its own first attempt.
//
// # Ends in other processes
//
// The store publishes deletions, so that [core.Manager.Done] in every other
// process learns of them at once. If Redis does not allow publishing or
// subscribing, other processes notice within the few seconds that Done documents.
//
// # Copies near the application
//
// Package nearcache answers requests that only read without a round trip; see
// [Store.Invalidations].
package goredisstore
