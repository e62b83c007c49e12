package sqltests

import (
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// guide returns the statements of a block in docs/sql.md, for t's tables.
func (t *tables) guide(tb testing.TB, block string) []string {
	tb.Helper()
	page, err := os.ReadFile("../../docs/sql.md")
	if err != nil {
		tb.Fatal(err)
	}
	name := map[sqlstore.Dialect]string{sqlstore.Postgres: "postgres", sqlstore.MySQL: "mysql", sqlstore.SQLite: "sqlite"}[t.dialect]
	_, rest, found := strings.Cut(string(page), "<!-- "+block+": "+name+" -->\n\n```sql\n")
	text, _, closed := strings.Cut(rest, "\n```")
	if !found || !closed {
		tb.Fatalf("docs/sql.md has no block %q for %s", block, name)
	}
	var all []string
	var plain strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(text, "satchel_", t.prefix)) {
		line, _, _ = strings.Cut(line, "--")
		plain.WriteString(line)
	}
	for statement := range strings.SplitSeq(plain.String(), ";") {
		if statement = strings.TrimSpace(statement); statement != "" {
			all = append(all, statement)
		}
	}
	return all
}

// TestSEC70GuideCleanUp runs the statements for operators who clean up themselves.
func TestSEC70GuideCleanUp(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		tables := d.fresh(t)
		now := time.Now()
		late := tables.store(t, sqlstore.Config{Now: func() time.Time { return now.Add(-26 * time.Hour) }})
		store := tables.store(t, sqlstore.Config{})
		ended, live := core.ID{1}, core.ID{2}
		save := func(s *sqlstore.Store, id core.ID, expires time.Time) {
			t.Helper()
			_, err := s.Reserve(t.Context(), "ann", id, 0, core.EndOldest)
			if err == nil {
				_, err = s.Save(t.Context(), id, core.Entry{Data: []byte("x"), Expires: expires, User: "ann"}, 0)
			}
			if err == nil {
				err = s.Confirm(t.Context(), "ann", id, expires)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		save(late, ended, now.Add(-2*time.Hour))
		save(store, live, now.Add(time.Minute))
		for _, statement := range tables.guide(t, "clean-up") {
			tables.exec(t, statement)
		}
		if n := tables.count(t, tables.sessions()); n != 1 {
			t.Errorf("%d sessions are left, want the live one", n)
		}
		if n := tables.count(t, tables.members()); n != 1 {
			t.Errorf("%d members are left, want that of the live session", n)
		}
		if _, err := store.Load(t.Context(), live); err != nil {
			t.Error(err)
		}
	})
}

// TestGuideGrants runs an application with no more than the rights in docs/sql.md.
func TestGuideGrants(t *testing.T) {
	for name, server := range map[string]func(testing.TB) *sqltest.Server{"postgres": sqltest.SharedPostgres, "mariadb": sqltest.SharedMariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, driver := databases[1], "pgx"
			if name == "mariadb" {
				d, driver = databases[2], "mysql"
			}
			tables := d.fresh(t)
			admin := open(t, driver, server(t).AdminSource())
			run := func(statement string) {
				t.Helper()
				if _, err := admin.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(statement, err)
				}
			}
			run("CREATE USER app")
			for _, grant := range tables.guide(t, "grants") {
				run(grant)
			}
			app := open(t, driver, strings.Replace(server(t).Source(), "satchel@", "app@", 1))
			sessions, err := core.New(core.ServerSide(tables.storeOn(t, app, sqlstore.Config{})), core.Config{SessionLimit: 2})
			if err != nil {
				t.Fatal(err)
			}
			if err := sessions.RevokeAll(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestGuideByHand runs the statements for emergencies.
func TestGuideByHand(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		if d.dialect == sqlstore.SQLite {
			t.Skip("the guide has none for SQLite")
		}
		tables := d.fresh(t)
		store := tables.store(t, sqlstore.Config{})
		expires := time.Now().Add(time.Hour)
		for id, user := range map[core.ID]string{{1}: "ann", {2}: "ann", {3}: "ben"} {
			if _, err := store.Save(t.Context(), id, core.Entry{Data: []byte("x"), Expires: expires, User: user}, 0); err != nil {
				t.Fatal(err)
			}
		}
		statements := tables.guide(t, "emergency")
		if len(statements) < 3 {
			t.Fatal("the guide has fewer than three statements")
		}
		var n int
		if err := tables.db.QueryRowContext(t.Context(), statements[0]).Scan(&n); err != nil || n != 3 {
			t.Errorf("counts %d, want 3 (%v)", n, err)
		}
		for i, want := range []int{1, 0} {
			tables.exec(t, statements[i+1])
			if n := tables.count(t, tables.sessions()); n != want {
				t.Errorf("after %q: %d sessions, want %d", statements[i+1], n, want)
			}
		}
	})
}

func (t *tables) count(tb testing.TB, table string) (n int) {
	tb.Helper()
	if err := t.db.QueryRowContext(tb.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil && err != sql.ErrNoRows {
		tb.Fatal(err)
	}
	return n
}
