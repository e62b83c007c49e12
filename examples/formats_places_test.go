package examples_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/filestore"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/jwtsealer"
	"github.com/satchel-go/satchel/core/memcachedstore"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/core/scsstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// frozen is a session as a release has stored it and handed it out. Every later build opens
// it and goes on with it.
type frozen struct {
	At        time.Time
	Later     time.Duration `json:",omitempty"` // when it is opened, if not two minutes after At
	Cookies   map[string]string
	ID        core.ID
	Entry     *core.Entry       `json:",omitempty"` // in a store
	Redis     []redisKey        `json:",omitempty"`
	Memcached []byte            `json:",omitempty"`
	SQL       []string          `json:",omitempty"` // statements that make the tables and the rows
	Files     map[string][]byte `json:",omitempty"`
}

type redisKey struct {
	Key    string
	Value  []byte            `json:",omitempty"` // of a string
	Fields map[string][]byte `json:",omitempty"` // of a hash
}

// formatKey is a key for these files alone.
const formatKey = "Zk3vQm8sT1xYb7Lr0pWcJ5nHdG2aUe9iOf4KtS6jXhM="

// place is where frozen sessions of one kind lie.
type place struct {
	backend core.Backend
	dump    func(*frozen) // takes down what is stored
}

// opener opens a place with what a release has stored, or nil.
type opener func(t *testing.T, f *frozen, now func() time.Time) place

// places are the formats that a release freezes.
var places = map[string]opener{
	"cookie": func(t *testing.T, _ *frozen, _ func() time.Time) place {
		return place{backend: core.ClientSide(sealed.Cookie(formatKeys(t)))}
	},
	"jwe": func(t *testing.T, _ *frozen, _ func() time.Time) place {
		return place{backend: core.ClientSide(jwtsealer.Encrypted(formatKeys(t), jwtsealer.Config{Issuer: "https://app.example"}))}
	},
	"jwt": func(t *testing.T, _ *frozen, _ func() time.Time) place {
		return place{backend: core.ClientSide(jwtsealer.Signed(jwtsealer.FromKeyring(formatKeys(t)), jwtsealer.Config{Issuer: "https://app.example", Seal: formatKeys(t)}))}
	},
	"entry": func(t *testing.T, f *frozen, now func() time.Time) place {
		return formatsInStore(t, f, now, func(s core.Store) core.Store { return s }, core.ServerSide)
	},
	"encrypted": func(t *testing.T, f *frozen, now func() time.Time) place {
		return formatsInStore(t, f, now, func(s core.Store) core.Store { return sealed.Store(s, formatKeys(t)) }, core.ServerSide)
	},
	"hybrid": func(t *testing.T, f *frozen, now func() time.Time) place {
		return formatsInStore(t, f, now, func(s core.Store) core.Store { return s }, func(s core.Store) core.Backend {
			return core.Hybrid(sealed.Cookie(formatKeys(t)), s, 10*time.Minute)
		})
	},
	"redis": func(t *testing.T, f *frozen, now func() time.Time) place {
		return formatsInRedis(t, f, "formats:", func(client redis.UniversalClient, prefix string) core.Backend {
			return core.ServerSide(goredisstore.New(client, goredisstore.Config{Prefix: prefix, Now: now}))
		})
	},
	"memcached": formatsInMemcached,
	"sqlite": func(t *testing.T, f *frozen, now func() time.Time) place {
		return formatsInSQL(t, f, "sqlite", sqltest.SQLiteSource(filepath.Join(t.TempDir(), "satchel.db")), sqlstore.SQLite, now)
	},
	"mariadb": func(t *testing.T, f *frozen, now func() time.Time) place {
		return formatsInSQL(t, f, "mysql", sqltest.SharedMariaDB(t).Source(), sqlstore.MySQL, now)
	},
	"postgres": func(t *testing.T, f *frozen, now func() time.Time) place {
		return formatsInSQL(t, f, "pgx", sqltest.SharedPostgres(t).Source(), sqlstore.Postgres, now)
	},
	"file": func(t *testing.T, f *frozen, now func() time.Time) place {
		dir := t.TempDir()
		thaw(t, f, dir)
		store, err := filestore.Open(dir, filestore.Config{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return place{core.ServerSide(store), func(f *frozen) {
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			freezeFiles(t, f, dir)
		}}
	},
	"gorilla-cookie": func(*testing.T, *frozen, func() time.Time) place {
		return place{backend: gorillastore.Cookie(sessions.NewCookieStore(gorillaKeys()...), gorillastore.CookieConfig{})}
	},
	"gorilla-files": func(t *testing.T, f *frozen, _ func() time.Time) place {
		dir := t.TempDir()
		thaw(t, f, dir)
		return place{
			gorillastore.From(sessions.NewFilesystemStore(dir, gorillaKeys()...), gorillastore.FromConfig{}),
			func(f *frozen) { freezeFiles(t, f, dir) },
		}
	},
	"gorilla-redis": func(t *testing.T, f *frozen, now func() time.Time) place {
		return formatsInRedis(t, f, "formats-gorilla:", func(client redis.UniversalClient, prefix string) core.Backend {
			return core.ServerSide(gorillastore.RedisStore(client, goredisstore.Config{Prefix: prefix, Now: now}))
		})
	},
	"scs": func(_ *testing.T, f *frozen, _ func() time.Time) place {
		store := scsMap{}
		if f != nil {
			store = f.Files
		}
		old := newSCS(store)
		old.Cookie.Name = "__Host-session"
		return place{scsstore.From(old, scsKeys), func(f *frozen) { f.Files = store }}
	},
	"gorilla-compatible": func(t *testing.T, f *frozen, _ func() time.Time) place {
		return formatsInRedis(t, f, "formats-compatible:", func(client redis.UniversalClient, prefix string) core.Backend {
			return gorillastore.RedisCompatible(client, gorillastore.CompatibleConfig{KeyPrefix: prefix})
		})
	},
}

const touchName = "__Host-session-touch"

// touched are the places whose sessions are also frozen with a touch beside them.
var touched = []string{"cookie", "jwe", "jwt", "gorilla-cookie"}

func init() {
	places["timeouts"] = places["entry"]
	for _, name := range touched {
		places["touch-"+name] = places[name]
	}
}

func gorillaKeys() [][]byte { return [][]byte{[]byte(formatKey)[:32], []byte(formatKey)[8:40]} }

func formatKeys(t *testing.T) *sealed.Keyring {
	t.Helper()
	keys, err := sealed.ParseKeyring(formatKey)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func formatsInStore(t *testing.T, f *frozen, now func() time.Time, wrap func(core.Store) core.Store, backend func(core.Store) core.Backend) place {
	inner := memstore.New(memstore.Config{Now: now, SweepInterval: -1})
	if f != nil {
		if _, err := inner.Save(t.Context(), f.ID, *f.Entry, 0); err != nil {
			t.Fatal(err)
		}
	}
	return place{backend(wrap(inner)), func(f *frozen) {
		e, err := inner.Load(t.Context(), f.ID)
		if err != nil {
			t.Fatal(err)
		}
		f.Entry = &e
	}}
}

func formatsInRedis(t *testing.T, f *frozen, prefix string, open func(client redis.UniversalClient, prefix string) core.Backend) place {
	ctx := t.Context()
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	for _, key := range client.Keys(ctx, prefix+"*").Val() {
		client.Del(ctx, key)
	}
	if f != nil {
		for _, k := range f.Redis {
			for field, value := range k.Fields {
				client.HSet(ctx, k.Key, field, value)
			}
			if k.Fields == nil {
				client.Set(ctx, k.Key, k.Value, time.Hour)
			}
		}
	}
	return place{open(client, prefix), func(f *frozen) {
		keys := client.Keys(ctx, prefix+"*").Val()
		slices.Sort(keys)
		for _, key := range keys {
			k := redisKey{Key: key}
			for field, value := range client.HGetAll(ctx, key).Val() {
				if k.Fields == nil {
					k.Fields = map[string][]byte{}
				}
				k.Fields[field] = []byte(value)
			}
			if k.Fields == nil {
				k.Value, _ = client.Get(ctx, key).Bytes() // an empty one shows
			}
			f.Redis = append(f.Redis, k)
		}
	}}
}

func formatsInMemcached(t *testing.T, f *frozen, now func() time.Time) place {
	srv := memcachedtest.Shared(t)
	store := memcachedstore.New(memcachedstore.Config{Prefix: "formats:", Now: now}, srv.Addr())
	t.Cleanup(func() { _ = store.Close() })
	if f != nil {
		srv.Do(t, "delete "+store.Key(f.ID)+"\r\n")
		if got := srv.Do(t, fmt.Sprintf("set %s 0 3600 %d\r\n%s\r\n", store.Key(f.ID), len(f.Memcached), f.Memcached)); got != "STORED" {
			t.Fatal(got)
		}
	}
	return place{core.ServerSide(store), func(f *frozen) {
		lines, err := srv.Lines("get " + store.Key(f.ID) + "\r\n")
		if err != nil || len(lines) != 3 {
			t.Fatalf("%q, %v", lines, err)
		}
		f.Memcached = []byte(lines[1])
	}}
}

// formatsInSQL is in PostgreSQL through pgxstore, else through sqlstore.
func formatsInSQL(t *testing.T, f *frozen, driver, source string, dialect sqlstore.Dialect, now func() time.Time) place {
	ctx := t.Context()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	run := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	const prefix = "formats_"
	run("DROP TABLE IF EXISTS formats_sessions", "DROP TABLE IF EXISTS formats_members")
	schema, err := sqlstore.Schema(dialect, sqlstore.Config{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	tables := strings.SplitAfter(strings.TrimSpace(schema), ";\n")
	if f != nil {
		run(f.SQL...)
	} else {
		run(tables...)
	}
	dump := func(f *frozen) {
		f.SQL = append(tables, inserts(t, db, "formats_sessions", dialect)...)
		f.SQL = append(f.SQL, inserts(t, db, "formats_members", dialect)...)
	}
	if dialect != sqlstore.Postgres {
		store := sqlstore.New(db, sqlstore.Config{Prefix: prefix, SweepInterval: -1, Timeout: time.Minute, Now: now})
		t.Cleanup(func() { _ = store.Close() })
		return place{core.ServerSide(store), dump}
	}
	pool, err := pgxpool.New(ctx, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store := pgxstore.New(pool, pgxstore.Config{Prefix: prefix, SweepInterval: -1, Timeout: time.Minute, Now: now})
	t.Cleanup(func() { _ = store.Close() })
	return place{core.ServerSide(store), dump}
}

// inserts returns the statements that make a table's rows.
func inserts(t *testing.T, db *sql.DB, table string, dialect sqlstore.Dialect) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table+" ORDER BY 1, 2")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // Err says what has failed
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		literals := make([]string, len(columns))
		for i, value := range values {
			switch value := value.(type) {
			case nil:
				literals[i] = "NULL"
			case []byte:
				if literals[i] = fmt.Sprintf("x'%x'", value); dialect == sqlstore.Postgres {
					literals[i] = fmt.Sprintf(`'\x%x'`, value)
				}
			default:
				literals[i] = fmt.Sprint(value)
			}
		}
		all = append(all, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(columns, ", "), strings.Join(literals, ", ")))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// scsMap is a store of scs that forgets nothing: those of its own modules look at today's clock.
type scsMap map[string][]byte

func (s scsMap) Find(token string) (data []byte, found bool, err error) {
	data, found = s[token]
	return data, found, nil
}

func (s scsMap) Commit(token string, data []byte, _ time.Time) error {
	s[token] = data
	return nil
}

func (s scsMap) Delete(token string) error {
	delete(s, token)
	return nil
}

// thaw puts the files of a release into dir.
func thaw(t *testing.T, f *frozen, dir string) {
	t.Helper()
	if f == nil {
		return
	}
	for name, data := range f.Files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func freezeFiles(t *testing.T, f *frozen, dir string) {
	t.Helper()
	f.Files = map[string][]byte{}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if f.Files[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
}

// sqlVersion and sqlSession find the version of the tables, and in a row of sessions what
// precedes the random version, and the version of the data. touchVersions finds those of a
// signed touch and of the record in it.
var (
	touchVersions = regexp.MustCompile(`"v":\d+|"r":"..`)
	sqlVersion    = regexp.MustCompile(`satchel \d+`)
	sqlSession    = regexp.MustCompile(`(INSERT INTO formats_sessions .* VALUES \([^,]+, )\d+(, .*, '?\\?x'?(..)[0-9a-f]*'\))`)
)

// plain returns what is stored without versions of entries, which are random, and the
// versions of its formats. Nothing is plain that is encrypted; a touch in
// a signed token is.
func (f frozen) plain(t *testing.T) (stored frozen, versions string) {
	t.Helper()
	inOne := func(value []byte) []byte { // see core/internal/entry
		versions = string([]byte{value[0], value[14+value[13]]})
		return slices.Concat(value[:1], make([]byte, 6), value[7:])
	}
	switch {
	case f.Entry != nil:
		stored.Entry = &core.Entry{Data: f.Entry.Data, Expires: f.Entry.Expires, User: f.Entry.User}
		versions = string(f.Entry.Data[:1])
	case f.Redis != nil:
		for _, k := range f.Redis {
			if k.Fields == nil {
				k.Value = inOne(k.Value)
			}
			stored.Redis = append(stored.Redis, k)
		}
	case f.Memcached != nil:
		stored.Memcached = inOne(f.Memcached)
	case f.SQL != nil:
		for _, statement := range f.SQL {
			versions += sqlVersion.FindString(statement)
			if m := sqlSession.FindStringSubmatch(statement); m != nil {
				versions += " " + m[3]
				statement = m[1] + m[2]
			}
			stored.SQL = append(stored.SQL, statement)
		}
	case f.Files != nil:
		put, format := lastPut(t, f.Files)
		rest := put[17:] // behind the kind and the ID
		number := func() uint64 {
			v, n := binary.Uvarint(rest)
			rest = rest[n:]
			return v
		}
		number() // the version
		stored.Files = map[string][]byte{"put": slices.Concat(put[:17], rest)}
		number() // seconds and nanoseconds of the expiry
		number()
		rest = rest[number():] // the user
		number()
		versions = fmt.Sprint(format, rest[0])
	default:
		stored.Cookies = map[string]string{touchName: f.Cookies[touchName]}
		_, payload, _ := strings.Cut(f.Cookies[touchName], ".")
		payload, _, _ = strings.Cut(payload, ".")
		claims, err := base64.RawURLEncoding.DecodeString(payload)
		if err != nil {
			t.Fatal(err)
		}
		versions = fmt.Sprintf("%q", touchVersions.FindAll(claims, -1))
	}
	return stored, versions
}

// lastPut returns the last record of a file store that puts a session, and the format of its
// file. What surrounds records has salts; see core/filestore.
func lastPut(t *testing.T, files map[string][]byte) (put []byte, format uint32) {
	t.Helper()
	const header, frame = 48, 24
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasPrefix(name, "log-") {
			continue
		}
		file := files[name]
		format = binary.LittleEndian.Uint32(file[8:])
		salt := file[20:28]
		for file = file[header:]; len(file) >= frame && bytes.Equal(file[:8], salt); {
			records := file[frame:][:binary.LittleEndian.Uint32(file[8:])]
			file = file[frame+len(records):]
			if len(records) > 0 && records[0] == 1 {
				put = records
			}
		}
		if len(file) != 0 {
			t.Fatalf("%s has %x between its frames", name, file)
		}
	}
	if put == nil {
		t.Fatal("no session was put")
	}
	return put, format
}
