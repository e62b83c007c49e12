package gorillastore_test

import (
	"fmt"

	"github.com/gorilla/securecookie"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillastore"
)

func ExampleCookie() {
	// In an application, both keys come from its configuration.
	hashKey, blockKey := securecookie.GenerateRandomKey(32), securecookie.GenerateRandomKey(32)
	sessions, err := core.New(gorillastore.Cookie(hashKey, blockKey), core.Config{})
	fmt.Println(sessions, err)
	// Output: core.Manager(__Host-session) <nil>
}
