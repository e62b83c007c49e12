package pgxstore_test

import (
	"context"
	"log"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/pgxstore"
)

func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://localhost/shop")
	if err != nil {
		log.Fatal(err)
	}
	store := pgxstore.New(pool, pgxstore.Config{})
	defer func() { _ = store.Close() }()
	if err := store.CreateTables(ctx); err != nil {
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
		pool     *pgxpool.Pool
		store    *pgxstore.Store
		sessions *core.Manager
	)
	change := func(ctx context.Context, user, hash string) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE users SET password = $2 WHERE id = $1", user, hash)
			if err == nil {
				_, err = store.In(tx).RevokeUser(ctx, sessions.StoredUsers(user)...)
			}
			return err
		})
	}
	_ = change
}
