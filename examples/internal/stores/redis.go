package stores

import (
	"errors"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/nearcache"
)

// newRedis opens what follows a scheme that goredisstore understands.
func newRedis(scheme string) func(rest string) (*goredisstore.Store, error) {
	return func(rest string) (*goredisstore.Store, error) {
		return goredisstore.Open(scheme+":"+rest, goredisstore.Config{})
	}
}

// openNear returns the opener of such a store with copies in this process.
func openNear(open func(rest string) (*goredisstore.Store, error)) opener {
	return func(rest, _ string) (core.Backend, func() error, error) {
		window, rest, err := duration(rest, "window", 0)
		if err != nil {
			return nil, nil, err
		}
		store, err := open(rest)
		if err != nil {
			return nil, nil, err
		}
		near, err := nearcache.New(store, nearcache.Config{Window: window})
		if err != nil {
			return nil, nil, errors.Join(err, store.Close())
		}
		return core.ServerSide(near), func() error { return errors.Join(near.Close(), store.Close()) }, nil
	}
}

// openGorillaRedis opens what follows a scheme after gorilla-, through redisstore.
func openGorillaRedis(scheme string) opener {
	return func(rest, _ string) (core.Backend, func() error, error) {
		client, err := goredisstore.NewClient(scheme + ":" + rest)
		if err != nil {
			return nil, nil, err
		}
		return core.ServerSide(gorillastore.RedisStore(client, goredisstore.Config{})), client.Close, nil
	}
}
