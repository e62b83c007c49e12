// Package pgxstore keeps sessions in PostgreSQL through a pool of pgx, without
// database/sql.
//
//	pool, err := pgxpool.New(ctx, "postgres://localhost/shop")
//	store := pgxstore.New(pool, pgxstore.Config{})
//	err = store.CreateTables(ctx)
//	sessions, err := core.New(core.ServerSide(store), core.Config{})
//
// Tables, statements and clean-up are those of
// [github.com/satchel-go/satchel/core/sqlstore], and its documentation holds here too.
// Both may use the same tables at the same time. With pgx itself a load takes less time,
// and other processes learn at once of sessions that end. It is tested with PostgreSQL 15.
//
// # Ends in other processes
//
// A session that is logged out, revoked or pushed out by a limit is told with NOTIFY, in
// the statement that deletes it: this takes no further round trip. [core.Manager.Done] in
// every other process learns of it at once. It listens on one more connection for each
// process that waits, which is none of the pool's.
//
// LISTEN does not work through PgBouncer in transaction mode. Set [Config.ListenURL] to
// where PostgreSQL itself answers. Without it, the Manager reports once that it cannot
// watch, and notices ends within a few seconds.
//
// NOTIFY takes a lock on the database while its transaction commits. Only ends of
// sessions send any; [Config.NoNotify] turns them off.
//
// # PgBouncer
//
// Statements run in the mode of the pool, which is to prepare them. In transaction mode,
// PgBouncer before 1.21 loses what was prepared. When that shows, the store repeats the
// call and sends its statements unprepared from then on. All modes of pgx work but
// describe_exec. To begin so, add default_query_exec_mode=exec to the URL.
//
// # When the database does not answer
//
// Every call ends after [Config.Timeout], half a second by default, waiting for a
// connection included. Until then, serialization failures, deadlocks and lost connections
// are tried again. A save whose answer was lost is sent again and recognises its own
// first attempt. A handler that holds a connection of the pool while its session is saved
// needs a second one.
package pgxstore
