package filestore_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/filestore"
)

// Sessions in a directory, for one process.
func ExampleOpen() {
	tmp, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // an example

	store, err := filestore.Open(filepath.Join(tmp, "sessions"), filestore.Config{MaxSessions: 200_000})
	if err != nil {
		panic(err)
	}
	defer store.Close() //nolint:errcheck // an example
	_, err = core.New(core.ServerSide(store), core.Config{})
	fmt.Println(err)
	// Output: <nil>
}
