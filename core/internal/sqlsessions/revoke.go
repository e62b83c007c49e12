package sqlsessions

import (
	"context"
	"fmt"

	"github.com/satchel-go/satchel/core"
)

// EndUsers ends the sessions of the users in a transaction of the application's, and
// withdraws the reservations of logins under way. users are the names that the store
// knows. It returns how many entries it deleted, expired ones included. Errors are the
// database's, so that the application can tell which are worth another try.
func (s *Store) EndUsers(ctx context.Context, tx Runner, users []string) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	ended := 0
	for _, user := range users {
		n, err := s.endUser(ctx, tx, user)
		if err != nil {
			return ended, fmt.Errorf("%s: revoke in a transaction: %w", s.layer, err)
		}
		ended += n
	}
	return ended, nil
}

func (s *Store) endUser(ctx context.Context, tx Runner, user string) (int, error) {
	if user == "" {
		return 0, fmt.Errorf("the user is empty: %w", core.ErrNotFound)
	}
	// First the counter: logins under a limit wait for this transaction from here on.
	if err := s.count(ctx, tx, user); err != nil {
		return 0, err
	}
	marked, err := s.isThere(ctx, tx, s.st.marked, []byte(user), markRow, s.config.Now().UnixMilli())
	if err != nil {
		return 0, err
	}
	end := s.st.endListed
	if marked { // the index has lost some
		end = s.st.endOwned
	}
	n, err := tx.Exec(ctx, end, []byte(user))
	if err == nil {
		_, err = tx.Exec(ctx, s.st.leave, []byte(user), counterRow, markRow)
	}
	return int(n), err
}

// End ends one session in a transaction of the application's.
func (s *Store) End(ctx context.Context, tx Runner, id core.ID) error {
	if s.err != nil {
		return s.err
	}
	if _, err := tx.Exec(ctx, s.st.remove, id[:]); err != nil {
		return fmt.Errorf("%s: revoke in a transaction: %w", s.layer, err)
	}
	return nil
}
