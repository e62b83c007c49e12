package sealed_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

// Sessions that whoever reads the store cannot read, and a change of keys.
func ExampleStore() {
	store := memstore.New(memstore.Config{}) // in life, one that others can see
	defer func() { _ = store.Close() }()
	ctx := context.Background()

	// The key comes from a setting such as SESSION_KEYS.
	key := sealed.GenerateKey()
	keys, err := sealed.ParseKeyring(key)
	if err != nil {
		panic(err)
	}
	sessions, err := core.New(core.ServerSide(sealed.Store(store, keys)), core.Config{})
	if err != nil {
		panic(err)
	}
	s := sessions.NewSession(ctx)
	s.Login("ann@example.com")
	if err := s.Commit(ctx); err != nil {
		panic(err)
	}
	stored, err := store.Load(ctx, s.ID())
	if err != nil {
		panic(err)
	}
	fmt.Println("in clear:", strings.Contains(string(stored.Data)+stored.User, "ann"))

	// A new key goes in front; what the old one sealed still opens, and is
	// sealed with the new one when it is saved.
	keys, err = sealed.ParseKeyring(sealed.GenerateKey() + "," + key)
	if err != nil {
		panic(err)
	}
	sessions, err = core.New(core.ServerSide(sealed.Store(store, keys)), core.Config{})
	if err != nil {
		panic(err)
	}
	infos, err := sessions.List(ctx, "ann@example.com")
	fmt.Println(len(infos), "session of", infos[0].User, err)
	// Output:
	// in clear: false
	// 1 session of ann@example.com <nil>
}
