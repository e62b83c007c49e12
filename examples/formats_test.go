package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/filestore"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/jwtsealer"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

var freeze = flag.String("freeze", "", "write what a release stores into testdata/formats, under this version")

// frozen is a session as a release has stored it and handed it out. Every later build opens
// it and goes on with it.
type frozen struct {
	At      time.Time
	Cookies map[string]string
	ID      core.ID
	Entry   *core.Entry       `json:",omitempty"` // in a store
	Redis   []redisKey        `json:",omitempty"`
	Files   map[string][]byte `json:",omitempty"`
}

type redisKey struct {
	Key    string
	Value  []byte            `json:",omitempty"` // of a string
	Fields map[string][]byte `json:",omitempty"` // of a hash
}

// formatKey and formatSigner are keys for these files alone.
const formatKey = "Zk3vQm8sT1xYb7Lr0pWcJ5nHdG2aUe9iOf4KtS6jXhM="

// place is where frozen sessions of one kind lie.
type place struct {
	backend core.Backend
	dump    func(*frozen) // takes down what is stored
}

// places are the formats that a release freezes. Each gets what a release has stored, or nil.
var places = map[string]func(t *testing.T, f *frozen, now func() time.Time) place{
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
	"redis": formatsInRedis,
	"file":  formatsInFiles,
}

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

func formatsInRedis(t *testing.T, f *frozen, now func() time.Time) place {
	ctx := t.Context()
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	const prefix = "formats:"
	if err := goredisstore.New(client, goredisstore.Config{Prefix: prefix}).DeleteAll(ctx); err != nil {
		t.Fatal(err)
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
	return place{core.ServerSide(goredisstore.New(client, goredisstore.Config{Prefix: prefix, Now: now})), func(f *frozen) {
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

func formatsInFiles(t *testing.T, f *frozen, now func() time.Time) place {
	dir := t.TempDir()
	if f != nil {
		for name, data := range f.Files {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	store, err := filestore.Open(dir, filestore.Config{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return place{core.ServerSide(store), func(f *frozen) {
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
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
	}}
}

type formatCart struct {
	Items []string
	Since time.Time
}

var (
	formatValues = core.NewKey[formatCart]("cart")
	formatFlash  = core.NewFlashKey[map[string]int]("counts")
)

// formatClient is one client of sessions.
type formatClient struct {
	t        *testing.T
	sessions *core.Manager
	cookies  map[string]string
}

func (c *formatClient) do(method string, f func(*core.Session)) {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), method, "https://app.example/", nil)
	for name, value := range c.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	httpadapter.Middleware(c.sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(httpadapter.Session(r)) })).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		c.t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, set := range w.Result().Cookies() {
		if set.MaxAge < 0 {
			delete(c.cookies, set.Name)
		} else {
			c.cookies[set.Name] = set.Value
		}
	}
}

func formatManager(t *testing.T, b core.Backend, now func() time.Time) *core.Manager {
	t.Helper()
	m, err := core.New(b, core.Config{Now: now, Namespace: "shop", Observer: func(context.Context, core.Event) {}, Describe: func(core.Exchange) string { return "Firefox" }})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestE3FormatsOfReleases opens what releases have stored and handed out, and goes on with it.
func TestE3FormatsOfReleases(t *testing.T) {
	if *freeze != "" {
		freezeFormats(t, filepath.Join("testdata", "formats", *freeze))
	}
	files, err := filepath.Glob(filepath.Join("testdata", "formats", "*", "*.json"))
	if err != nil || len(files) < len(places) {
		t.Fatalf("%d formats are frozen, want %d for each release: %v", len(files), len(places), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/formats/"), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var f frozen
			if err := json.Unmarshal(data, &f); err != nil {
				t.Fatal(err)
			}
			now := func() time.Time { return f.At.Add(2 * time.Minute) }
			p := places[strings.TrimSuffix(filepath.Base(file), ".json")](t, &f, now)
			c := &formatClient{t, formatManager(t, p.backend, now), f.Cookies}
			c.do(http.MethodGet, func(s *core.Session) {
				cart, err := formatValues.Lookup(s)
				if s.UserID() != "ann" || s.ID() != f.ID || !s.IsRemembered() || err != nil || len(cart.Items) != 2 || !cart.Since.Equal(f.At) {
					t.Errorf("E3: user %q, ID %s, remembered %t, cart %v, %v", s.UserID(), s.ID(), s.IsRemembered(), cart, err)
				}
				if n, _ := core.Get[int](s, "n"); n != -7 {
					t.Errorf("E3: n is %d", n)
				}
				counts, _ := formatFlash.Take(s)
				if got := s.Flashes(); len(got) != 1 || got[0] != (core.Flash{Kind: "success", Text: "Saved."}) || counts["a"] != 1 {
					t.Errorf("E3: flashes %v, %v", got, counts)
				}
			})
			c.do(http.MethodPost, func(s *core.Session) { s.Set("n", 8); s.Flash("info", "Again."); s.Renew() })
			c.do(http.MethodGet, func(s *core.Session) {
				n, _ := core.Get[int](s, "n")
				if got := s.Flashes(); n != 8 || len(got) != 1 || s.UserID() != "ann" || s.ID() != f.ID {
					t.Errorf("E3: afterwards n is %d, flashes %v, user %q", n, got, s.UserID())
				}
			})
			if !p.backend.Traits().ClientSide {
				if list, err := c.sessions.List(t.Context(), "ann"); f.Redis != nil && (err != nil || len(list) != 1 || list[0].Label != "Firefox") {
					t.Errorf("E3: ann's sessions are %+v, %v", list, err)
				}
			}
		})
	}
}

// TestE3SameVersionSameBytes: bytes that change need a new version byte. What this build
// reads of a release as its own version, it writes as the release did.
func TestE3SameVersionSameBytes(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "formats", "*", "entry.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("nothing is frozen", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var f frozen
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatal(err)
		}
		store := memstore.New(memstore.Config{Now: func() time.Time { return f.At }, SweepInterval: -1})
		m := formatManager(t, core.ServerSide(store), func() time.Time { return f.At })
		if _, err := store.Save(t.Context(), f.ID, *f.Entry, 0); err != nil {
			t.Fatal(err)
		}
		// The values are removed, and then stored in the order in which they were: the session is
		// written anew, and nothing is different.
		for _, change := range []func(*core.Session){
			func(s *core.Session) { s.Clear() },
			func(s *core.Session) { s.Set("n", -7); formatValues.Set(s, formatCart{[]string{"pen", "ink"}, f.At}) },
		} {
			if err := m.Update(t.Context(), f.ID, func(s *core.Session) error { change(s); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		now, err := store.Load(t.Context(), f.ID)
		if err != nil {
			t.Fatal(err)
		}
		if now.Data[0] == f.Entry.Data[0] && !bytes.Equal(now.Data, f.Entry.Data) {
			t.Errorf("E3: %s: the same version byte, other bytes: give the format a new version\n%x\n%x", file, f.Entry.Data, now.Data)
		}
	}
}

func freezeFormats(t *testing.T, dir string) {
	t.Helper()
	if files, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(files) > 0 {
		t.Fatalf("%s is there: what a release has frozen stays", dir)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	for name, open := range places {
		f := frozen{At: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC), Cookies: map[string]string{}}
		now := func() time.Time { return f.At }
		p := open(t, nil, now)
		c := &formatClient{t, formatManager(t, p.backend, now), f.Cookies}
		c.do(http.MethodPost, func(s *core.Session) {
			s.Set("n", -7)
			formatValues.Set(s, formatCart{[]string{"pen", "ink"}, f.At})
			s.Flash("success", "Saved.")
			formatFlash.Add(s, map[string]int{"a": 1})
		})
		c.do(http.MethodPost, func(s *core.Session) { s.Login("ann"); s.Remember(true) })
		c.do(http.MethodGet, func(s *core.Session) { f.ID = s.ID() })
		if p.dump != nil {
			p.dump(&f)
		}
		data, err := json.MarshalIndent(f, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".json"), append(data, '\n'), 0o600); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", name, err))
		}
	}
}
