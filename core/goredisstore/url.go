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

// Open returns a [Store] with its own client for url; see [NewClient]. Close
// closes the client.
func Open(url string, c Config) (*Store, error) {
	client, err := NewClient(url)
	if err != nil {
		return nil, err
	}
	s := New(client, c)
	s.close = client.Close
	return s, nil
}

// NewClient returns a client that suits sessions: it obeys deadlines and gives up
// connecting after a second. NewClient itself does not connect.
//
//	redis://[user:password@]host[:port][/db]
//	redis-cluster://[user:password@]host[:port][,host[:port]…]
//	redis-sentinel://[user:password@]sentinel[:port][,sentinel[:port]…]/master[/db][?sentinel_username=…&sentinel_password=…]
//	unix://[user:password@]/path/to/redis.sock[?db=…]
//
// With rediss, rediss-cluster and rediss-sentinel, connections use TLS 1.2 or
// later, and the server's certificate must be valid for its name. Blanks and line
// ends around the URL are ignored. For anything else make a client and call [New]. Errors do not repeat the URL, which may
// contain a password.
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
	raw = strings.TrimSpace(raw)
	if raw == "" {
		return nil, "", errors.New("the URL is empty: set the variable that holds it, such as REDIS_URL, to redis://localhost:6379")
	}
	if strings.Trim(raw, `"'`) != raw {
		return nil, "", errors.New("the URL has quotation marks around it: remove them; in a password, write them as %22 and %27")
	}
	scheme, rest, found := strings.Cut(raw, "://")
	if found && scheme == "unix" {
		options, err = parseSocket(rest)
		return options, "", err
	}
	kind, secure, known := parseScheme(scheme)
	if !found || !known {
		return nil, "", errors.New("want a URL that begins with redis://, redis-cluster://, redis-sentinel:// or unix://, with rediss for TLS")
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
		if path, err = master(options, path, query); err != nil {
			return nil, "", err
		}
	}
	if options.DB, err = database(path, kind); err != nil {
		return nil, "", err
	}
	if len(query) > 0 { // its name may be part of a password
		return nil, "", errors.New("unknown parameter; use sentinel_username or sentinel_password; in a password, write ? as %3F")
	}
	if secure {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if kind == "" {
			options.TLSConfig.ServerName, _, _ = net.SplitHostPort(options.Addrs[0])
		}
	}
	return options, kind, nil
}

// parseSocket reads what follows unix://.
func parseSocket(rest string) (*redis.UniversalOptions, error) {
	authority, path, query, err := split(rest)
	if err != nil {
		return nil, err
	}
	options := &redis.UniversalOptions{Addrs: []string{"/" + path}} // go-redis knows a socket by the slash
	userinfo, empty, found := strings.Cut(authority, "@")
	if path == "" || empty != "" || !found && authority != "" {
		return nil, errors.New("want the absolute path of a socket: unix:///run/redis.sock")
	}
	if options.Username, options.Password, err = credentials(userinfo); err != nil {
		return nil, err
	}
	if options.DB, err = database(query.Get("db"), ""); err != nil {
		return nil, err
	}
	if query.Del("db"); len(query) > 0 {
		return nil, errors.New("unknown parameter; use db")
	}
	return options, nil
}

// parseScheme returns the kind of server that a scheme names, and whether
// connections to it are encrypted.
func parseScheme(scheme string) (kind string, secure, known bool) {
	kind, known = strings.CutPrefix(scheme, "redis")
	kind, secure = strings.CutPrefix(kind, "s")
	return kind, secure, known && (kind == "" || kind == "-cluster" || kind == "-sentinel")
}

// master takes the master's name out of path, and what is for the sentinels out of query.
func master(options *redis.UniversalOptions, path string, query url.Values) (rest string, err error) {
	if options.MasterName, rest, _ = strings.Cut(path, "/"); options.MasterName == "" {
		return "", errors.New("the name of the master must follow the sentinels: redis-sentinel://host:26379/mymaster")
	}
	options.SentinelUsername, options.SentinelPassword = query.Get("sentinel_username"), query.Get("sentinel_password")
	query.Del("sentinel_username")
	query.Del("sentinel_password")
	return rest, nil
}

// split takes apart what follows the scheme. Package url cannot do that, because
// it does not know lists of hosts.
func split(rest string) (authority, path string, query url.Values, err error) {
	rest, parameters, _ := strings.Cut(rest, "?")
	if query, err = url.ParseQuery(parameters); err != nil {
		return "", "", nil, errors.New("malformed parameters")
	}
	if strings.Contains(rest, "#") {
		return "", "", nil, errors.New("unexpected #; in a password, write it as %23")
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
		return "", "", errors.New("malformed user name or password; write special characters as %XX")
	}
	if p == "" && u != "" {
		return "", "", errors.New("a user name without a password; write a password alone as :password@host")
	}
	return u, p, nil
}

func addresses(authority, port string) ([]string, error) {
	var list []string
	for host := range strings.SplitSeq(authority, ",") {
		u, err := url.Parse("redis://" + host)
		if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(u.Hostname(), "[]") || strings.Count(host, ":") > 1 && host[0] != '[' {
			return nil, errors.New("malformed or missing host; write special characters in a password as %XX")
		}
		p := u.Port()
		if p == "" {
			p = port
		}
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, errors.New("a port must be a number from 1 to 65535")
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
		return 0, errors.New("the path must be the number of a database")
	case kind == "-cluster" && db != 0:
		return 0, errors.New("a cluster has only database 0")
	}
	return db, nil
}
