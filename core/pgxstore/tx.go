package pgxstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/satchel-go/satchel/core"
)

// Tx ends sessions in a transaction of the application's. See [Store.In].
type Tx struct {
	store *Store
	tx    transaction
}

// In returns what ends sessions in tx, a transaction on the database of the Store: a new
// password and the end of all sessions, or neither.
//
//	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
//		_, err := tx.Exec(ctx, "UPDATE users SET password = …")
//		if err == nil {
//			_, err = store.In(tx).RevokeUser(ctx, sessions.StoredUsers("ann")...)
//		}
//		return err
//	})
//
// The sessions end with the commit, and watchers hear of it then. Until then, requests
// that save them wait, and end by their deadline if it takes longer: revoke last, then
// commit.
//
// Sessions cannot be saved in tx: write to the database first, then call
// [core.Session.Commit].
func (s *Store) In(tx pgx.Tx) Tx { return Tx{s, transaction{tx}} }

// RevokeUser ends all sessions of a user, by the names that [core.Manager.StoredUsers]
// returns, and withdraws logins that are being stored. It returns how many entries it has
// deleted, among which may be some that had expired. Errors of the database are returned
// as they are; after one, roll back.
//
// A login whose password was checked before the commit may still be stored after it:
// [core.Config.Check] can compare times, or call [core.Manager.RevokeUser] once more.
func (t Tx) RevokeUser(ctx context.Context, stored ...string) (ended int, err error) {
	return t.store.EndUsers(ctx, t.tx, stored)
}

// Revoke ends the session id. Its place in the index of its user's sessions goes with the
// clean-up.
func (t Tx) Revoke(ctx context.Context, id core.ID) error { return t.store.End(ctx, t.tx, id) }
