package cli_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/filestore"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"

	"github.com/satchel-go/satchel/cmd/satchel/internal/cli"
)

type running func() int

func (r running) Run() int { return r() }

func TestMain(m *testing.M) {
	os.Exit(sqltest.Main(running(func() int { return redistest.Main(m) })))
}

// storeKeys encrypt the stores that are encrypted.
var storeKeys = sealed.GenerateKey()

// world is a store with sessions, and the environment that leads to it.
type world struct {
	t      *testing.T
	env    map[string]string
	store  core.Store
	now    time.Time
	ahead  time.Duration      // of the doctor's clock
	ids    map[string]core.ID // by name
	secret []string           // what no output may have
	masks  []string           // pairs for a strings.Replacer
	close  func()             // before the tool runs
}

// clock is when fixtures begin.
var clock = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newWorld returns a world whose store open makes, on its clock.
func newWorld(t *testing.T, url, prefix string, open func(now func() time.Time) (core.Store, error)) *world {
	t.Helper()
	w := &world{t: t, env: map[string]string{"SATCHEL_STORE": url, "SATCHEL_PREFIX": prefix}, now: clock, ids: map[string]core.ID{}, close: func() {}}
	var err error
	if w.store, err = open(func() time.Time { return w.now }); err != nil {
		t.Fatal(err)
	}
	_, at, _ := strings.Cut(url, ":")
	at, _, _ = strings.Cut(strings.TrimPrefix(at, "//"), "?")
	at = at[strings.LastIndexByte(at, '@')+1:]
	scheme, _, _ := strings.Cut(url, ":")
	if prefix != "" {
		w.masks = []string{scheme + " at " + at + ", prefix " + prefix, "STORE", at, "ADDRESS", prefix, "PREFIX:"}
	}
	return w
}

// redisWorld is a world in Redis at url.
func redisWorld(t *testing.T, url, prefix string) *world {
	t.Helper()
	return newWorld(t, url, prefix, func(now func() time.Time) (core.Store, error) {
		store, err := goredisstore.Open(strings.TrimPrefix(url, "gorilla-"), goredisstore.Config{Prefix: prefix, Timeout: time.Minute, Now: now})
		if err == nil {
			t.Cleanup(func() { _ = store.Close() })
		}
		return store, err
	})
}

func sqlWorld(t *testing.T, driver, source, url string) *world {
	t.Helper()
	prefix := sqltest.UniquePrefix(t)
	return newWorld(t, url, prefix, func(now func() time.Time) (core.Store, error) {
		db, err := sql.Open(driver, source)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = db.Close() })
		store := sqlstore.New(db, sqlstore.Config{Prefix: prefix, Timeout: time.Minute, SweepInterval: -1, Now: now})
		return store, store.CreateTables(t.Context())
	})
}

// worlds are all kinds of stores. Those in a file end before the tool runs.
var worlds = []struct {
	name string
	open func(t *testing.T) *world
}{
	{"redis", func(t *testing.T) *world { return redisWorld(t, redistest.Shared(t).URL(), redistest.UniquePrefix(t)) }},
	{"encrypted", func(t *testing.T) *world {
		w := redisWorld(t, redistest.Shared(t).URL(), redistest.UniquePrefix(t))
		w.store, w.env["STORE_KEYS"] = sealed.Store(w.store, must(sealed.ParseKeyring(storeKeys))), storeKeys
		w.secret = append(w.secret, storeKeys)
		return w
	}},
	{"gorilla", func(t *testing.T) *world {
		return redisWorld(t, "gorilla-"+redistest.Start(t, redistest.Password("hunter2")).URL(), "session:")
	}},
	{"cluster", func(t *testing.T) *world {
		cluster := redistest.StartCluster(t, 3)
		return redisWorld(t, "redis-cluster://"+strings.Join(cluster.Addrs(), ","), redistest.UniquePrefix(t))
	}},
	{"sentinel", func(t *testing.T) *world {
		s := redistest.StartSentinel(t)
		return redisWorld(t, "redis-sentinel://"+strings.Join(s.Addrs(), ",")+"/"+s.MasterName(), redistest.UniquePrefix(t))
	}},
	{"postgres", func(t *testing.T) *world {
		s := sqltest.SharedPostgres(t)
		return sqlWorld(t, "pgx", s.Source(), s.URL())
	}},
	{"mariadb", func(t *testing.T) *world {
		s := sqltest.SharedMariaDB(t)
		return sqlWorld(t, "mysql", s.Source(), s.URL())
	}},
	{"sqlite", func(t *testing.T) *world {
		file := t.TempDir() + "/satchel.db"
		return sqlWorld(t, "sqlite", sqltest.SQLiteSource(file), "sqlite:"+file)
	}},
	{"file", func(t *testing.T) *world {
		dir := t.TempDir()
		var store *filestore.Store
		w := newWorld(t, "file:"+dir, "", func(now func() time.Time) (_ core.Store, err error) {
			store, err = filestore.Open(dir, filestore.Config{SweepInterval: -1, Now: now})
			return store, err
		})
		w.masks = []string{"file at " + dir, "STORE", dir, "DIRECTORY"}
		w.close = func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}
		return w
	}},
}

// fill makes the fixtures: sessions of two users and an anonymous one, a minute apart.
func (w *world) fill() {
	w.t.Helper()
	m, err := core.New(core.ServerSide(w.store), core.Config{
		Now: func() time.Time { return w.now }, LoadTimeout: time.Minute, CommitTimeout: time.Minute,
		Describe: func(core.Exchange) string { return w.env["label"] },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.begin(m, "ann1", "Firefox \x1b[31mon\u202e Linux", func(s *core.Session) {
		s.Set("cart", []int{1, 2, 3})
		s.Set("name\x07", "Ann ✓")
		s.Set("secret", "s3cret-value")
		s.Flash("info", "Welcome")
		s.Login("ann")
		s.Remember(true)
	})
	w.begin(m, "ann2", "", func(s *core.Session) { s.Login("ann") })
	w.begin(m, "eve", "", func(s *core.Session) { s.Login("eve\x1b[2J\u009b1m \u202e") })
	w.begin(m, "anon", "", func(s *core.Session) { s.Set("seen", true) })
	w.begin(m, "gone", "", func(s *core.Session) { s.Login("bob") })
	if err := m.Revoke(w.t.Context(), w.ids["gone"]); err != nil {
		w.t.Fatal(err)
	}
	delete(w.env, "label")
	w.close()
}

// begin makes a session as a request does, and notes its secrets.
func (w *world) begin(m *core.Manager, name, label string, f func(*core.Session)) {
	w.t.Helper()
	w.now, w.env["label"] = w.now.Add(time.Minute), label
	rec := httptest.NewRecorder()
	handler := httpadapter.Middleware(m)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		f(s)
		if err := s.Commit(r.Context()); err != nil {
			w.t.Error(err)
		}
		w.ids[name] = s.ID()
	}))
	handler.ServeHTTP(rec, httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "https://app.example/", nil))
	id := w.ids[name]
	_, token, _ := strings.Cut(rec.Header().Get("Set-Cookie"), "=")
	token, _, _ = strings.Cut(token, ";")
	e, err := w.store.Load(w.t.Context(), id)
	if err != nil || len(token) < 40 || len(e.Data) < 17 {
		w.t.Fatalf("%s: token of %d characters, %v", name, len(token), err)
	}
	hash := e.Data[1:17]
	w.secret = append(w.secret, token, strings.TrimPrefix(token, id.String()), string(hash), hex.EncodeToString(hash),
		base64.RawStdEncoding.EncodeToString(hash), base64.RawURLEncoding.EncodeToString(hash), "hunter2")
	w.masks = append(w.masks, id.String(), ("@" + name + "......................")[:22])
}

// run runs a command line. @name is the ID of a session.
func (w *world) run(ctx context.Context, line string, change ...func(*cli.IO)) (out, talk string, code int) {
	w.t.Helper()
	for _, name := range []string{"SATCHEL_STORE", "REDIS_URL", "SATCHEL_PREFIX", "STORE_KEYS", "SESSION_KEYS"} {
		w.t.Setenv(name, w.env[name])
	}
	var args []string
	for arg := range strings.FieldsSeq(line) {
		if name, ok := strings.CutPrefix(arg, "@"); ok {
			arg = w.ids[name].String()
		}
		args = append(args, arg)
	}
	var stdout, stderr safe
	streams := cli.IO{In: strings.NewReader(""), Out: &stdout, Err: &stderr, Now: func() time.Time { return w.now }}
	for _, f := range change {
		f(&streams)
	}
	code = cli.Main(ctx, args, streams)
	for _, s := range w.secret {
		if strings.Contains(stdout.String()+stderr.String(), s) {
			w.t.Errorf("satchel %s: the output has a secret", line)
		}
	}
	return stdout.String(), stderr.String(), code
}

// safe is a buffer for several goroutines.
type safe struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
