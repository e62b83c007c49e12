package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// Handlers need not commit. A handler that needs the result before it continues, to
// charge a card or to explain an error itself, calls Commit.
func ExampleSession_Commit() {
	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{
		MaxBytes: 1000,
		Observer: func(context.Context, core.Event) {}, // the log is not shown here
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	s := sessions.NewSession(ctx)

	s.Set("step", "paid")
	fmt.Println(s.Commit(ctx), s.IsNew())

	s.Set("draft", strings.Repeat("x", 1200))
	err = s.Commit(ctx)
	var size *core.SizeError
	if errors.Is(err, core.ErrTooLarge) && errors.As(err, &size) {
		fmt.Printf("%s does not fit: the limit is %d bytes\n", size.Key, size.Limit)
	}

	s.Set("callback", func() {})
	err = s.Commit(ctx)
	var value *core.ValueError
	fmt.Println(errors.As(err, &value), value.Key, value.Type)

	// A failed commit drops its changes and keeps what was stored.
	fmt.Println(s.Keys(), s.Commit(ctx))
	// Output:
	// <nil> false
	// draft does not fit: the limit is 1000 bytes
	// true callback func()
	// [step] <nil>
}
