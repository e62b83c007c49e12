package sqltests

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/internal/testing/process"
)

// TestK1SQLConnectionCut cuts the connection of every operation before the server gets to
// know of it, and when it answers. None fails, and none happens twice.
func TestK1SQLConnectionCut(t *testing.T) {
	eachServer(t, func(t *testing.T, d database) {
		tables, proxy := d.behind(t)
		s := tables.store(t, sqlstore.Config{})
		for range 2 { // connections, and what they prepare
			id, base := prepared(t, s)
			for _, op := range operations {
				if err := op.run(t.Context(), s, id, base); op.name != "touch" && op.name != "confirm" && err != nil {
					t.Fatalf("%s: %v", op.name, err)
				}
				if op.name == "save" {
					id, base = prepared(t, s)
				}
			}
		}
		for _, op := range operations {
			for name, cut := range map[string]func(int){"before": proxy.CutBefore, "after": proxy.CutAfter} {
				id, base := prepared(t, s)
				cut(1)
				if err := op.run(t.Context(), s, id, base); err != nil {
					t.Errorf("%s, cut %s: %v", op.name, name, err)
				}
				if e, err := s.Load(t.Context(), id); op.name == "save" && (err != nil || e.Version == base || string(e.Data) != "b") {
					t.Errorf("after a save that was cut %s: %+v, %v", name, e, err)
				}
			}
		}
		// If no answer ever comes, it is not known whether something was stored: that is no
		// conflict, and nothing to do again.
		id, base := prepared(t, s)
		proxy.CutAfter(1000)
		_, err := tables.store(t, sqlstore.Config{Timeout: 200 * time.Millisecond}).Save(t.Context(), id, entry("ann", "b"), base)
		if !unavailable(err) {
			t.Errorf("save that never gets an answer: %v", err)
		}
		proxy.Heal()
	})
}

// TestL3SQLDeadlock makes the database find a real deadlock, of a login that ends a session
// and a transaction of the application, and end the login's.
func TestL3SQLDeadlock(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		s := r.store(t, sqlstore.Config{})
		first := newID()
		if _, err := s.Reserve(t.Context(), "ann", first, 1, core.EndOldest); err != nil {
			t.Fatal(err)
		}
		save(t, s, first, entry("ann", "a"))
		if err := s.Confirm(t.Context(), "ann", first, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		r.exec(t, "CREATE TABLE ballast (n bigint)")
		tx, err := r.admin.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback() //nolint:errcheck // after the commit it says so
		run := func(statement string) {
			t.Helper()
			if _, err := tx.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("the application: %s: %v", statement, err)
			}
		}
		// PostgreSQL ends who notices first, MariaDB who has changed less.
		if r.dialect == sqlstore.Postgres {
			run("SET LOCAL deadlock_timeout = '1min'")
		}
		run("INSERT INTO ballast VALUES (1)" + strings.Repeat(", (1)", 100))
		run("UPDATE " + r.sessions() + " SET sweep = sweep WHERE owner = " + r.bytes("ann"))
		if r.dialect == sqlstore.MySQL {
			run("SELECT * FROM " + r.sessions() + " FOR UPDATE")
		}
		second := newID()
		admitted := make(chan error, 1)
		go func() {
			_, err := s.Reserve(context.WithoutCancel(t.Context()), "ann", second, 1, core.EndOldest)
			admitted <- err
		}()
		eventually(t, "the login waits for the application", func() bool {
			if r.dialect == sqlstore.Postgres {
				return r.number(t, "SELECT count(*) FROM pg_locks WHERE NOT granted") > 0
			}
			return r.number(t, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_ROW_LOCK_CURRENT_WAITS'") > 0
		})
		run("UPDATE " + r.members() + " SET entered = entered + 1 WHERE owner = " + r.bytes("ann") + " AND length(id) = 1") // the counter
		if err := tx.Commit(); err != nil {
			t.Fatalf("the application: %v", err)
		}
		if err := <-admitted; err != nil {
			t.Errorf("the login: %v", err)
		}
		if r.dialect == sqlstore.Postgres && !strings.Contains(r.srv.Log(), "deadlock detected") ||
			r.dialect == sqlstore.MySQL && r.number(t, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_DEADLOCKS'") == 0 {
			t.Error("there was no deadlock\n", r.srv.Log())
		}
		if _, err := s.Load(t.Context(), first); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("the session that was to end: %v", err)
		}
		if ids, err := s.List(t.Context(), "ann"); err != nil || len(ids) != 1 || ids[0] != second {
			t.Errorf("listed: %d, %v", len(ids), err)
		}
	})
}

// TestL3SQLDiskFull fills what the tables may take. What is there can be read and deleted,
// and that makes room.
func TestL3SQLDiskFull(t *testing.T) {
	// MariaDB needs room to be able to undo a deletion: it may say that there is none.
	full := func(t *testing.T, s *sqlstore.Store, d sqlstore.Dialect) {
		t.Helper()
		var ids []core.ID
		random := make([]byte, 30_000) // which no database makes smaller
		_, _ = rand.Read(random)       // never fails
		data := hex.EncodeToString(random)
		for {
			id := newID()
			_, err := s.Save(t.Context(), id, entry("ann", data), 0)
			if err != nil {
				t.Log(err)
				if !unavailable(err) {
					t.Errorf("save to a full disk: %v", err)
				}
				break
			}
			if ids = append(ids, id); len(ids) > 2000 {
				t.Fatal("the disk does not fill up")
			}
		}
		if e, err := s.Load(t.Context(), ids[0]); err != nil || string(e.Data) != data {
			t.Errorf("load from a full disk: %d bytes, %v", len(e.Data), err)
		}
		for _, id := range ids {
			err := s.Delete(t.Context(), id)
			if d == sqlstore.MySQL && unavailable(err) {
				continue
			}
			if err != nil {
				t.Fatalf("delete from a full disk: %v", err)
			}
			if _, err := s.Load(t.Context(), id); !errors.Is(err, core.ErrNotFound) {
				t.Fatalf("after its deletion: %v", err)
			}
		}
	}
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		tables := databases[0].fresh(t)
		tables.db.SetMaxOpenConns(1) // a limit belongs to a connection
		tables.exec(t, "PRAGMA max_page_count = 1000")
		s := tables.store(t, sqlstore.Config{})
		full(t, s, sqlstore.SQLite)
		save(t, s, newID(), entry("ann", "room"))
	})
	if testing.Short() {
		return // the others start servers
	}
	t.Run("mariadb", func(t *testing.T) {
		t.Parallel()
		r := databases[2].rig(t, "--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:12M:autoextend:max:24M")
		s := r.store(t, sqlstore.Config{})
		full(t, s, sqlstore.MySQL)
		if err := r.srv.Restart("--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:12M:autoextend:max:48M"); err != nil {
			t.Fatal(err)
		}
		save(t, s, newID(), entry("ann", "room"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		r := databases[1].rig(t)
		dir, err := process.UnprivilegedDir()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		// It belongs to the server's user, as the folder does.
		options := "size=8m,mode=0700"
		if info, ok := stat(t, dir).Sys().(*syscall.Stat_t); ok {
			options += fmt.Sprintf(",uid=%d,gid=%d", info.Uid, info.Gid)
		}
		if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
			t.Logf("no file system of 8 MB for the tables, so this shows nothing: %v: %s", err, out)
			return
		}
		t.Cleanup(func() {
			r.srv.Close()
			if out, err := exec.CommandContext(context.Background(), "umount", dir).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		r.run(t, fmt.Sprintf("CREATE TABLESPACE small LOCATION '%s'", dir))
		for _, table := range []string{r.sessions(), r.members()} {
			r.run(t, "ALTER TABLE "+table+" SET TABLESPACE small")
		}
		s := r.store(t, sqlstore.Config{})
		full(t, s, sqlstore.Postgres)
		if out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,size=16m", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		save(t, s, newID(), entry("ann", "room"))
	})
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestT1SQLDatabaseClock has applications a day ahead of and behind the database.
func TestT1SQLDatabaseClock(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		for _, ahead := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
			now := time.Now().Add(ahead)
			tables := d.fresh(t)
			s := tables.store(t, sqlstore.Config{Now: func() time.Time { return now }})
			id, last := newID(), newID()
			for _, id := range []core.ID{id, last} {
				if _, err := s.Reserve(t.Context(), "ann", id, 2, core.RefuseLogin); err != nil {
					t.Fatal(err)
				}
				save(t, s, id, core.Entry{User: "ann", Expires: now.Add(time.Minute)})
				if err := s.Confirm(t.Context(), "ann", id, now.Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			e, err := s.Load(t.Context(), id)
			if err != nil {
				t.Fatalf("a session for a minute, by a clock %v ahead: %v", ahead, err)
			}
			if err := s.Touch(t.Context(), id, e.Version, now.Add(2*time.Minute)); err != nil {
				t.Errorf("touch, %v ahead: %v", ahead, err)
			}
			if _, err := s.Reserve(t.Context(), "ann", newID(), 2, core.RefuseLogin); !errors.Is(err, core.ErrSessionLimit) {
				t.Errorf("a third login, %v ahead: %v", ahead, err)
			}
			if n, err := s.Sweep(t.Context()); err != nil || n != 0 {
				t.Errorf("a sweep, %v ahead, removes %d of the living: %v", ahead, n, err)
			}
			now = now.Add(90 * time.Second)
			if n, err := s.Sweep(t.Context()); err != nil || n != 1 {
				t.Errorf("a sweep after one has expired, %v ahead, removes %d: %v", ahead, n, err)
			}
			if ids, err := s.List(t.Context(), "ann"); err != nil || len(ids) != 1 || ids[0] != id {
				t.Errorf("after a sweep, %v ahead, %d are listed: %v", ahead, len(ids), err)
			}
		}
	})
}
