package stores

import (
	"strings"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
)

// openRedis returns the opener of a scheme that goredisstore understands.
func openRedis(scheme string) opener {
	return func(rest, _ string) (core.Backend, func() error, error) {
		store, err := goredisstore.Open(scheme+":"+rest, goredisstore.Config{})
		if err != nil {
			return nil, nil, err
		}
		return core.ServerSide(store), store.Close, nil
	}
}

// openGorillaRedis opens what follows gorilla-, through redisstore.
func openGorillaRedis(scheme string) opener {
	scheme = strings.TrimPrefix(scheme, "gorilla-")
	return func(rest, _ string) (core.Backend, func() error, error) {
		client, err := goredisstore.NewClient(scheme + ":" + rest)
		if err != nil {
			return nil, nil, err
		}
		return core.ServerSide(gorillastore.RedisStore(client, goredisstore.Config{})), client.Close, nil
	}
}
