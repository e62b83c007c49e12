package goredisstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Open returns a [Store] with a client of its own for url; Close closes it. See
// [NewClient].
func Open(url string, c Config) (*Store, error) {
	client, err := NewClient(url)
	if err != nil {
		return nil, err
	}
	s := New(client, c)
	s.close = client.Close
	return s, nil
}

// NewClient returns a client that suits sessions: it obeys deadlines and gives
// up connecting after a second. It does not connect yet.
//
//	redis://[user:password@]host[:port][/db]
//	redis-cluster://[user:password@]host[:port][,host[:port]…]
//	redis-sentinel://[user:password@]sentinel[:port][,sentinel[:port]…]/master[/db][?sentinel_username=…&sentinel_password=…]
//
// With rediss, rediss-cluster and rediss-sentinel instead, the connections are
// TLS 1.2 or later, and the server's certificate must be valid for its name. For
// anything else make a client and call [New]. Errors do not repeat the URL,
// which may have a password in it.
func NewClient(url string) (redis.UniversalClient, error) {
	options, kind, err := parseURL(url)
	if err != nil {
		return nil, fmt.Errorf("goredisstore: %w", err)
	}
	options.ContextTimeoutEnabled = true
	options.DialTimeout = time.Second
	options.ClientName = "satchel"
	switch kind {
	case "-cluster":
		return redis.NewClusterClient(options.Cluster()), nil
	case "-sentinel":
		return redis.NewFailoverClient(options.Failover()), nil
	}
	return redis.NewClient(options.Simple()), nil
}

// parseURL reads a URL for NewClient. kind is "", "-cluster" or "-sentinel".
func parseURL(raw string) (options *redis.UniversalOptions, kind string, err error) {
	scheme, rest, found := strings.Cut(raw, "://")
	secure := strings.HasPrefix(scheme, "rediss")
	kind = strings.TrimPrefix(strings.TrimPrefix(scheme, "redis"), "s")
	if !found || !strings.HasPrefix(scheme, "redis") || kind != "" && kind != "-cluster" && kind != "-sentinel" {
		return nil, "", errors.New("want a URL that begins with redis://, redis-cluster:// or redis-sentinel://, with rediss for TLS")
	}
	authority, path, query, err := split(rest)
	if err != nil {
		return nil, "", err
	}
	options = &redis.UniversalOptions{}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if options.Username, options.Password, err = credentials(authority[:at]); err != nil {
			return nil, "", err
		}
		authority = authority[at+1:]
	}
	port := "6379"
	if kind == "-sentinel" {
		port = "26379"
	}
	if options.Addrs, err = addresses(authority, port); err != nil {
		return nil, "", err
	}
	if kind == "" && len(options.Addrs) > 1 {
		return nil, "", errors.New("several hosts need redis-cluster:// or redis-sentinel://")
	}
	if kind == "-sentinel" {
		if options.MasterName, path, _ = strings.Cut(path, "/"); options.MasterName == "" {
			return nil, "", errors.New("after the sentinels comes the name of the master: redis-sentinel://host:26379/mymaster")
		}
		options.SentinelUsername, options.SentinelPassword = query.Get("sentinel_username"), query.Get("sentinel_password")
		query.Del("sentinel_username")
		query.Del("sentinel_password")
	}
	if options.DB, err = database(path, kind); err != nil {
		return nil, "", err
	}
	if len(query) > 0 { // its name may be half of a password
		return nil, "", errors.New("unknown parameter; there are sentinel_username and sentinel_password, and in a password a ? is written %3F")
	}
	if secure {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if kind == "" {
			options.TLSConfig.ServerName, _, _ = net.SplitHostPort(options.Addrs[0])
		}
	}
	return options, kind, nil
}

// split takes what follows the scheme apart. It is not left to package url,
// which knows no lists of hosts.
func split(rest string) (authority, path string, query url.Values, err error) {
	rest, parameters, _ := strings.Cut(rest, "?")
	if query, err = url.ParseQuery(parameters); err != nil {
		return "", "", nil, errors.New("malformed parameters")
	}
	if strings.Contains(rest, "#") {
		return "", "", nil, errors.New("unexpected #; in a password it is written %23")
	}
	authority, path, _ = strings.Cut(rest, "/")
	if path, err = url.PathUnescape(path); err != nil {
		return "", "", nil, errors.New("malformed path")
	}
	return authority, path, query, nil
}

func credentials(userinfo string) (user, password string, err error) {
	user, password, _ = strings.Cut(userinfo, ":")
	u, errUser := url.PathUnescape(user)
	p, errPassword := url.PathUnescape(password)
	if errUser != nil || errPassword != nil {
		return "", "", errors.New("malformed user name or password; special characters are written as %XX")
	}
	if p == "" && u != "" {
		return "", "", errors.New("a user name without a password; a password alone is written :password@host")
	}
	return u, p, nil
}

func addresses(authority, port string) ([]string, error) {
	var list []string
	for host := range strings.SplitSeq(authority, ",") {
		u, err := url.Parse("redis://" + host)
		if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(u.Hostname(), "[]") {
			return nil, errors.New("malformed or missing host; special characters in a password are written as %XX")
		}
		p := u.Port()
		if p == "" {
			p = port
		}
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, errors.New("a port is a number from 1 to 65535")
		}
		list = append(list, net.JoinHostPort(u.Hostname(), p))
	}
	return list, nil
}

func database(path, kind string) (int, error) {
	if path == "" {
		return 0, nil
	}
	db, err := strconv.Atoi(path)
	switch {
	case err != nil || db < 0:
		return 0, errors.New("the path is the number of a database")
	case kind == "-cluster" && db != 0:
		return 0, errors.New("a cluster has no databases but 0")
	}
	return db, nil
}
