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

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// opener makes a backend from keys and what follows the scheme in a URL. The
// returned function closes the backend.
type opener func(rest, keys string) (core.Backend, func() error, error)

// openers has the schemes that Open knows.
var openers = map[string]opener{
	"memory":         openMemory,
	"file":           openFile,
	"cookie":         openCookie,
	"gorilla-cookie": openGorillaCookie,
	"jwt":            openJWT,
	"jwe":            openJWE,

	"postgres": openPostgres,
	"mysql":    openSQL("mysql", mysqlSource),
	"sqlite":   openSQL("sqlite", sqliteSource),

	"memcached": openMemcached,

	"redis":           openRedis("redis"),
	"rediss":          openRedis("rediss"),
	"redis-cluster":   openRedis("redis-cluster"),
	"rediss-cluster":  openRedis("rediss-cluster"),
	"redis-sentinel":  openRedis("redis-sentinel"),
	"rediss-sentinel": openRedis("rediss-sentinel"),
	"unix":            openRedis("unix"),

	"near+redis":            openNearRedis("redis"),
	"near+rediss":           openNearRedis("rediss"),
	"near+redis-cluster":    openNearRedis("redis-cluster"),
	"near+rediss-cluster":   openNearRedis("rediss-cluster"),
	"near+redis-sentinel":   openNearRedis("redis-sentinel"),
	"near+rediss-sentinel":  openNearRedis("rediss-sentinel"),
	"hybrid+memory":         openHybrid(newMemory),
	"hybrid+file":           openHybrid(newFile),
	"hybrid+redis":          openHybridRedis("redis"),
	"hybrid+rediss":         openHybridRedis("rediss"),
	"hybrid+redis-cluster":  openHybridRedis("redis-cluster"),
	"hybrid+redis-sentinel": openHybridRedis("redis-sentinel"),

	"gorilla-redis":  openGorillaRedis("gorilla-redis"),
	"gorilla-rediss": openGorillaRedis("gorilla-rediss"),
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

// alone refuses anything after a scheme that is complete without it.
func alone(rest string) error {
	if rest != "" {
		return errors.New("nothing may follow the colon")
	}
	return nil
}

func nothing() error { return nil }
