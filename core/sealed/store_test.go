package sealed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

// ring returns a Keyring of keys, newest first.
func ring(t testing.TB, keys ...string) *sealed.Keyring {
	t.Helper()
	r, err := sealed.ParseKeyring(strings.Join(keys, ","))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// taping is a memory store that keeps all that it is ever given.
type taping struct {
	*memstore.Store
	mu   sync.Mutex
	tape bytes.Buffer
}

func (s *taping) note(parts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range parts {
		s.tape.WriteString(p)
		s.tape.WriteByte('\n')
	}
}

func (s *taping) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	s.note(e.User, string(e.Data))
	return s.Store.Save(ctx, id, e, base)
}

func (s *taping) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	s.note(user)
	return s.Store.Reserve(ctx, user, id, limit, policy)
}

func (s *taping) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	s.note(user)
	return s.Store.Confirm(ctx, user, id, until)
}

func (s *taping) Release(ctx context.Context, user string, id core.ID) error {
	s.note(user)
	return s.Store.Release(ctx, user, id)
}

func (s *taping) List(ctx context.Context, user string) ([]core.ID, error) {
	s.note(user)
	return s.Store.List(ctx, user)
}

func TestSEC7EncryptedDumpTellsNothing(t *testing.T) {
	secrets := []string{"canary-user", "canary-label", "canary-key", "canary-value", "canary-flash", "canary-app"}
	play := func(t *testing.T, wrap func(core.Store) core.Store) string {
		w := server(t)
		store := &taping{Store: w.store}
		m := w.manager(core.ServerSide(wrap(store)), func(c *core.Config) {
			c.Namespace = "canary-app"
			c.SessionLimit = 2
			c.Describe = func(core.Exchange) string { return "canary-label" }
		})
		c := newClient(t, m)
		c.do(func(s *core.Session) { s.Set("canary-key", "canary-value"); s.Flash("info", "canary-flash") })
		for range 3 {
			newClient(t, m).do(func(s *core.Session) { s.Login("canary-user") })
		}
		c.do(func(s *core.Session) { s.Login("canary-user") })
		c.do(func(s *core.Session) {
			if v, _ := core.Get[string](s, "canary-key"); s.UserID() != "canary-user" || v != "canary-value" {
				t.Errorf("user %q, value %q", s.UserID(), v)
			}
		})
		if infos, err := m.List(t.Context(), "canary-user"); err != nil || len(infos) != 2 || infos[0].Label != "canary-label" {
			t.Errorf("list: %v, %v", infos, err)
		}
		if _, err := m.RevokeUser(t.Context(), "canary-user"); err != nil || w.store.Len() != 0 {
			t.Errorf("revoke: %v, %d left", err, w.store.Len())
		}
		return store.tape.String()
	}
	plain := play(t, func(s core.Store) core.Store { return s })
	tape := play(t, func(s core.Store) core.Store { return sealed.Store(s, ring(t, newKeys(2)...)) })
	for _, secret := range secrets {
		if secret != "canary-app" && !strings.Contains(plain, secret) {
			t.Errorf("%s is not on the tape without encryption: this test shows nothing", secret)
		}
		if strings.Contains(tape, secret) {
			t.Errorf("SEC7: the store was given %s", secret)
		}
	}
}

// sealedEntry saves an entry through the encryption and returns what the
// wrapped store then holds.
func sealedEntry(t *testing.T, store core.Store, keys *sealed.Keyring, id core.ID) core.Entry {
	t.Helper()
	e := core.Entry{Data: []byte("secret data"), User: "ann", Expires: time.Now().Add(time.Hour)}
	if _, err := sealed.Store(store, keys).Save(t.Context(), id, e, 0); err != nil {
		t.Fatal(err)
	}
	e, err := store.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestSEC40WhatDoesNotOpenIsCorrupt(t *testing.T) {
	store, keys := newMemory(t), ring(t, newKeys(2)...)
	id, other := core.ID{1}, core.ID{2}
	good := sealedEntry(t, store, keys, id)
	bad := map[string][]byte{
		"nothing": nil, "not encrypted": []byte("secret data, and enough of it to be as long as a sealed entry would be"),
		"longer":               append(slices.Clone(good.Data), 0),
		"another session's":    sealedEntry(t, store, keys, other).Data,
		"of a key we have not": sealedEntry(t, store, ring(t, newKeys(1)...), core.ID{3}).Data,
	}
	for i := range good.Data {
		bad[fmt.Sprintf("the first %d bytes", i)] = good.Data[:i]
		for bit := range 8 {
			flipped := slices.Clone(good.Data)
			flipped[i] ^= 1 << bit
			bad[fmt.Sprintf("byte %d, bit %d", i, bit)] = flipped
		}
	}
	encrypted := sealed.Store(store, keys)
	version := good.Version
	for what, data := range bad {
		var err error
		e := good
		e.Data = data
		if version, err = store.Save(t.Context(), id, e, version); err != nil {
			t.Fatal(err)
		}
		got, err := encrypted.Load(t.Context(), id)
		if !errors.Is(err, core.ErrCorrupt) || got.Data != nil || got.User != "" {
			t.Errorf("SEC40: %s: %v, error %v", what, got, err)
		} else if text := err.Error(); strings.Contains(text, "secret") || strings.Contains(text, "ann") {
			t.Errorf("SEC67: %s: %v", what, err)
		}
	}
	if _, err := store.Save(t.Context(), id, good, version); err != nil {
		t.Fatal(err)
	}
	if e, err := encrypted.Load(t.Context(), id); err != nil || string(e.Data) != "secret data" || e.User != "ann" {
		t.Errorf("the good one: %v, %v", e, err)
	}
}

// without hides the abilities of a store.
type without struct{ core.Store }

// wrapping is a store that wraps another.
type wrapping struct{ core.Store }

func (s wrapping) Unwrap() core.Store { return s.Store }

// hearing is a store with a Watch.
type hearing struct{ core.Store }

var errHeard = errors.New("heard")

func (hearing) Watch(context.Context, func(core.ID)) error { return errHeard }

func TestEncryptedClaimsWhatTheStoreHas(t *testing.T) {
	store, keys := newMemory(t), ring(t, newKeys(2)...)
	if _, ok := sealed.Store(store, keys).(core.UserIndex); !ok {
		t.Error("the index of the store is not found")
	}
	if _, ok := sealed.Store(without{store}, keys).(core.UserIndex); ok {
		t.Error("claims an index that the store has not")
	}
	// Through a wrapper in between.
	if _, ok := sealed.Store(wrapping{store}, keys).(core.UserIndex); !ok {
		t.Error("the index of a wrapped store is not found")
	}
	full, err := core.New(core.ServerSide(sealed.Store(store, keys)), core.Config{SessionLimit: 1})
	if err != nil || !full.Traits().Local {
		t.Errorf("%v, %+v", err, full.Traits())
	}
	if err := full.RevokeAll(t.Context()); err != nil {
		t.Error(err)
	}
	if err := core.ServerSide(sealed.Store(hearing{store}, keys)).(core.Watcher).Watch(t.Context(), nil); !errors.Is(err, errHeard) {
		t.Errorf("the store's Watch is not found: %v", err)
	}
	bare := core.ServerSide(sealed.Store(without{store}, keys))
	if _, err := core.New(bare, core.Config{SessionLimit: 1}); !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("a limit without an index: %v", err)
	}
	m, err := core.New(bare, core.Config{})
	if err != nil || m.Traits().Local {
		t.Fatalf("%v, %+v", err, m.Traits())
	}
	if err := m.RevokeAll(t.Context()); !errors.Is(err, core.ErrUnsupported) {
		t.Error(err)
	}
}

// invalid is a store that cannot be used.
type invalid struct{ core.Store }

func (invalid) Validate() error { return errors.New("no such table") }

func TestSEC43EncryptedRefusesNoKeys(t *testing.T) {
	store, keys := newMemory(t), ring(t, newKeys(1)...)
	for want, s := range map[string]core.Store{
		"no keys":       sealed.Store(store, nil),
		"no keys; pass": sealed.Store(store, new(sealed.Keyring)),
		"store is nil":  sealed.Store(nil, keys),
		"no such table": sealed.Store(invalid{store}, keys),
	} {
		if _, err := core.New(core.ServerSide(s), core.Config{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
		if want == "no such table" {
			continue
		}
		// Who forgets New gets an error and stores nothing in clear.
		ctx, id := t.Context(), core.ID{1}
		_, loadErr := s.Load(ctx, id)
		_, saveErr := s.Save(ctx, id, core.Entry{Data: []byte("x"), User: "ann", Expires: time.Now().Add(time.Hour)}, 0)
		for _, err := range []error{loadErr, saveErr, s.Touch(ctx, id, 1, time.Now()), s.Delete(ctx, id)} {
			if err == nil || errors.Is(err, core.ErrNotFound) {
				t.Errorf("want %q: %v", want, err)
			}
		}
		if x, ok := s.(core.UserIndex); ok {
			_, reserveErr := x.Reserve(ctx, "ann", id, 0, core.EndOldest)
			_, listErr := x.List(ctx, "ann")
			for _, err := range []error{reserveErr, listErr, x.Confirm(ctx, "ann", id, time.Time{}), x.Release(ctx, "ann", id)} {
				if err == nil || errors.Is(err, core.ErrNotFound) {
					t.Errorf("want %q: %v", want, err)
				}
			}
		}
	}
	if store.Len() != 0 {
		t.Errorf("%d entries", store.Len())
	}
}

func TestSEC67EncryptedPrintsNoKey(t *testing.T) {
	store := newMemory(t)
	s := sealed.Store(store, ring(t, newKeys(2)...))
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "store", s)
	const want = "sealed.Store(2 keys)"
	for _, got := range []string{
		fmt.Sprint(s), fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s), fmt.Sprintf("%x", s),
		strings.Trim(string(text), `"`), log.String(),
	} {
		if !strings.Contains(got, want) || strings.Contains(got, "0x") {
			t.Errorf("%q", got)
		}
	}
	if got := fmt.Sprint(sealed.Store(store, nil)); got != "sealed.Store(0 keys)" {
		t.Errorf("%q", got)
	}
}

// TestSEC17EncryptedAgainstAWriter plays what docs/security.md leaves to somebody who
// can write to the store: to hide a session, keep it from idling away and bring
// it back. What ends it all the same is there as well.
func TestSEC17EncryptedAgainstAWriter(t *testing.T) {
	w, ctx, keys := server(t), t.Context(), ring(t, newKeys(1)...)
	backend := core.ServerSide(sealed.Store(w.store, keys))
	m := w.manager(backend)
	login := func() *client {
		c := newClient(t, m)
		c.do(func(s *core.Session) { s.Login("ann") })
		return c
	}
	c := login()
	id := c.id()
	entry := func() core.Entry {
		e, err := w.store.Load(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := entry()
	if err := w.store.Release(ctx, e.User, id); err != nil {
		t.Fatal(err)
	}
	if _, err := m.RevokeUser(ctx, "ann"); err != nil || c.user() != "ann" {
		t.Errorf("hidden from the index, and RevokeUser still finds it (%v): docs/security.md says otherwise", err)
	}
	for hours := 1; hours <= 12; hours++ {
		e = entry()
		if err := w.store.Touch(ctx, id, e.Version, e.Expires.Add(100*time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Hour)
		want := "ann"
		if hours == 12 {
			want = "" // the lifetime is sealed with the rest
		}
		if got := c.user(); got != want {
			t.Errorf("SEC12: %d hours after the login, the expiry being put off: %q, want %q", hours, got, want)
		}
	}
	c = login()
	id = c.id()
	e = entry()
	if err := m.RevokeAll(ctx); err != nil || c.user() != "" {
		t.Errorf("RevokeAll misses a session: %v", err)
	}
	if _, err := w.store.Save(ctx, id, e, 0); err != nil {
		t.Fatal(err)
	}
	if got := c.user(); got != "ann" {
		t.Errorf("put back after its end, it is %q's: docs/security.md says otherwise", got)
	}
	w.clock.Advance(time.Second)
	c.m = w.manager(backend, func(config *core.Config) { config.NotBefore = w.clock.Now() })
	if got := c.user(); got != "" {
		t.Errorf("SEC17: put back by a writer, it is %q's in spite of NotBefore", got)
	}
}
