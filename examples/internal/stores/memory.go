package stores

import (
	"strings"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// newMemory reads what follows memory: in a URL, which is nothing but the parameter sweep.
func newMemory(rest string) (*memstore.Store, error) {
	interval, rest, err := duration(rest, "sweep", 0)
	if err != nil {
		return nil, err
	}
	if err := alone(rest); err != nil {
		return nil, err
	}
	return memstore.New(memstore.Config{SweepInterval: interval}), nil
}

// OpenCounted is [Open] with a function that counts the sessions in the store.
// That is nil unless they are in this process.
func OpenCounted(url, keys string) (core.Backend, func() error, func() int, error) {
	if rest, ok := strings.CutPrefix(url, "memory:"); ok {
		return counted(newMemory(rest))
	}
	if dir, ok := strings.CutPrefix(url, "file:"); ok {
		return counted(newFile(dir))
	}
	backend, closer, err := Open(url, keys)
	return backend, closer, nil, err
}

func counted[S interface {
	closingStore
	Len() int
}](store S, err error) (core.Backend, func() error, func() int, error) {
	if err != nil {
		return nil, nil, nil, err
	}
	return core.ServerSide(store), store.Close, store.Len, nil
}
