package goredisstore_test

import (
	"context"
	"log"
	"os"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
)

// This operator's program ends all sessions of an application.
func Example_endEverySession() {
	store, err := goredisstore.Open(os.Getenv("REDIS_URL"), goredisstore.Config{}) // the application's prefix
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := core.New(core.ServerSide(store), core.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := sessions.RevokeAll(context.Background()); err != nil {
		log.Fatal(err)
	}
}
