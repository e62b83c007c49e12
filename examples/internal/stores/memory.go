package stores

import (
	"errors"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// sweepParameter takes the parameter sweep out of what follows a scheme: how often to
// remove all sessions that have expired, 0 without it.
func sweepParameter(rest string) (interval time.Duration, without string, err error) {
	before, query, _ := strings.Cut(rest, "?")
	var others []string
	for parameter := range strings.SplitSeq(query, "&") {
		text, ok := strings.CutPrefix(parameter, "sweep=")
		if !ok {
			others = append(others, parameter)
		} else if interval, err = time.ParseDuration(text); err != nil || interval <= 0 {
			return 0, "", errors.New("sweep: want a duration such as 10s")
		}
	}
	if query = strings.Join(others, "&"); query == "" {
		return interval, before, nil
	}
	return interval, before + "?" + query, nil
}

// newMemory reads what follows memory: in a URL, which is nothing but [sweepParameter].
func newMemory(rest string) (*memstore.Store, error) {
	interval, rest, err := sweepParameter(rest)
	if err != nil {
		return nil, err
	}
	if err := alone(rest); err != nil {
		return nil, err
	}
	return memstore.New(memstore.Config{SweepInterval: interval}), nil
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
