package scsstore

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// slack is what gob may allocate whatever its input says: it reads ten megabytes at a time.
const slack = 32 << 20

// FuzzSEC40Session: whatever the store holds, it is a session, or none, or an error that says so.
// A session is the same again when it was written back.
func FuzzSEC40Session(f *testing.F) {
	store := newMemory()
	old := newOld(store)
	from := From(old, ourKeys).(*backend)
	scope := core.Scope{Name: "session", Purpose: "session"}
	s := &site{t: f, old: old, cookies: map[string]string{}, now: time.Now()}
	s.scs(func(ctx context.Context) {
		old.Put(ctx, "user", "ann")
		old.Put(ctx, "flash", "Saved.")
		old.Put(ctx, "account", account{"Ada"})
		old.RememberMe(ctx, true)
	})
	token := s.cookies["session"]
	scsOwn := store.content()[token].data
	l, err := from.Load(f.Context(), scope, core.Tokens{Session: token})
	if err != nil {
		f.Fatal(err)
	}
	h, _, err := from.Save(f.Context(), scope, &l.Record, l.Handle, false)
	if err != nil {
		f.Fatal(err)
	}
	ours := store.content()[token].data
	if err := from.Leave(f.Context(), scope, &l.Record, h); err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{scsOwn, ours, store.content()[token].data} {
		f.Add(seed)
		for _, d := range damaged {
			if b := d.damage(seed); len(b) < 1<<20 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		store.all[token] = item{data, time.Now().Add(time.Hour)}
		var l core.LoadResult
		var err error
		alloctest.Bound(t, 256*len(data)+slack, func() {
			l, err = from.Load(t.Context(), scope, core.Tokens{Session: token})
			_, _ = from.LoadLeft(t.Context(), scope, core.Tokens{Session: token})
		})
		if err != nil {
			if !errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrCorrupt) && !errors.Is(err, core.ErrNewerVersion) && !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		want := content(&l.Record)
		if _, _, err := from.Save(t.Context(), scope, &l.Record, l.Handle, false); err != nil {
			if errors.Is(err, core.ErrUnavailable) {
				return // a deadline that gob has no room for, or no time that the store keeps it
			}
			t.Fatal(err)
		}
		again, err := from.store.Read(t.Context(), scope, token)
		if err != nil {
			if errors.Is(err, core.ErrNotFound) {
				return // it has ended meanwhile
			}
			t.Fatalf("cannot be read again: %v", err)
		}
		if got := content(again.Record); !reflect.DeepEqual(got, want) {
			t.Errorf("read %v, want %v", got, want)
		}
	})
}

// content returns what is in r, by name.
func content(r *core.Record) map[string]string {
	all := map[string]string{"its user": r.User, "its ID": r.ID.String()}
	for key, raw := range r.Values() {
		all["value "+key] = string(raw)
	}
	for i, f := range slices.Collect(r.StoredFlashes()) {
		all["flash "+string(rune('0'+i))] = f.Kind + " " + string(f.Payload)
	}
	return maps.Clone(all)
}

// FuzzSEC6Token: the store is asked for nothing but tokens that scs can have made.
func FuzzSEC6Token(f *testing.F) {
	for _, seed := range []string{"", "x", "..", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nA"} {
		f.Add(seed)
	}
	s := From(newOld(newMemory()), Config{}).(*backend).store
	f.Fuzz(func(t *testing.T, token string) {
		e, ok := s.newEntry(token)
		if ok != (len(token) == 43 && isToken(token)) || e.Token != token {
			t.Errorf("%q: %v", token, ok)
		}
	})
}

// isToken reports whether token has the alphabet, and ends as 32 bytes must.
func isToken(token string) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i, c := range token {
		at := slices.Index([]rune(alphabet), c)
		if at < 0 || i == 42 && at%4 != 0 {
			return false
		}
	}
	return true
}
