package sqltests

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
)

// This program keeps sessions in a file of SQLite.
func Example() {
	dir, err := os.MkdirTemp("", "satchel")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "satchel.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(400)&_txlock=immediate")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	store := sqlstore.New(db, sqlstore.Config{Timeout: time.Minute})
	defer func() { _ = store.Close() }()
	if err := store.CreateTables(context.Background()); err != nil {
		log.Fatal(err)
	}
	sessions, err := core.New(core.ServerSide(store), core.Config{})
	if err != nil {
		log.Fatal(err)
	}
	ended, err := sessions.RevokeUser(context.Background(), "ann")
	fmt.Println(ended, err)
	// Output: 0 <nil>
}
