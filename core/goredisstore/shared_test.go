package goredisstore_test

import (
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

func TestShared(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) (a, b core.Store) {
		config := goredisstore.Config{Prefix: redistest.UniquePrefix(t)}
		addr := redistest.Shared(t).Addr()
		return goredisstore.New(newClient(t, addr), config), goredisstore.New(newClient(t, addr), config)
	})
}
