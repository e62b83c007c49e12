package chaos

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

var (
	duration = flag.Duration("duration", 0, "of the load on each store; 0 leaves the runs out")
	stores   = flag.String("stores", "memory,redis-aof,redis", "which")
	browsers = flag.Int("browsers", 6, "on each store")
)

func init() { flag.DurationVar(&idle, "idle", idle, "the sessions' idle timeout") }

func TestMain(m *testing.M) { os.Exit(sqltest.Main(m)) }

// build builds the probe of the tree around, with an overlay if not empty.
func build(t *testing.T, overlay string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "probe")
	args := []string{"build", "-o", program}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./examples/probe")...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(cmd.Environ(), "GOWORK=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the probe: %v\n%s", err, out)
	}
	return program
}

// newWorld starts a store and its probes.
func newWorld(t *testing.T, store, program string) *World {
	t.Helper()
	switch store {
	case "memory":
		return newLocal(t, "memory", program, "memory:", "", "nethttp")
	case "file":
		dir := t.TempDir()
		return newLocal(t, "files", program, "file:"+dir, dir, "gin")
	case "sqlite":
		dir := t.TempDir()
		return newLocal(t, "SQLite", program, "sqlite:"+filepath.Join(dir, "sessions.db"), dir, "echo", "fiber")
	case "postgres":
		return newSQL(t, "PostgreSQL", program, sqltest.StartPostgres(t), nil)
	case "pgbouncer":
		srv := sqltest.StartPostgres(t)
		return newSQL(t, "PostgreSQL behind PgBouncer", program, srv, sqltest.StartPgBouncer(t, srv, "server_login_retry = 1"))
	case "mariadb":
		return newSQL(t, "MariaDB", program, sqltest.StartMariaDB(t), nil)
	case "memcached":
		return newMemcached(t, program)
	case "redis-aof":
		return newRedis(t, "Redis, `appendfsync always`", program, "", "", durable)
	case "redis":
		return newRedis(t, "Redis without persistence", program, "", "")
	case "gorilla-redis":
		return newRedis(t, "`gorillastore.RedisStore`", program, "gorilla-", "", durable)
	case "near":
		w := newRedis(t, "Redis, copies near, window 100 ms", program, "near+", "?window=100ms", durable)
		w.window = 100 * time.Millisecond
		return w
	case "hybrid":
		w := newRedis(t, "Hybrid on Redis, window 1 s", program, "hybrid+", "?window=1s", durable)
		w.window, w.own = time.Second, true
		return w
	case "sentinel":
		return newSentinel(t, program)
	case "cluster":
		return newCluster(t, program)
	}
	t.Fatalf("-stores: unknown %q", store)
	return nil
}

// TestChaos runs each store under faults for -duration.
func TestChaos(t *testing.T) {
	if *duration == 0 {
		t.Skip("make chaos runs it")
	}
	program := build(t, "")
	names := strings.Split(*stores, ",")
	reports := make([]Report, len(names))
	t.Cleanup(func() { fmt.Println(table(reports)) }) // when all have run
	for i, store := range names {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, store, program)
			r, err := w.Run(t.Context(), *browsers, *duration)
			t.Log("\n" + r.String() + r.Row())
			if err == nil && *duration >= w.lasts {
				left, e := w.Empty(t.Context())
				r.Violations, err = append(r.Violations, left...), e
			}
			if err == nil {
				alive, e := w.RevokeAll()
				r.Violations, err = append(r.Violations, alive...), e
			}
			reports[i], err = r, errors.Join(err, w.missing(r, *duration))
			if err != nil {
				t.Errorf("no verdict: %v", err)
			}
			for _, v := range r.Violations[:min(len(r.Violations), 10)] {
				t.Error(v)
			}
		})
	}
}

// TestAnswers shows what the referee sees in an answer: a cookie for other hosts, a flash that
// has another kind than its text says, and a replaced token that is tried again.
func TestAnswers(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			w.Header().Set("Cache-Control", "no-store")
			http.SetCookie(w, &http.Cookie{Name: cookieName, Value: "t", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Domain: "127.0.0.1"})
		}
		switch c, err := r.Cookie(cookieName); {
		case r.URL.Path == "/flashes":
			_, _ = fmt.Fprint(w, `[{"kind":"info","text":"b0.0 1 info"},{"kind":"info","text":"b0.0 2 warning"}]`)
		case err == nil && c.Value == "old":
			_, _ = fmt.Fprint(w, `{"user":"user0","id":"id"}`)
		default:
			_, _ = fmt.Fprint(w, `{}`)
		}
	}))
	defer srv.Close()
	b := newLoad([]string{srv.URL}).newBrowser(0)
	b.login(t.Context(), 0)
	b.old = []string{"old"}
	b.replaced()
	b.do("flashes", "", nil, "")
	found, err := b.session.Judge()
	for _, rule := range []string{"cookie", "flash of another kind", "old token"} {
		if err != nil || !slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == rule }) {
			t.Errorf("%s: found %v, error %v", rule, found, err)
		}
	}
}

// TestTokens shows that the secret of a token is found in whatever form it is kept.
func TestTokens(t *testing.T) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	token := base64.RawURLEncoding.EncodeToString(append([]byte("0123456789abcdef"), secret...))
	w := &World{load: newLoad(nil)}
	w.load.tokens[token] = newSession("s", "")
	keeps := map[string]string{"its bytes": string(secret), "a half": string(secret[16:]), "hex": hex.EncodeToString(secret)}
	for n := range 3 {
		text := append([]byte("abc")[:n], secret...)
		keeps[fmt.Sprintf("base64 after %d bytes", n)] = base64.StdEncoding.EncodeToString(text)
		keeps[fmt.Sprintf("base64url after %d bytes", n)] = base64.URLEncoding.EncodeToString(text)
	}
	sum := sha256.Sum256(secret)
	keeps["a hash"] = hex.EncodeToString(sum[:]) + string(sum[:])
	for name, text := range keeps {
		w.bytes = func() (string, error) { return "before " + text + " after", nil }
		if found, err := w.tokens(); err != nil || (len(found) > 0) != (name != "a hash") {
			t.Errorf("%s: found %v, error %v", name, found, err)
		}
	}
}

// TestUnexplained shows which answers no fault explains.
func TestUnexplained(t *testing.T) {
	l := newLoad(nil)
	for _, tc := range []struct {
		kind    string
		status  int
		trouble int64
		ends    int64
		want    bool
	}{
		{"set", 500, never, never, false},
		{"get", 404, never, never, false},
		{"revoke", 404, 0, never, true},
		{"set", 503, 0, never, false},
		{"set", 503, never, never, true},
		{"set", 503, 15, never, true}, // the fault has just ended
		{"set", 409, 0, never, false},
		{"set", 409, never, never, true},
		{"set", 409, 0, 15, true}, // the session has ended
		{"get", 409, never, 15, false},
	} {
		l.trouble.Store(tc.trouble)
		s := newSession("s", "ann")
		s.EndBegin = tc.ends
		if l.explains(Op{Kind: tc.kind, Status: tc.status, Begin: 10, End: 20}, s) != tc.want {
			t.Errorf("%d to %s, trouble until %d, session until %d: explained %v", tc.status, tc.kind, tc.trouble, tc.ends, !tc.want)
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/revoke-others" {
			http.NotFound(w, r)
			return
		}
		w.WriteHeader(500)
	}))
	defer srv.Close()
	for kind, want := range map[string]string{"set": "unexplained answer", "revoke-others": "logged out"} {
		v := newLoad([]string{srv.URL}).newVisitor("v")
		v.ask(ask{kind: "panic", status: whatever})
		v.ask(ask{kind: "set", status: 500})
		v.ask(ask{kind: kind})
		if found, err := v.session.Judge(); err != nil || len(found) != 1 || found[0].Rule != want {
			t.Errorf("%s: found %v, error %v, want %q", kind, found, err, want)
		}
	}
}

// TestEnough shows that a run in which too many sessions have no verdict has none.
func TestEnough(t *testing.T) {
	r := Report{Ops: 3, Unknowns: 1, Sessions: 20, Shown: 1, Counted: 1, Ended: 12, Kept: 1, Abandoned: 2, Undrained: 2}
	if err := r.enough(); err != nil {
		t.Error(err)
	}
	if r.Undrained++; r.enough() == nil {
		t.Error("5 of 12 sessions without a verdict are no error")
	}
	if r.Undrained, r.Unknowns = 0, 2; r.enough() == nil {
		t.Error("2 of 3 operations without an answer are no error")
	}
}

// TestVisitsMakeNoSessionsEnd shows that a run in which no browser's session ever ended has no verdict.
func TestVisitsMakeNoSessionsEnd(t *testing.T) {
	l := newLoad(nil)
	visit, browsed := newSession("v", "v"), newSession("s", "ann")
	visit.visit, visit.EndAcked, browsed.Drained = true, 10, true
	l.sessions, l.shown, l.counted = []*Session{visit, browsed, newSession("k", "bob")}, 1, 1
	l.sessions[2].ID = "k"
	l.living["k"] = &browser{}
	var r Report
	if r.count(l); r.enough() == nil || r.Unended != 1 {
		t.Errorf("%d ended and %d did not, and no logout of a browser was ever acknowledged", r.Ended, r.Unended)
	}
}

// TestNoAnswer shows that an answer that never comes is as bad as a 500, unless a fault explains it.
func TestNoAnswer(t *testing.T) {
	for trouble, want := range map[int64]int{0: 1, never: 0} {
		l := newLoad([]string{"http://127.0.0.1:1"})
		l.trouble.Store(trouble)
		b := l.newBrowser(0)
		b.session = newSession("s", "ann")
		if b.outcome(&Op{Kind: "set", Begin: 10, End: 20}, "", 0, nil, io.EOF); len(b.session.broken) != want {
			t.Errorf("trouble until %d: %v", trouble, b.session.broken)
		}
	}
}

// TestFelt shows that a conflict is no effect of a fault.
func TestFelt(t *testing.T) {
	for status, want := range map[int]int64{409: 0, 404: 0, 503: 1, 0: 1} {
		w := &watch{begin: 100, slow: 750}
		if w.see(Op{Kind: "set", Begin: 110, End: 112, Outcome: unknown, Status: status}, "a"); w.hits.Load() != want {
			t.Errorf("%d: %d hits", status, w.hits.Load())
		}
	}
}

// TestMissing shows that a run of a minute has no verdict without every fault and visit.
func TestMissing(t *testing.T) {
	w := &World{faults: []Fault{{Name: "f"}}, traits: traits{noUsers: true}}
	r := Report{Effective: map[string]int{"f": 1}, Visits: map[string]int{}}
	for _, v := range visits {
		if !v.users {
			r.Visits[v.name] = 1
		}
	}
	if err := w.missing(r, time.Minute); err != nil {
		t.Error(err)
	}
	if w.noUsers = false; w.missing(r, time.Minute) == nil {
		t.Error("visits that never came to their end are no error")
	}
	w.noUsers = true
	if delete(r.Effective, "f"); w.missing(r, time.Minute) == nil || w.missing(r, time.Second) != nil {
		t.Error("a fault that never took effect must be an error, in a run of a minute")
	}
}

// TestGaps shows that a session is judged on once an answer has shown it alive, however long
// it was not used before.
func TestGaps(t *testing.T) {
	half := int64(idle / 2)
	get := func(begin int64, user string) Op {
		return Op{Kind: "get", Key: "k0", Begin: begin, End: begin + 5, Status: 200, User: user, ID: "id"}
	}
	incr := func(begin int64, n int) Op {
		return Op{Kind: "incr", Key: counter, Begin: begin, End: begin + 5, Status: 200, Found: true, Count: n}
	}
	logout := func(begin int64) Op { return Op{Kind: "logout", Begin: begin, End: begin + 5, Status: 200, Late: true} }
	for _, tc := range []struct {
		name, want string
		ops        []Op
	}{
		{"expired", "", []Op{get(1, "ann"), get(2*half, "")}},
		{"logged out after a gap", "logged out", []Op{get(1, "ann"), get(2*half, "ann"), get(2*half+10, "")}},
		{"a lost update after a gap", "values", []Op{incr(1, 1), get(2*half, "ann"), incr(2*half+10, 2), incr(2*half+20, 2)}},
		{"expired in a gap, and back", "", []Op{get(1, "ann"), get(2*half, ""), incr(2*half+10, 1), get(2*half+20, "ann"), incr(2*half+30, 1)}},
		{"logout of one that had expired", "", []Op{get(1, "ann"), logout(4 * half)}},
		{"logout of one that is used", "logout", []Op{get(1, "ann"), get(half, "ann"), logout(half + 10)}},
	} {
		s := newSession("s", "ann")
		s.ID, s.ops = "id", tc.ops
		if last := tc.ops[len(tc.ops)-1]; last.Kind == "logout" {
			s.EndBegin, s.EndAcked = last.Begin-1, last.End
		}
		found, err := s.Judge()
		if err != nil || (len(found) > 0) != (tc.want != "") || len(found) > 0 && found[0].Rule != tc.want {
			t.Errorf("%s: found %v, error %v, want %q", tc.name, found, err, tc.want)
		}
	}
}

// TestAgain shows that a session that came back after its end is found, and that one which a
// late request has got is none.
func TestAgain(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // with a token that nobody knows any more
			http.SetCookie(w, &http.Cookie{Name: cookieName, Value: "new", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		}
		c, err := r.Cookie(cookieName)
		_, _ = fmt.Fprintf(w, `{"found":%t,"value":"x 1"}`, err == nil && c.Value != "gone")
	}))
	defer srv.Close()
	l := newLoad([]string{srv.URL})
	var found []string
	for _, tag := range []string{"gone", "back"} {
		b := l.newBrowser(0)
		b.session = newSession("x", "ann")
		b.session.EndBegin, b.session.EndAcked = 1, 2
		l.tokens[tag] = b.session
		b.do("set", "k0", nil, tag)
	}
	l.again()
	for tag, s := range l.tokens {
		violations, err := s.Judge()
		for _, v := range violations {
			if v.Rule == "logout wins" {
				found = append(found, tag)
			}
		}
		if err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(found, []string{"back"}) {
		t.Errorf("found %q, want the one that is back", found)
	}
}

// TestLosses shows what a loss explains: only what a store can forget, and nothing that was
// seen before it or was begun after it.
func TestLosses(t *testing.T) {
	get := func(begin int64, more func(*Op)) Op {
		o := Op{Kind: "get", Key: "k0", Begin: begin, End: begin + 5, Status: 200, User: "ann", ID: "id"}
		more(&o)
		return o
	}
	anonymous := func(o *Op) { o.User, o.ID = "", "" }
	incr := func(begin int64, n int) Op {
		return Op{Kind: "incr", Key: counter, Begin: begin, End: begin + 5, Status: 200, Found: true, Count: n}
	}
	flash := func(begin int64) []Op {
		return []Op{{Kind: "flash", Arg: "s f", Begin: begin, End: begin + 5}, {Kind: "flashes", Begin: begin + 10, End: begin + 15}}
	}
	show := func(begin int64) Op {
		return Op{Kind: "flashes", Begin: begin, End: begin + 5, Flashes: []string{"s f"}}
	}
	late := func(o *Op) { o.Late = true }
	ends := 100 * int64(time.Second) // of the session; the loss is from 1000 to 2000
	for _, tc := range []struct {
		name, rule string
		lossy      bool
		ops        []Op
	}{
		{"logged out by it", "logged out", true, []Op{get(1100, anonymous)}},
		{"logged out before", "logged out", false, []Op{get(900, anonymous)}},
		{"updates that it lost", "values", true, []Op{incr(900, 1), incr(1100, 1)}},
		{"updates that were lost before", "values", false, []Op{incr(800, 1), incr(900, 1), incr(1100, 2)}},
		{"updates that were lost between two losses", "values", false, []Op{incr(800, 1), incr(900, 1), incr(1100, 2)}},
		{"a flash that it lost", "flash lost", true, flash(995)},
		{"a flash that was lost before", "flash lost", false, flash(900)},
		{"a flash that was lost afterwards", "flash lost", false, flash(2100)},
		{"a flash in one of the sessions that came after it", "flash lost", true, append([]Op{get(1100, anonymous)}, flash(2100)...)},
		{"a flash before what no loss explains", "flash lost", false, append(flash(2100), get(2200, anonymous))},
		{"a flash that it brought back", "flash twice", true, []Op{{Kind: "flash", Arg: "s f"}, show(900), show(1100)}},
		{"a flash that came back afterwards", "flash twice", false, []Op{{Kind: "flash", Arg: "s f"}, show(2100), show(2200)}},
		{"an old token", "old token", true, []Op{get(1100, late)}},
		{"back after a logout", "logout wins", true, []Op{get(ends+100, func(o *Op) { anonymous(o); o.Found = true })}},
		{"another user", "another's data", false, []Op{get(1100, func(o *Op) { o.User = "bob" })}},
		{"a careless cookie", "cookie", false, []Op{get(1100, func(o *Op) { o.Careless = "scripts can read it" })}},
	} {
		s := newSession("s", "ann")
		s.ID, s.Drained, s.ops, s.EndBegin, s.EndAcked = "id", true, tc.ops, ends, ends+10
		s.losses = []span{{1000, 2000}}
		if tc.rule == "logout wins" {
			s.losses = []span{{ends, 2 * ends}}
		}
		if strings.HasSuffix(tc.name, "two losses") {
			s.Begin, s.losses = 700, []span{{100, 200}, {1000, 2000}}
		}
		found, err := s.Judge()
		if err != nil || !slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == tc.rule }) {
			t.Errorf("%s: found %v, error %v, want %q", tc.name, found, err, tc.rule)
		}
		for _, v := range found {
			if v.Rule == tc.rule && v.Lossy != tc.lossy {
				t.Errorf("%s: excused %v, want %v: %v", tc.name, v.Lossy, tc.lossy, v)
			}
		}
	}
	for _, rule := range []string{"cookie", "another's data", "token at rest", "idle timeout", "lifetime", "forged token", "random tokens"} {
		s := newSession("s", "ann")
		if s.losses = []span{{1, never}}; s.explained(Violation{Rule: rule, at: 2}) {
			t.Errorf("a loss explains %q", rule)
		}
	}
}

// TestMayLose shows that a loss has an end, and that what ends before writes are lost has lost none.
func TestMayLose(t *testing.T) {
	w := &World{load: newLoad(nil)}
	w.mayLose(0)(time.Second)
	w.mayLose(time.Minute)(time.Hour)
	w.mayLose(0)
	l := w.load.losses
	if l[0].end < l[0].begin+int64(time.Second) || l[0].end > w.load.now()+int64(time.Second) || l[1].end > l[1].begin || l[2].end != never {
		t.Errorf("%v", l)
	}
}

// TestStays shows that a loss explains what is left in the store only of a session whose end it
// may have undone.
func TestStays(t *testing.T) {
	w := &World{load: newLoad(nil)}
	w.load.losses = []span{{5 * int64(time.Second), 6 * int64(time.Second)}}
	for i, tc := range []struct {
		ended time.Duration
		lossy bool
	}{{time.Second, false}, {4 * time.Second, true}, {5500 * time.Millisecond, true}, {7 * time.Second, false}} {
		raw := make([]byte, 48)
		raw[0] = byte(i)
		s := newSession("s", "ann")
		s.EndAcked = int64(tc.ended)
		w.load.start = time.Now().Add(-time.Minute)
		w.load.tokens[base64.RawURLEncoding.EncodeToString(raw)] = s
		visit := newSession("v", fmt.Sprintf("user%d", i))
		visit.visit, visit.EndAcked = true, int64(tc.ended)
		w.load.sessions = append(w.load.sessions, visit)
		sum := sha256.Sum256([]byte(visit.User))
		for _, key := range []string{base64.RawURLEncoding.EncodeToString(raw[:16]), base64.RawURLEncoding.EncodeToString(sum[:15])} {
			if v := w.stays(w.byKey()[key], "key"); v.Rule != "left in the store" || v.Lossy != tc.lossy {
				t.Errorf("%s, ended at %v: excused %v, want %v: %v", key, tc.ended, v.Lossy, tc.lossy, v)
			}
		}
	}
	if v := w.stays(w.byKey()["unknown"], "key"); v.Lossy {
		t.Errorf("a key that nobody knows is excused: %v", v)
	}
}

// TestReferee shows that the referee finds what is wrong in histories, and nothing in a right one.
func TestReferee(t *testing.T) {
	at := func(kind, key, arg string, begin int64, more func(*Op)) Op {
		o := Op{Kind: kind, Key: key, Arg: arg, Begin: begin, End: begin + 5, Status: 200}
		if kind == "get" {
			o.User, o.ID = "ann", "id"
		}
		if more != nil {
			more(&o)
		}
		return o
	}
	value := func(v string) func(*Op) { return func(o *Op) { o.Found, o.Value = true, v } }
	count := func(n int) func(*Op) { return func(o *Op) { o.Found, o.Count = true, n } }
	show := func(texts ...string) func(*Op) { return func(o *Op) { o.Flashes = texts } }
	lost := func(o *Op) { o.Outcome = unknown }
	for _, tc := range []struct {
		name string
		ops  []Op
		want string // the rule, "" for none
	}{
		{"right", []Op{
			at("set", "k0", "s 1", 0, nil), at("get", "k0", "", 10, value("s 1")), at("incr", "n", "", 20, count(1)),
			at("flash", "", "s f", 30, nil), at("flashes", "", "", 40, show("s f")), at("get", "k0", "", 120, func(o *Op) { o.User = "" }),
		}, ""},
		{"lost write may be there", []Op{at("set", "k0", "s 1", 0, lost), at("get", "k0", "", 10, value("s 1"))}, ""},
		{"lost write may be missing", []Op{at("set", "k0", "s 1", 0, lost), at("get", "k0", "", 10, nil)}, ""},
		{"lost update", []Op{at("incr", "n", "", 0, count(1)), at("incr", "n", "", 10, count(1))}, "values"},
		{"applied twice", []Op{at("incr", "n", "", 0, lost), at("incr", "n", "", 10, count(3))}, "values"},
		{"stale read", []Op{at("set", "k0", "s 1", 0, nil), at("get", "k0", "", 10, nil)}, "values"},
		{"another's", []Op{at("get", "k0", "", 0, value("other 1"))}, "another's data"},
		{"another user", []Op{at("get", "k0", "", 0, func(o *Op) { o.User = "bob" })}, "another's data"},
		{"anonymous", []Op{at("get", "k0", "", 0, func(o *Op) { o.User = "" })}, "logged out"},
		{"cookie deleted", []Op{at("get", "k0", "", 0, func(o *Op) { o.Cookie = "deleted" })}, "logged out"},
		{"after the end", []Op{at("get", "k0", "", 120, nil)}, "logout wins"},
		{"flash lost", []Op{at("flash", "", "s f", 0, nil), at("flashes", "", "", 10, nil)}, "flash lost"},
		{"flash that a reader passed before an answer was lost", []Op{
			at("flash", "", "s f", 0, nil), at("flashes", "", "", 10, nil),
			at("flashes", "", "", 20, func(o *Op) { o.Outcome = unknown }), at("flashes", "", "", 30, nil),
		}, "flash lost"},
		{"flash that a lost answer may have had", []Op{
			at("flash", "", "s f", 0, nil),
			at("flashes", "", "", 20, func(o *Op) { o.Outcome = unknown }), at("flashes", "", "", 30, nil),
		}, ""},
		{"flash past the lifetime", []Op{at("flash", "", "s f", 0, nil), at("flashes", "", "", 2*int64(lifetime()), nil)}, ""},
		{"flash twice", []Op{at("flash", "", "s f", 0, nil), at("flashes", "", "", 10, show("s f")), at("flashes", "", "", 20, show("s f"))}, "flash twice"},
		{"old token", []Op{at("get", "k0", "", 0, func(o *Op) { o.Late = true })}, "old token"},
		{"careless cookie", []Op{at("get", "k0", "", 0, func(o *Op) { o.Careless = "scripts can read it" })}, "cookie"},
		{"logout keeps the cookie", []Op{at("logout", "", "", 101, func(o *Op) { o.Late = true })}, "logout"},
		{"logout for the second time", []Op{at("logout", "", "", 101, lost), at("logout", "", "", 107, func(o *Op) { o.Late = true })}, ""},
		{"token stays", []Op{at("renew", "", "", 0, nil)}, "old token"},
		{"deleted", []Op{at("set", "k0", "s 1", 0, nil), at("delete", "k0", "", 10, nil), at("get", "k0", "", 20, nil)}, ""},
		{"not deleted", []Op{at("set", "k0", "s 1", 0, nil), at("delete", "k0", "", 10, nil), at("get", "k0", "", 20, value("s 1"))}, "values"},
		{"lost deletion may have happened", []Op{at("set", "k0", "s 1", 0, nil), at("delete", "k0", "", 10, lost), at("get", "k0", "", 20, nil)}, ""},
		{"flash of another kind", []Op{at("flash", "", "s f", 0, nil), at("flashes", "", "", 10, func(o *Op) { show("s f")(o); o.Mixed = "info" })}, "flash of another kind"},
	} {
		s := newSession("s", "ann")
		s.ID, s.Drained, s.EndBegin, s.EndAcked, s.ops = "id", true, 100, 110, tc.ops
		if tc.ops[len(tc.ops)-1].Begin > int64(time.Second) {
			s.EndBegin, s.EndAcked = never, never
		}
		found, err := s.Judge()
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		broken := slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == tc.want })
		if broken != (tc.want != "") || tc.want == "" && len(found) > 0 {
			t.Errorf("%s: found %v, want %q", tc.name, found, tc.want)
		}
	}
}
