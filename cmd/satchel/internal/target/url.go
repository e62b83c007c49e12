package target

import (
	"errors"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/satchel-go/satchel/core/filestore"
)

// opener opens what follows the scheme of a URL, and completes t.
type opener func(t *Target, c *Config, rest string) (driver, error)

var schemes = map[string]opener{
	"redis": openRedis, "rediss": openRedis, "unix": openRedis,
	"redis-cluster": openRedis, "rediss-cluster": openRedis,
	"redis-sentinel": openRedis, "rediss-sentinel": openRedis,
	"gorilla-redis": openRedis, "gorilla-rediss": openRedis,
	"postgres": openPostgres, "postgresql": openPostgres, "mysql": openMySQL, "sqlite": openSQLite,
	"file": openFile,
}

// Known lists the schemes of URLs.
func Known() string { return strings.Join(slices.Sorted(maps.Keys(schemes)), ":, ") + ":" }

// HasPassword reports whether a store's URL has a password in it.
func HasPassword(text string) bool {
	_, rest, _ := strings.Cut(text, "://")
	userinfo, _, found := cutLast(rest, "@")
	_, password, named := strings.Cut(userinfo, ":")
	return found && named && password != "" || strings.Contains(strings.ToLower(text), "password=")
}

// label names a store without what may be secret: user, password and parameters.
func label(scheme, rest string) string {
	rest, _, _ = strings.Cut(rest, "?")
	rest = strings.TrimPrefix(rest, "//")
	if _, after, found := cutLast(rest, "@"); found {
		rest = after
	}
	return scheme + " at " + rest
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", "", false
}

// fileStore is a filestore with a Validator, which it does not need.
type fileStore struct{ *filestore.Store }

func (fileStore) Validate() error { return nil }

func openFile(t *Target, c *Config, dir string) (driver, error) {
	dir = strings.TrimPrefix(dir, "//")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, Usage("file: %q is not a directory with sessions", dir)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) == 0 {
		return nil, Usage("file: %q is empty: the application has not used it", dir)
	}
	if uid := owner(filepath.Join(dir, "lock")); uid >= 0 && uid != os.Geteuid() {
		return nil, Refused("file: the files belong to the user %d: run this as that user, or the application may not open them afterwards", uid)
	}
	store, err := filestore.Open(dir, filestore.Config{SweepInterval: -1, Now: c.Now, MaxBytes: 1 << 40})
	if err != nil {
		if errors.Is(err, filestore.ErrLocked) {
			return nil, Refused("the application is running: stop it first, or use its own pages: %w", err)
		}
		return nil, err
	}
	t.onClose(store.Close)
	return fileStore{store}, nil
}

// hostOf parses what follows the scheme of a URL with a host.
func hostOf(rest string) (*url.URL, error) {
	u, err := url.Parse(rest)
	if err != nil || u.Host == "" {
		return nil, Usage("want a URL such as scheme://user@host/database")
	}
	return u, nil
}
