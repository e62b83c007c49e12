// Package goredisstore keeps sessions in Redis, or in what speaks its
// protocol, over go-redis: a single server, Cluster, Sentinel, with or without TLS.
//
//	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	sessions, err := core.New(core.ServerSide(goredisstore.New(client, goredisstore.Config{})), core.Config{})
//
// or, with the client's options chosen for sessions, [Open] and a URL.
//
// # What it costs
//
// Loading a session takes one round trip, its expiry included; storing one,
// one more. A login of a user without a session limit adds two. Saves compare
// and set in a script, so overlapping requests lose nothing and nothing that
// is gone comes back.
//
// # What lies in Redis
//
// Two kinds of keys, each with a time to live:
//
//	satchel:<session ID>     the session: times, hash of its token, values
//	satchel:u:<user, hashed> the index of the user's sessions
//
// Session IDs are public: reading Redis is not enough to take over a session.
// Values, user names and labels are readable; see [core.Encrypted]. The two
// lie in different slots of a cluster and are never changed in one step: a
// step that fails in between leaves an index that names a session too many,
// which the next login or list takes out, and never one too few.
//
// # When Redis does not answer
//
// Every call ends after [Config.Timeout], half a second by default, however
// long the client would go on trying. A save whose answer was lost is sent
// again and recognises its own first attempt.
//
// # Ends in other processes
//
// Deleting a session is published, so that [core.Manager.Done] in every other
// process hears of it at once. Where Redis allows no publishing or
// subscribing, they notice within the few seconds that Done's documentation gives.
package goredisstore
