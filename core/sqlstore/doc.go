// Package sqlstore keeps sessions in a SQL database: PostgreSQL, MySQL or MariaDB, or
// SQLite, through database/sql and the driver that the application has.
//
//	db, err := sql.Open("pgx", "postgres://localhost/shop")
//	store := sqlstore.New(db, sqlstore.Config{})
//	err = store.CreateTables(ctx)
//	sessions, err := core.New(core.ServerSide(store), core.Config{})
//
// The store recognises the driver; for one that is wrapped in another, set
// [Config.Dialect]. It is tested with pgx and PostgreSQL 15, with go-sql-driver and
// MariaDB 10.11, and with modernc.org/sqlite. MySQL 8 gets the same statements and is not
// tested.
//
// # Tables
//
// CreateTables makes two tables if they are not there: satchel_sessions and
// satchel_members, the index of users' sessions. To make them with a migration, take the
// text that [Schema] returns. Later, the user needs SELECT, INSERT, UPDATE and DELETE on
// them, and nothing else. [core.New] looks whether all is there and says what is missing.
//
// Session IDs are public: reading the tables is not enough to take over a session. Values,
// user names and labels are readable; see [github.com/satchel-go/satchel/core/sealed.Store]. To end a user's sessions by
// hand, or all, delete rows:
//
//	DELETE FROM satchel_sessions WHERE owner = 'ann'; -- in PostgreSQL 'ann'::bytea
//
// # What it costs
//
// Loading a session takes one round trip and storing it one more. A login without a
// session limit adds two; with one, three in PostgreSQL and seven in MySQL. A touch of a
// session in use takes one, and writes to no index in PostgreSQL but once an hour.
//
// Each statement is a transaction of its own, whatever the database's default isolation.
// No lock is held while a request runs. Only a login with a limit takes a short
// transaction in MySQL and SQLite, and waits there for other logins of its user.
//
// # Clean-up
//
// Expired sessions are never returned. From the first write on, one of the instances
// that share the tables removes them every [Config.SweepInterval], in batches, once the
// hour in which they expired is over. An event tells when it cannot keep up. To have
// something else do it, set SweepInterval to -1 and run this, or call [Store.Sweep]:
//
//	DELETE FROM satchel_sessions WHERE expires < (extract(epoch FROM now()) * 1000)::bigint - 600000; -- PostgreSQL
//	DELETE FROM satchel_sessions WHERE expires < UNIX_TIMESTAMP() * 1000 - 600000 LIMIT 10000;        -- MySQL
//
// The ten minutes are for clocks that differ: the store goes by the application's alone.
//
// # When the database does not answer
//
// Every call ends after [Config.Timeout], half a second by default. Until then,
// serialization failures, deadlocks, SQLite's locks and lost connections are tried again.
// A save whose answer was lost is sent again and recognises its own first attempt. The
// store uses the pool that it is given: set its SetMaxOpenConns. A handler that holds a
// connection while its session is saved needs a second one.
//
// Behind PgBouncer in transaction mode, add default_query_exec_mode=exec to pgx's data
// source. The store must reach the primary, also after a failover: a standby may lack a
// session, which logs its user out. pgx sees to it with target_session_attrs=read-write,
// go-sql-driver with rejectReadOnly=true.
//
// # SQLite
//
// Use a file, in WAL mode, with a busy timeout below Config.Timeout, and transactions
// that begin as writers. For modernc.org/sqlite and mattn/go-sqlite3 that is:
//
//	file:satchel.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(400)&_txlock=immediate
//	file:satchel.db?_journal_mode=WAL&_busy_timeout=400&_txlock=immediate
//
// # Ends in other processes
//
// The store is no [core.Watcher]: [core.Manager.Done] notices what other processes end
// within a few seconds.
package sqlstore
