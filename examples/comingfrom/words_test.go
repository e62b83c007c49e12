package comingfrom_test

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/scsstore"
)

// says checks that gorilla.md has these words of err.
func says(t *testing.T, err error, words string) {
	t.Helper()
	page, readErr := os.ReadFile("../../docs/coming-from/gorilla.md")
	switch {
	case readErr != nil:
		t.Fatal(readErr)
	case err == nil || !strings.Contains(err.Error(), words):
		t.Errorf("the error is %v, want %q in it", err, words)
	case !strings.Contains(string(page), words):
		t.Errorf("gorilla.md does not have %q", words)
	}
	t.Logf("the error has the words: %s", words)
}

// gorillaProgram is an old application of one handler.
func gorillaProgram(store sessions.Store, name string, handle func(*sessions.Session)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, name)
		handle(s)
		if err := s.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

// program is a new application of one handler, with what m has to say in its answers.
func program(m *core.Manager, handle func(http.ResponseWriter, *core.Session)) http.Handler {
	return httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handle(w, httpadapter.Session(r))
	}))
}

// observed returns a Manager, and a function that returns the error of its last event.
func observed(t *testing.T, before core.Backend) (*core.Manager, func() error) {
	t.Helper()
	var mu sync.Mutex
	var last error
	config := keptConfig
	config.Observer = func(_ context.Context, e core.Event) {
		mu.Lock()
		defer mu.Unlock()
		last = e.Err
	}
	m, err := core.New(core.Migrating(before, inMemory(t)), config)
	if err != nil {
		t.Fatal(err)
	}
	return m, func() error { mu.Lock(); defer mu.Unlock(); return last }
}

func TestKeysThatAreRefused(t *testing.T) {
	for words, keys := range map[string][][]byte{
		"the newest key pair has no block key, so clients could read their sessions": {hashKey},
		"hash key of pair 1: has 16 bytes, want at least 32":                         {securecookie.GenerateRandomKey(16), blockKey},
		"hash key of pair 1: is a passphrase, not a random key":                      {[]byte("my application's session passphrase"), blockKey},
		"block key of pair 1: has 20 bytes, AES wants 16, 24 or 32":                  {hashKey, securecookie.GenerateRandomKey(20)},
	} {
		_, err := fromStore(sessions.NewCookieStore(keys...), inMemory(t))
		says(t, err, words)
	}
}

// An old application with weak keys gets strong ones first. Then its users can be carried over.
func TestWeakKeysAreReplacedBeforeTheMove(t *testing.T) {
	weak := []byte("0123456789abcdef")
	ann := func(s *sessions.Session) { s.Values["user"] = "ann" }
	b := newBrowser(t, site{handler: gorillaProgram(sessions.NewCookieStore(weak), "session", ann)})
	b.get("/")
	b.handler = gorillaProgram(sessions.NewCookieStore(hashKey, blockKey, weak, nil), "session", func(s *sessions.Session) {
		if s.Values["user"] != "ann" {
			t.Errorf("the rotation has logged %v in", s.Values["user"])
		}
	})
	b.get("/")
	m, err := fromStore(sessions.NewCookieStore(hashKey, blockKey), inMemory(t))
	b.site = now(t, m, err, nowNetHTTP)
	if got := b.get("/"); got != "200 ann []" {
		t.Errorf("the new application shows %q", got)
	}
}

// Users that are integers, and one key, in the cookie of most tutorials.
func TestIntegerUsersAndOneKey(t *testing.T) {
	old := sessions.NewCookieStore(hashKey)
	b := newBrowser(t, site{handler: gorillaProgram(old, "session", func(s *sessions.Session) { s.Values["user"] = 42 })})
	b.get("/")
	forgotten := b.restarted()

	m, err := fromOneKey(old, inMemory(t))
	b.site = now(t, m, err, nowNetHTTP)
	for range 2 {
		if got := b.get("/"); got != "200 42 []" {
			t.Errorf("the new application shows %q", got)
		}
	}

	m, last := observed(t, gorillastore.From(old, gorillastore.FromConfig{UserKey: "user", InsecureAllowReadable: true}))
	forgotten.site = now(t, m, nil, nowNetHTTP)
	if got := forgotten.get("/"); !strings.HasPrefix(got, "503") {
		t.Errorf("without UserValue it shows %q", got)
	}
	says(t, last(), `the value of UserKey, "user", has the type int, and no UserValue makes one of a user, as strconv.Atoi makes an int`)
	if len(forgotten.set) != 1 {
		t.Error("the cookie is gone")
	}
}

// Order is a type that the old application has registered.
type Order struct{ Items []string }

// Registered types and flashes under another key arrive as values.
func TestTypesAndNamedFlashesArrive(t *testing.T) {
	gob.Register(Order{})
	old := gorillaStore()
	b := newBrowser(t, site{handler: gorillaProgram(old, "session", func(s *sessions.Session) {
		s.Values["user"], s.Values["order"] = "ann", Order{[]string{"tea"}}
		s.AddFlash("Saved.")
		s.AddFlash("No more tea.", "errors")
	})})
	b.get("/")
	m, err := fromStore(old, inMemory(t))
	if err != nil {
		t.Fatal(err)
	}
	order := core.NewKey[Order]("order")
	b.handler = program(m, func(w http.ResponseWriter, s *core.Session) {
		o, _ := order.Get(s)
		named, _ := core.Pop[[]string](s, "errors")
		_, _ = fmt.Fprintln(w, s.UserID(), o.Items, s.Flashes(), named)
	})
	if got := b.get("/"); got != "200 ann [tea] [{ Saved.}] [No more tea.]" {
		t.Errorf("the new application shows %q", got)
	}
	if got := b.get("/"); got != "200 ann [tea] [] []" {
		t.Errorf("then %q", got)
	}
}

// Who gives the wrong UserKey sees it in the counts, and can log its users in again.
func TestAWrongUserKeyIsSeenAndMended(t *testing.T) {
	files, manager, fibers := sessions.NewFilesystemStore(t.TempDir(), hashKey, blockKey), withOwnStore(scsByDefault), fiberStore(new(fiberMemory))
	wrong := gorillastore.FromConfig{UserKey: "name"}
	for _, old := range []struct {
		name, cookie string
		before       http.Handler
		from         core.Backend
	}{
		{"gorilla", "session", (&gorillaApp{store: files}).handler(), gorillastore.From(files, wrong)},
		{"scs", "session", (&scsApp{sessions: manager}).handler(), scsstore.From(manager, scsstore.Config{UserKey: "name"})},
		{"Fiber", "session_id", (&fiberSessionApp{store: fibers}).handler(), gorillastore.From(gorillastore.FiberV2(gorillastore.FiberConfig{Storage: fibers.Storage}), wrong)},
	} {
		t.Run(old.name, func(t *testing.T) {
			moving := core.Migrating(old.from, inMemory(t))
			m, err := core.New(moving, core.Config{Cookie: core.Cookie{Name: old.cookie}})
			if err != nil {
				t.Fatal(err)
			}
			b := loggedIn(t, old.before)
			show := func(w http.ResponseWriter, s *core.Session) { _, _ = fmt.Fprintln(w, s.UserID()) }
			b.handler = program(m, show)
			if got, stats := b.get("/"), moving.Stats(); got != "200" || stats.Moved != 1 || stats.Guests != 1 {
				t.Errorf("with the wrong key: %q, %+v", got, stats)
			}
			b.handler = program(m, func(w http.ResponseWriter, s *core.Session) {
				if u, ok := core.Pop[string](s, "user"); ok && s.UserID() == "" {
					s.Login(u)
				}
				show(w, s)
			})
			for range 2 {
				if got := b.get("/"); got != "200 ann" {
					t.Errorf("mended: %q", got)
				}
			}
		})
	}
}

// An application with two cookies has one session afterwards.
func TestTwoCookiesBecomeOneSession(t *testing.T) {
	for name, old := range map[string]sessions.Store{"cookies": gorillaStore(), "files": sessions.NewFilesystemStore(t.TempDir(), hashKey, blockKey)} {
		t.Run(name, func(t *testing.T) {
			config := keptConfig
			config.Cookie.Name = "auth"
			m, err := core.New(core.Migrating(gorillastore.From(old, gorillastore.FromConfig{UserKey: "user"}), inMemory(t)), config)
			if err != nil {
				t.Fatal(err)
			}
			var meanwhile func()
			after := httpadapter.Middleware(m)(keepPrefs(old, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s := httpadapter.Session(r)
				if f := meanwhile; f != nil {
					meanwhile = nil
					f()
				}
				if t := r.FormValue("theme"); t != "" {
					theme.Set(s, t)
				}
				t, _ := theme.Get(s)
				_, _ = fmt.Fprintln(w, s.UserID(), t, s.Flashes("notice"))
			})))
			both := func() browser {
				b := newBrowser(t, site{handler: gorillaProgram(old, "auth", func(s *sessions.Session) { s.Values["user"] = "ann" })})
				b.get("/")
				b.handler = gorillaProgram(old, "prefs", func(s *sessions.Session) {
					s.Values["theme"] = "dark"
					s.AddFlash("Moved.", "notice")
				})
				b.get("/")
				b.handler = after
				return b
			}
			b := both()
			if got := b.get("/"); got != "200 ann dark [{notice Moved.}]" {
				t.Errorf("the new application shows %q", got)
			}
			if got := b.get("/"); got != "200 ann dark []" {
				t.Errorf("then %q", got)
			}
			if c, err := b.Request(http.MethodGet, "/", nil).Cookie("prefs"); err == nil {
				t.Errorf("the second cookie is still there: %v", c)
			}

			// Six overlapping requests, then more with both old cookies.
			b = both()
			late := b.restarted()
			var send func(n int)
			send = func(n int) {
				if n > 1 {
					meanwhile = func() { send(n - 1) }
				}
				if got := b.get("/"); !strings.HasPrefix(got, "200 ann dark") {
					t.Errorf("request %d shows %q", n, got)
				}
			}
			send(6)
			if got := b.get("/?theme=light"); got != "200 ann light []" {
				t.Errorf("then it shows %q", got)
			}
			if got := late.get("/"); !strings.HasPrefix(got, "200 ann light") {
				t.Errorf("with both old cookies it shows %q", got)
			}
		})
	}
}

// What package gorillastore's tests see of programs that lack a type, in processes of their own.
func TestThePageHasTheWordsForTypes(t *testing.T) {
	for file, words := range map[string]string{
		"fromstore.go": "a value has a type that this program has not given to gob.Register",
		"sealer.go":    "a value has a type of which this program has another version",
	} {
		code, err := os.ReadFile("../../core/gorillastore/" + file)
		if err != nil {
			t.Fatal(err)
		}
		says(t, errors.New(string(code)), words)
	}
}
