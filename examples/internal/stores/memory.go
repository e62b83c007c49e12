package stores

import (
	"errors"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// newMemory reads what follows memory: in a URL, which is nothing, or "?sweep="
// and how often to remove expired sessions.
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
	return memstore.New(c), nil
}

func openMemory(rest, _ string) (core.Backend, func() error, error) {
	store, err := newMemory(rest)
	if err != nil {
		return nil, nil, err
	}
	return core.ServerSide(store), store.Close, nil
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
	core.Store
	Close() error
	Len() int
}](store S, err error) (core.Backend, func() error, func() int, error) {
	if err != nil {
		return nil, nil, nil, err
	}
	return core.ServerSide(store), store.Close, store.Len, nil
}
