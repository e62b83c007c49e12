package sqlstore_test

import (
	"context"
	"database/sql"
	"log"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
)

// The application imports its driver, such as github.com/jackc/pgx/v5/stdlib.
func Example() {
	db, err := sql.Open("pgx", "postgres://localhost/shop")
	if err != nil {
		log.Fatal(err)
	}
	store := sqlstore.New(db, sqlstore.Config{})
	defer func() { _ = store.Close() }()
	if err := store.CreateTables(context.Background()); err != nil {
		log.Fatal(err)
	}
	sessions, err := core.New(core.ServerSide(store), core.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_ = sessions // for an adapter's Middleware
}

// A new password is stored and all sessions of its user end, or neither.
func ExampleStore_In() {
	var (
		db       *sql.DB
		store    *sqlstore.Store
		sessions *core.Manager
	)
	change := func(ctx context.Context, user, hash string) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // after a commit, it does nothing
		if _, err := tx.ExecContext(ctx, "UPDATE users SET password = $2 WHERE id = $1", user, hash); err != nil {
			return err
		}
		if _, err := store.In(tx).RevokeUser(ctx, sessions.StoredUsers(user)...); err != nil {
			return err
		}
		return tx.Commit()
	}
	_ = change
}
