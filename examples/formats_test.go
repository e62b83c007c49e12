package examples_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

var freeze = flag.String("freeze", "", "write what a release stores into testdata/formats, under this version")

// touchedAfter is how old a session is when a touch of it is frozen.
const touchedAfter = 48 * time.Hour

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
		t.Fatalf("%d formats are frozen, want %d of each release: %v", len(files), len(places), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/formats/"), ".json"), func(t *testing.T) {
			f := readFrozen(t, file)
			now := func() time.Time { return f.At.Add(cmp.Or(f.Later, 2*time.Minute)) }
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
				if got := s.Flashes(); f.Later > 0 && (len(got) > 0 || len(counts) > 0) { // they have lapsed
					t.Errorf("E3: flashes %v, %v", got, counts)
				} else if f.Later == 0 && (len(got) != 1 || got[0] != (core.Flash{Kind: "success", Text: "Saved."}) || counts["a"] != 1) {
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
				if list, err := c.sessions.List(t.Context(), "ann"); (f.SQL != nil || f.Redis != nil && !errors.Is(err, core.ErrUnsupported)) && (err != nil || len(list) != 1 || list[0].Label != "Firefox") {
					t.Errorf("E3: ann's sessions are %+v, %v", list, err)
				}
			}
		})
	}
}

// TestE3SameVersionSameBytes: bytes that change need a new version byte. What this build
// reads of a release as its own version, it writes as the release did.
func TestE3SameVersionSameBytes(t *testing.T) {
	for _, name := range []string{"entry", "timeouts", "hybrid", "file", "memcached", "redis", "gorilla-redis", "sqlite", "mariadb", "postgres", "touch-jwt"} {
		t.Run(name, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join("testdata", "formats", "*", name+".json"))
			if err != nil || len(files) == 0 {
				t.Fatal("nothing is frozen", err)
			}
			for _, file := range files {
				f := readFrozen(t, file)
				again := writeAgain(t, places[name], f)
				was, version := f.plain(t)
				is, same := again.plain(t)
				if same == version && !reflect.DeepEqual(is, was) {
					t.Errorf("E3: %s: the same version, other bytes: give the format a new version\n%+v\n%+v", file, was, is)
				}
			}
		})
	}
}

// writeAgain stores a frozen session anew, without a difference, and returns what is stored.
func writeAgain(t *testing.T, open opener, f frozen) frozen {
	t.Helper()
	if f.Cookies[touchName] != "" {
		now := func() time.Time { return f.At.Add(touchedAfter) }
		c := &formatClient{t, formatManager(t, open(t, &f, now).backend, now), maps.Clone(f.Cookies)}
		delete(c.cookies, touchName)
		c.do(http.MethodGet, func(*core.Session) {})
		return frozen{Cookies: c.cookies}
	}
	now := func() time.Time { return f.At }
	p := open(t, &f, now)
	m := formatManager(t, p.backend, now)
	// The values are removed, and then stored in the order in which they were.
	for _, change := range []func(*core.Session){
		func(s *core.Session) { s.Clear() },
		func(s *core.Session) { s.Set("n", -7); formatValues.Set(s, formatCart{[]string{"pen", "ink"}, f.At}) },
	} {
		if err := m.Update(t.Context(), f.ID, func(s *core.Session) error { change(s); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	again := frozen{ID: f.ID}
	p.dump(&again)
	return again
}

func readFrozen(t *testing.T, file string) (f frozen) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(file, err)
	}
	return f
}

// freezeFormats freezes what is not frozen yet in dir.
func freezeFormats(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	for name, open := range places {
		file := filepath.Join(dir, name+".json")
		if _, err := os.Stat(file); err == nil {
			continue // it stays
		}
		f := frozen{At: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC), Cookies: map[string]string{}}
		at := f.At
		p := open(t, nil, func() time.Time { return at })
		c := &formatClient{t, formatManager(t, p.backend, func() time.Time { return at }), f.Cookies}
		c.do(http.MethodPost, func(s *core.Session) {
			s.Set("n", -7)
			formatValues.Set(s, formatCart{[]string{"pen", "ink"}, f.At})
			s.Flash("success", "Saved.")
			formatFlash.Add(s, map[string]int{"a": 1})
		})
		c.do(http.MethodPost, func(s *core.Session) { s.Login("ann"); s.Remember(true) })
		// Without the touch, or timeouts of its own, the session would have ended by then.
		switch {
		case strings.HasPrefix(name, "touch-"):
			at, f.Later = at.Add(touchedAfter), 15*24*time.Hour
		case name == "timeouts":
			c.do(http.MethodPost, func(s *core.Session) { s.SetTimeouts(30*24*time.Hour, 60*24*time.Hour) })
			f.Later = 20 * 24 * time.Hour
		}
		c.do(http.MethodGet, func(s *core.Session) { f.ID = s.ID() })
		if p.dump != nil {
			p.dump(&f)
		}
		data, err := json.MarshalIndent(f, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(data, '\n'), 0o600); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", name, err))
		}
	}
}
