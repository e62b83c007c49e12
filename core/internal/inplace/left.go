package inplace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/satchel-go/satchel/core"
)

// LeftKey is the only key of a session that has moved away. Its value is what Left returns.
const LeftKey = HeaderKey + "_left"

// Left returns what says who r was, in place of its content.
func Left(scope core.Scope, r *core.Record) []byte {
	return Header(WithName(scope), r.WithContent(nil, nil))
}

// ParseLeft is the reverse of Left for a value that the store has returned. Stores need not
// forget in time what has ended.
func ParseLeft(scope core.Scope, v any, now time.Time) (*core.Record, error) {
	r, err := ParseNamed(scope, v)
	if errors.Is(err, ErrNotOurs) || err == nil && !now.Before(r.KeepUntil()) {
		return nil, fmt.Errorf("of what has moved: %w", core.ErrNotFound)
	}
	return r, err
}

// Leave implements [core.Leaver]: to the library, the session is empty from now on.
func (b *Backend[E]) Leave(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle) error {
	h := base.(*handle)
	ctx, turn, err := b.turn(ctx, h.id)
	if err != nil {
		return b.Fail("save", err)
	}
	defer turn.end()
	e, err := b.store.Read(ctx, scope, h.token)
	if err != nil {
		return err
	}
	return b.store.Leave(ctx, scope.Name, e, r, Left(scope, r))
}

// LoadLeft implements [core.Leaver].
func (b *Backend[E]) LoadLeft(ctx context.Context, scope core.Scope, presented core.Tokens) (*core.Record, error) {
	left, err := b.store.FetchLeft(ctx, scope.Name, presented.Session)
	if err != nil {
		return nil, err
	}
	return ParseLeft(scope, left, b.now())
}
