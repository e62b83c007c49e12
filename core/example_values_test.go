package core_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// Values have types, and need no registration. An application makes its keys
// at package level.
func Example_values() {
	type item struct {
		Name  string
		Count int
	}
	cart := core.NewKey[[]item]("cart")

	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		panic(err)
	}
	s := sessions.NewSession(context.Background()) // a handler gets it from its adapter

	_, err = cart.Lookup(s)
	fmt.Println("no cart yet:", errors.Is(err, core.ErrNotFound))

	cart.Set(s, []item{{"pen", 2}, {"ink", 1}})
	items, ok := cart.Get(s)
	fmt.Println(items, ok)

	// What Get returned is a copy: to keep a change, Set it.
	items[0].Count = 99
	items, _ = cart.Get(s)
	fmt.Println(items)

	// Without a key, the reader names the type.
	s.Set("theme", "dark")
	theme, ok := core.Get[string](s, "theme")
	fmt.Println(theme, ok)
	_, ok = core.Get[int](s, "theme")
	fmt.Println("theme as a number:", ok)

	cart.Delete(s)
	fmt.Println(s.Keys())
	// Output:
	// no cart yet: true
	// [{pen 2} {ink 1}] true
	// [{pen 2} {ink 1}]
	// dark true
	// theme as a number: false
	// [theme]
}
