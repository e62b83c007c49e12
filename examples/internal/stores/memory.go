package stores

import (
	"errors"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// newMemory reads what follows memory: in a URL: nothing, or "?sweep=" and how
// often expired sessions are removed.
func newMemory(rest string) (*memstore.Store, error) {
	var c memstore.Config
	if text, ok := strings.CutPrefix(rest, "?sweep="); ok {
		var err error
		if c.SweepInterval, err = time.ParseDuration(text); err != nil {
			return nil, errors.New("sweep: want a duration such as 10s")
		}
	} else if err := alone(rest); err != nil {
		return nil, err
	}
	return memstore.NewWith(c)
}

func openMemory(rest, _ string) (core.Backend, func() error, error) {
	store, err := newMemory(rest)
	if err != nil {
		return nil, nil, err
	}
	return core.ServerSide(store), store.Close, nil
}

// OpenCounted is [Open] with a function that counts the sessions in the store.
// It is nil unless they are in this process.
func OpenCounted(url, keys string) (core.Backend, func() error, func() int, error) {
	rest, ok := strings.CutPrefix(url, "memory:")
	if !ok {
		backend, closer, err := Open(url, keys)
		return backend, closer, nil, err
	}
	store, err := newMemory(rest)
	if err != nil {
		return nil, nil, nil, err
	}
	return core.ServerSide(store), store.Close, store.Len, nil
}
