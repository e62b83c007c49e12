package cli_test

import (
	"database/sql"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// guideACL returns the permissions in docs/operations.md.
func guideACL(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../../../docs/operations.md")
	if err != nil {
		t.Skip("the guide is in the repository, not in the module")
	}
	_, rest, _ := strings.Cut(string(page), "<!-- acl -->\n\n```\n")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Replace(line, "PASSWORD", "hunter2", 1)
}

// acl makes a user with the guide's permissions, without some.
func acl(t *testing.T, s *redistest.Server, without ...string) string {
	t.Helper()
	line := guideACL(t)
	for _, command := range without {
		line = strings.ReplaceAll(line+" ", " +"+command+" ", " ")
	}
	s.MustDo(strings.Fields(line)...)
	return "redis://app:hunter2@" + s.Addr() + "/0"
}

// value is what a Redis store would keep of a session in a format of its own.
func value(s *redistest.Server, content string) string {
	s.MustDo("SET", "satchel:"+core.ID{1}.String(), content, "EX", "1000")
	return s.URL()
}

// brokenRedis are set-ups that do not work, or not well, and what the doctor says.
var brokenRedis = []struct {
	name string
	set  func(t *testing.T, w *world) string // returns the URL
	says string
	code int
}{
	{"healthy", func(t *testing.T, _ *world) string {
		return acl(t, redistest.Start(t, redistest.Args("--maxmemory", "100mb")))
	}, "✓ acl: the user may do what sessions need", 0},
	{"wrong password", func(t *testing.T, _ *world) string {
		return strings.Replace(redistest.Start(t, redistest.Password("right")).URL(), "right", "hunter2", 1)
	}, "✗ store: redis at ADDRESS/0, prefix satchel:: goredisstore: the server refuses the user name or the password", 1},
	{"no password", func(t *testing.T, _ *world) string {
		return "redis://" + redistest.Start(t, redistest.Password("hunter2")).Addr()
	}, "✗ store: redis at ADDRESS, prefix satchel:: goredisstore: the server wants a password", 1},
	{"unreachable", func(*testing.T, *world) string { return "redis://127.0.0.1:1" }, "cannot be reached", 4},
	{
		"commands not allowed", func(t *testing.T, _ *world) string { return acl(t, redistest.Start(t), "hgetall", "getex") },
		"✗ acl: the user lacks commands that sessions need: ACL SETUSER … +getex +hgetall", 1,
	},
	{"no scan", func(t *testing.T, _ *world) string { return acl(t, redistest.Start(t), "scan") }, "! acl: the user may not SCAN: this program cannot count", 1},
	{
		"no publish", func(t *testing.T, _ *world) string { return acl(t, redistest.Start(t), "publish") },
		"! acl: the user may not PUBLISH: streams learn of an end only after some seconds", 0,
	},
	{"no info", func(t *testing.T, _ *world) string { return acl(t, redistest.Start(t), "info") }, "! info: INFO may not be asked", 0},
	{
		"another prefix", func(t *testing.T, w *world) string {
			w.env["SATCHEL_PREFIX"] = "shop:"
			return acl(t, redistest.Start(t))
		},
		"✗ acl: the user may not use the keys shop:*: ACL SETUSER … ~shop:*", 1,
	},
	{"replica", func(t *testing.T, _ *world) string {
		master := redistest.Start(t, redistest.Args("--repl-diskless-sync-delay", "0"))
		s := redistest.Start(t, redistest.Args("--replicaof", "127.0.0.1", strconv.Itoa(master.Port())))
		master.AwaitReplica(s)
		return s.URL()
	}, "goredisstore: the server is a replica, where nothing can be stored", 1},
	{"evicts", func(t *testing.T, _ *world) string {
		return redistest.Start(t, redistest.Args("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")).URL()
	}, "✗ eviction: maxmemory-policy is allkeys-lru: when memory is full, users are logged out at random", 1},
	{"full", func(t *testing.T, _ *world) string {
		s := redistest.Start(t)
		s.MustDo("CONFIG", "SET", "maxmemory", "1mb")
		return s.URL()
	}, "✗ memory: the memory is full", 1},
	{"keys that stay", func(t *testing.T, _ *world) string {
		s := redistest.Start(t)
		s.MustDo("SET", "satchel:"+core.ID{1}.String(), "")
		return s.URL()
	}, "✗ expiry: 1 of 1 keys have no time to live", 1},
	{"a prefix in a prefix", func(t *testing.T, _ *world) string {
		s := redistest.Start(t)
		s.MustDo("SET", "satchel:admin:\x1b[2J", "", "EX", "1000")
		return s.URL()
	}, `✗ prefix: 1 of 1 keys under satchel: are not ours, such as "satchel:admin:\x1b[2J"`, 1},
	{
		"newer", func(t *testing.T, _ *world) string { return value(redistest.Start(t), "\x03and what it will be") },
		"✗ sessions: 1 of 1 were written by a newer release", 1,
	},
	{
		"another library", func(t *testing.T, _ *world) string { return value(redistest.Start(t), `{"user":"ann","passport":{}}`) },
		"✗ sessions: 1 of 1 are not Satchel's: another program or library writes under the prefix", 1,
	},
	{"encrypted", func(t *testing.T, _ *world) string { return encrypted(t) }, "✗ sessions: 4 of 4 are encrypted: set STORE_KEYS", 1},
	{
		"other keys", func(t *testing.T, w *world) string { w.env["STORE_KEYS"] = sealed.GenerateKey(); return encrypted(t) },
		"✗ sessions: 4 of 4 do not open with STORE_KEYS", 1,
	},
	{
		"no key", func(t *testing.T, w *world) string { w.env["STORE_KEYS"] = "hunter2"; return redistest.Shared(t).URL() },
		"✗ keys: STORE_KEYS: sealed: keyring: key 1", 1,
	},
	{"no cookie key", func(t *testing.T, w *world) string {
		w.env["SESSION_KEYS"] = sealed.GenerateKey() + ",hunter2"
		return redistest.Shared(t).URL()
	}, "✗ keys: SESSION_KEYS: sealed: keyring: key 2", 1},
	{"one key for both", func(t *testing.T, w *world) string {
		w.env["SESSION_KEYS"] = storeKeys
		w.env["STORE_KEYS"] = storeKeys
		return redistest.Shared(t).URL()
	}, "! keys: STORE_KEYS and SESSION_KEYS are the same", 0},
	{"two stores", func(t *testing.T, w *world) string {
		w.env["REDIS_URL"] = "redis://elsewhere"
		return redistest.Shared(t).URL()
	}, "! config: SATCHEL_STORE and REDIS_URL name different stores", 0},
	{
		"clocks", func(t *testing.T, w *world) string { w.ahead = 10 * time.Minute; return redistest.Shared(t).URL() },
		"! clock: the server's clock and this machine's differ by 10m0s", 0,
	},
	{"settings", func(t *testing.T, _ *world) string {
		t.Setenv("SESSION_LIFETIME_IN_HOURS", "soon")
		return redistest.Shared(t).URL()
	}, "✗ config: core: session configuration: SESSION_LIFETIME_IN_HOURS", 1},
	{"a node of a cluster", func(t *testing.T, _ *world) string { return redistest.StartCluster(t, 3).Masters[0].URL() }, "the server is a node of a cluster", 1},
	{"healthy cluster", func(t *testing.T, _ *world) string {
		return "redis-cluster://" + strings.Join(redistest.StartCluster(t, 3).Addrs(), ",")
	}, "✓ server: node", 0},
	{"name of the master", func(t *testing.T, _ *world) string {
		return "redis-sentinel://" + strings.Join(redistest.StartSentinel(t).Addrs(), ",") + "/wrong"
	}, "the Sentinels know no master of this name", 1},
}

// encrypted is a Redis with encrypted sessions.
func encrypted(t *testing.T) string {
	s := redistest.Start(t)
	w := redisWorld(t, s.URL(), "satchel:")
	w.store, w.now = sealed.Store(w.store, must(sealed.ParseKeyring(storeKeys))), time.Now()
	w.fill()
	return s.URL()
}

func TestDoctorNamesWhatIsBroken(t *testing.T) {
	for _, test := range brokenRedis {
		t.Run(test.name, func(t *testing.T) {
			if testing.Short() && (strings.Contains(test.name, "cluster") || strings.Contains(test.name, "master") || test.name == "replica") {
				t.Skip("starts many servers")
			}
			w := newWorld(t, "", "", func(func() time.Time) (core.Store, error) { return nil, nil })
			w.env["SATCHEL_STORE"] = test.set(t, w)
			w.diagnosed(test.says, test.code)
		})
	}
}

// TestDoctorNamesEachMissingCommand takes the guide's permissions away one by one.
func TestDoctorNamesEachMissingCommand(t *testing.T) {
	s := redistest.Start(t)
	seen := 0
	for word := range strings.FieldsSeq(guideACL(t)) {
		command, ok := strings.CutPrefix(word, "+")
		if !ok || strings.Contains(" info hello client select ", " "+command+" ") {
			continue // without which it works, or cannot connect
		}
		seen++
		w := newWorld(t, "", "", func(func() time.Time) (core.Store, error) { return nil, nil })
		w.env["SATCHEL_STORE"], w.now = acl(t, s, command), time.Now()
		out, talk, _ := w.run(t.Context(), "doctor")
		if !strings.Contains(out, "+"+command) {
			t.Errorf("without %s: %s%s", command, out, talk)
		}
	}
	if seen < 20 {
		t.Errorf("only %d commands", seen)
	}
}

// diagnosed runs the doctor, who must say this.
func (w *world) diagnosed(says string, code int) {
	w.t.Helper()
	w.now, w.secret = time.Now().Add(w.ahead), append(w.secret, "hunter2")
	out, talk, got := w.run(w.t.Context(), "doctor")
	all := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(out+talk, "ADDRESS")
	if got != code || !strings.Contains(all, says) {
		w.t.Errorf("exit %d, want %d and %q:\n%s", got, code, says, all)
	}
	if code == 4 {
		return
	}
	lines, _, _ := w.run(w.t.Context(), "doctor --json")
	if strings.Count(lines, "\n") != strings.Count(out, "\n") || !strings.HasPrefix(lines, `{"level":"`) {
		w.t.Errorf("as JSON: %s", lines)
	}
}

// brokenSQL are statements of an administrator, and what the doctor says.
var brokenSQL = []struct {
	name, on, statement, says string
	code                      int
}{
	{"healthy", "postgres mariadb sqlite", "", "✓ sessions: 4 sampled sessions can be read", 0},
	{"no tables", "postgres mariadb sqlite", "DROP TABLE {p}sessions", "the table {p}sessions is not there", 1},
	{"old tables", "postgres mariadb", "ALTER TABLE {p}sessions DROP COLUMN sweep", "the table {p}sessions has no column sweep", 1},
	{"newer tables", "postgres", "COMMENT ON TABLE {p}sessions IS 'satchel 99'", "a newer release has made the table {p}sessions", 1},
	{"read-only", "postgres", "ALTER ROLE satchel SET default_transaction_read_only = on", "transactions are read-only", 1},
	{"read-only", "mariadb", "SET GLOBAL read_only = 1", "the server is read_only", 1},
	{"privileges", "postgres", "ALTER TABLE {p}sessions OWNER TO postgres; REVOKE ALL ON {p}sessions FROM satchel", "may not", 1},
	{"other content", "postgres", "UPDATE {p}sessions SET data = 'x'", "✗ sessions: 4 of 4 are not Satchel's", 1},
	{"no clean-up", "sqlite", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) " +
		"INSERT INTO {p}sessions (id, version, expires, sweep, data) SELECT i, 1, 1, 1, '' FROM n", "! clean-up: 2000 sessions or more expired", 0},
}

func TestDoctorNamesWhatIsBrokenInSQL(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	servers := map[string]*sqltest.Server{"postgres": sqltest.StartPostgres(t), "mariadb": sqltest.StartMariaDB(t)}
	for _, test := range brokenSQL {
		for on := range strings.FieldsSeq(test.on) {
			t.Run(test.name+" "+on, func(t *testing.T) {
				driver, source, url := "sqlite", t.TempDir()+"/satchel.db", ""
				source, url = sqltest.SQLiteSource(source), "sqlite:"+source
				admin := source
				if s := servers[on]; s != nil {
					driver = map[string]string{"postgres": "pgx", "mariadb": "mysql"}[on]
					source, url, admin = s.Source(), s.URL(), s.AdminSource()
				}
				w := sqlWorld(t, driver, source, url)
				w.now = time.Now()
				w.fill()
				fill := strings.NewReplacer("{p}", w.env["SATCHEL_PREFIX"])
				db, err := sql.Open(driver, admin)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = db.Close() }()
				for statement := range strings.SplitSeq(test.statement, ";") {
					if _, err := db.ExecContext(t.Context(), fill.Replace(statement)); statement != "" && err != nil {
						t.Fatal(err)
					}
				}
				w.diagnosed(fill.Replace(test.says), test.code)
				for _, undo := range []string{"ALTER ROLE satchel RESET default_transaction_read_only", "SET GLOBAL read_only = 0"} {
					_, _ = db.ExecContext(t.Context(), undo)
				}
			})
		}
	}
}
