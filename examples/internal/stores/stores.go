// Package stores makes session backends of store URLs, for the programs in
// examples: they take from the command line what an application writes as one line of Go.
package stores

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// opener makes a backend of keys and of what follows the scheme in a URL. The
// function that it returns closes the backend.
type opener func(rest, keys string) (core.Backend, func() error, error)

// openers has what Open knows.
var openers = map[string]opener{
	"memory":         openMemory,
	"cookie":         openCookie,
	"gorilla-cookie": openGorillaCookie,

	"redis":           openRedis("redis"),
	"rediss":          openRedis("rediss"),
	"redis-cluster":   openRedis("redis-cluster"),
	"rediss-cluster":  openRedis("rediss-cluster"),
	"redis-sentinel":  openRedis("redis-sentinel"),
	"rediss-sentinel": openRedis("rediss-sentinel"),
	"gorilla-redis":   openGorillaRedis("gorilla-redis"),
	"gorilla-rediss":  openGorillaRedis("gorilla-rediss"),
}

// Open returns the backend of a store URL, and what to call when it is no
// longer needed:
//
//	memory:           in this process; sessions end with it. With memory:?sweep=10s
//	                  expired ones are removed every 10 seconds
//	cookie:           in the client's cookie, sealed with keys
//	gorilla-cookie:   in the client's cookie, as gorilla/sessions makes it
//	redis://host:port/db           in Redis
//	redis-cluster://a:port,b:port  in a Redis Cluster
//	redis-sentinel://a,b/master    in Redis under Sentinel
//	gorilla-redis://host:port/db   in Redis, through rbcervilla/redisstore
//
// With rediss instead of redis, the connections are encrypted.
//
// keys is a text for [core.ParseKeyring]; what keeps sessions on the server
// ignores it. Errors do not repeat the URL, which may have a password in it.
func Open(url, keys string) (core.Backend, func() error, error) {
	scheme, rest, found := strings.Cut(url, ":")
	open, ok := openers[scheme]
	switch {
	case !found:
		return nil, nil, fmt.Errorf("a store is a URL such as memory: with its colon; known are %s", Known())
	case !ok:
		return nil, nil, fmt.Errorf("unknown store %q; known are %s", scheme+":", Known())
	}
	backend, closer, err := open(rest, keys)
	if err != nil {
		return nil, nil, fmt.Errorf("store %s: %w", scheme, err)
	}
	return backend, closer, nil
}

// Known lists the stores that Open knows.
func Known() string {
	return strings.Join(slices.Sorted(maps.Keys(openers)), ":, ") + ":"
}

// KeysFromEnv returns SESSION_KEYS. If that is not set, it returns a new
// random key, and random is true: what is sealed with it ends with this process.
func KeysFromEnv() (keys string, random bool) {
	if keys = os.Getenv("SESSION_KEYS"); keys != "" {
		return keys, false
	}
	return core.GenerateKey(), true
}

// NeedsKeys reports whether Open uses its keys for this URL.
func NeedsKeys(url string) bool { return strings.HasSuffix(strings.SplitN(url, ":", 2)[0], "cookie") }

func openCookie(rest, keys string) (core.Backend, func() error, error) {
	if err := alone(rest); err != nil {
		return nil, nil, err
	}
	ring, err := core.ParseKeyring(keys)
	if err != nil {
		return nil, nil, err
	}
	return core.ClientSide(core.NewCookieSealer(ring)), nothing, nil
}

// alone refuses what follows a scheme that is complete by itself.
func alone(rest string) error {
	if rest != "" {
		return errors.New("nothing may follow the colon")
	}
	return nil
}

func nothing() error { return nil }
