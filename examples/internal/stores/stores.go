// Package stores makes session backends from store URLs, so that the programs in
// examples take from the command line what an application writes in a line of Go.
package stores

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// opener makes a backend from keys and what follows the scheme in a URL. The
// returned function closes the backend.
type opener func(rest, keys string) (core.Backend, func() error, error)

// openers has the schemes that Open knows.
var openers = func() map[string]opener {
	all := map[string]opener{
		"memory":         onServer(newMemory),
		"file":           onServer(newFile),
		"cookie":         openCookie,
		"gorilla-cookie": openGorillaCookie,
		"jwt":            openJWT,
		"jwe":            openJWE,
		"postgres":       openPostgres,
		"mysql":          openSQL("mysql", mysqlSource),
		"sqlite":         openSQL("sqlite", sqliteSource),
		"memcached":      onServer(newMemcached),
		"unix":           onServer(newRedis("unix")),
		"gorilla-redis":  openGorillaRedis("redis"),
		"gorilla-rediss": openGorillaRedis("rediss"),
		"hybrid+memory":  openHybrid(newMemory),
		"hybrid+file":    openHybrid(newFile),
	}
	for _, scheme := range []string{"redis", "rediss", "redis-cluster", "rediss-cluster", "redis-sentinel", "rediss-sentinel"} {
		open := newRedis(scheme)
		all[scheme], all["near+"+scheme], all["hybrid+"+scheme] = onServer(open), openNear(open), openHybrid(open)
	}
	return all
}()

// closingStore is a store and what closes it.
type closingStore interface {
	core.Store
	Close() error
}

// onServer returns the opener of a store, which needs no keys.
func onServer[S closingStore](open func(rest string) (S, error)) opener {
	return func(rest, _ string) (core.Backend, func() error, error) {
		store, err := open(rest)
		if err != nil {
			return nil, nil, err
		}
		return core.ServerSide(store), store.Close, nil
	}
}

// Open returns the backend of a store URL, and a function that closes it:
//
//	memory:           in this process; sessions end with it. With memory:?sweep=10s all
//	                  that have expired are removed every 10 seconds; also in files and SQL
//	file:DIR          in this process and in a directory; sessions survive it
//	cookie:           in the client's cookie, sealed with keys
//	gorilla-cookie:   in the client's cookie, as gorilla/sessions makes it
//	jwt:              in a JSON Web Token signed with keys, or with those in
//	                  SESSION_SIGNING_KEYS, for others to verify; sealed inside
//	jwe:              in an encrypted JSON Web Token
//	sqlite:FILE                    in SQLite
//	postgres://user@host:port/db   in PostgreSQL, with the parameters of pgx
//	mysql://user@host:port/db      in MySQL or MariaDB, with those of go-sql-driver
//	memcached://a:port,b:port      in Memcached, divided among servers
//	redis://host:port/db           in Redis
//	redis-cluster://a:port,b:port  in a Redis Cluster
//	redis-sentinel://a,b/master    in Redis under Sentinel
//	unix:///path/to/redis.sock     in Redis on a socket of this machine
//	near+redis://host:port/db      in Redis, with copies in this process, which with
//	                               ?window=1s are at most a second old; also near+redis-cluster
//	                               and near+redis-sentinel
//	hybrid+redis://host:port/db    in Redis, with copies on the client, which with
//	                               ?window=30s are at most half a minute old; also
//	                               hybrid+memory:, hybrid+file:DIR, hybrid+redis-cluster
//	                               and hybrid+redis-sentinel
//	gorilla-redis://host:port/db   in Redis, through rbcervilla/redisstore
//
// With rediss instead of redis, the connections are encrypted.
//
// keys is a text for [sealed.ParseKeyring]; server-side stores ignore it. Errors do
// not repeat the URL, which may contain a password.
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
// random key, and random is true: sessions sealed with it end with this process.
func KeysFromEnv() (keys string, random bool) {
	if keys = os.Getenv("SESSION_KEYS"); keys != "" {
		return keys, false
	}
	return sealed.GenerateKey(), true
}

// NeedsKeys reports whether Open uses its keys for this URL.
func NeedsKeys(url string) bool {
	scheme, _, _ := strings.Cut(url, ":")
	return strings.HasSuffix(scheme, "cookie") || strings.HasPrefix(scheme, "hybrid+") || scheme == "jwt" || scheme == "jwe"
}

func openCookie(rest, keys string) (core.Backend, func() error, error) {
	ring, err := ringFor(rest, keys)
	if err != nil {
		return nil, nil, err
	}
	return core.ClientSide(sealed.Cookie(ring)), nothing, nil
}

// duration takes a parameter, which must be positive, out of what follows a scheme. Without it, it is usual.
func duration(rest, name string, usual time.Duration) (d time.Duration, without string, err error) {
	before, query, _ := strings.Cut(rest, "?")
	var others []string
	for parameter := range strings.SplitSeq(query, "&") {
		text, ok := strings.CutPrefix(parameter, name+"=")
		if !ok {
			others = append(others, parameter)
		} else if usual, err = time.ParseDuration(text); err != nil || usual <= 0 {
			return 0, "", fmt.Errorf("%s: want a duration such as 10s", name)
		}
	}
	if query = strings.Join(others, "&"); query != "" {
		before += "?" + query
	}
	return usual, before, nil
}

// alone refuses anything after a scheme that is complete without it.
func alone(rest string) error {
	if rest != "" {
		return errors.New("nothing may follow the colon")
	}
	return nil
}

func nothing() error { return nil }
