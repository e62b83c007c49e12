package sqltests

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
)

// TestE3ForeignData puts rows into the tables that no Satchel has written.
func TestE3ForeignData(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		tables := d.clean(t)
		s := tables.store(t, sqlstore.Config{})
		mine := login(t, s, "ann")
		at := time.Now().Add(time.Hour).UnixMilli()
		for i, values := range []string{
			fmt.Sprintf("0, %d, 1, NULL, %s", at, tables.bytes("x")),
			fmt.Sprintf("-1, %d, 1, NULL, %s", at, tables.bytes("x")),
			fmt.Sprintf("-9223372036854775808, %d, -5, %s, %s", at, tables.bytes("\xff\x00"), tables.bytes("")),
		} {
			id := newID()
			tables.exec(t, fmt.Sprintf("INSERT INTO %s (id, version, expires, sweep, owner, data) VALUES (%s, %s)", tables.sessions(), tables.bytes(string(id[:])), values))
			if _, err := s.Load(t.Context(), id); !errors.Is(err, core.ErrCorrupt) || errors.Is(err, core.ErrNotFound) {
				t.Errorf("row %d: Load: %v, want ErrCorrupt", i, err)
			}
			if _, err := s.Save(t.Context(), id, core.Entry{Expires: time.Now().Add(time.Hour)}, 0); !errors.Is(err, core.ErrConflict) {
				t.Errorf("row %d: Save of a new session over it: %v, want ErrConflict", i, err)
			}
			if err := s.Delete(t.Context(), id); err != nil {
				t.Errorf("row %d: Delete: %v", i, err)
			}
		}
		if d.dialect == sqlstore.SQLite { // which takes any type
			id := newID()
			tables.exec(t, fmt.Sprintf("INSERT INTO %s (id, version, expires, sweep, owner, data) VALUES (%s, 'one', 'never', 1, 'ann', 'x')", tables.sessions(), tables.bytes(string(id[:]))))
			if _, err := s.Load(t.Context(), id); !errors.Is(err, core.ErrCorrupt) {
				t.Errorf("a row of text: Load: %v, want ErrCorrupt", err)
			}
		}
		for _, id := range []string{"", "c", "zz", strings.Repeat("i", 15)} {
			tables.exec(t, fmt.Sprintf("INSERT INTO %s (owner, id, entered, lapses, confirmed) VALUES (%s, %s, -7, %d, 1)", tables.members(), tables.bytes("ann"), tables.bytes(id), at))
		}
		if ids, err := s.List(t.Context(), "ann"); err != nil || !slices.Equal(ids, []core.ID{mine}) {
			t.Errorf("List: %v, %v", ids, err)
		}
		if end, err := s.Reserve(t.Context(), "ann", newID(), 1, core.EndOldest); err != nil || !slices.Equal(end, []core.ID{mine}) {
			t.Errorf("Reserve: %v, %v", end, err)
		}
		if _, err := s.Search(t.Context(), "ann"); err != nil && d.dialect != sqlstore.SQLite {
			t.Errorf("Search: %v", err)
		}
		if _, err := s.Sweep(t.Context()); err != nil && d.dialect != sqlstore.SQLite {
			t.Errorf("Sweep: %v", err)
		}
		if err := s.DeleteAll(t.Context()); err != nil {
			t.Errorf("DeleteAll: %v", err)
		}
		if n := tables.left(t); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// TestE3UsersAndSizes stores what is as long and as strange as the core allows, and more.
func TestE3UsersAndSizes(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.clean(t).store(t, sqlstore.Config{})
		for _, user := range []string{"nul\x00byte", "\x00", "\x00\x00", "\xff\xfe\xc3", "a\xc3", strings.Repeat("u", 1024+64+8), strings.Repeat("\xff", 2048)} {
			first, second := login(t, s, user), newID()
			if end, err := s.Reserve(t.Context(), user, second, 2, core.RefuseLogin); err != nil || len(end) != 0 {
				t.Errorf("%.20q: Reserve: %v, %v", user, end, err)
			}
			if end, err := s.Reserve(t.Context(), user, second, 1, core.EndOldest); err != nil || !slices.Equal(end, []core.ID{first}) {
				t.Errorf("%.20q: Reserve: %v, %v", user, end, err)
			}
			if ids, err := s.List(t.Context(), user); err != nil || !slices.Equal(ids, []core.ID{second}) {
				t.Errorf("%.20q: List: %v, %v", user, ids, err)
			}
			if err := s.Release(t.Context(), user, second); err != nil {
				t.Errorf("%.20q: Release: %v", user, err)
			}
			id := login(t, s, user)
			if e, err := s.Load(t.Context(), id); err != nil || e.User != user {
				t.Errorf("%.20q: Load: %.20q, %v", user, e.User, err)
			}
			if ids, err := s.Search(t.Context(), user); err != nil || !slices.Equal(ids, []core.ID{id}) {
				t.Errorf("%.20q: Search: %v, %v", user, ids, err)
			}
		}
		tooLong := strings.Repeat("u", 2049)
		if _, err := s.Reserve(t.Context(), tooLong, newID(), 0, core.EndOldest); !unavailable(err) {
			t.Errorf("Reserve for a user of 2049 bytes: %v", err)
		}
		if _, err := s.Save(t.Context(), newID(), core.Entry{User: tooLong, Expires: time.Now().Add(time.Hour)}, 0); !unavailable(err) {
			t.Errorf("Save for a user of 2049 bytes: %v", err)
		}
		large := make([]byte, 4<<20)
		for i := range large {
			large[i] = byte(i * 7919 >> 3)
		}
		id := newID()
		v, err := s.Save(t.Context(), id, core.Entry{Data: large, Expires: time.Now().Add(time.Hour)}, 0)
		if err != nil {
			t.Fatalf("Save of 4 MiB: %v", err)
		}
		if e, err := s.Load(t.Context(), id); err != nil || !slices.Equal(e.Data, large) {
			t.Errorf("Load of 4 MiB: %d bytes, %v", len(e.Data), err)
		}
		for _, expires := range []time.Time{{}, time.Unix(1<<40, 0), time.Now().AddDate(300, 0, 0)} {
			next, err := s.Save(t.Context(), id, core.Entry{Data: []byte("x"), Expires: expires}, v)
			if errors.Is(err, core.ErrNotFound) {
				v, err = s.Save(t.Context(), id, core.Entry{Data: []byte("x"), Expires: time.Now().Add(time.Hour)}, 0)
				next = v
			}
			if err != nil {
				t.Errorf("Save until %v: %v", expires, err)
			}
			v = next
		}
	})
}
