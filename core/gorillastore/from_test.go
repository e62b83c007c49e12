package gorillastore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

// began returns a site on store with a session that has k=v.
func began(t *testing.T, backend core.Backend) *site {
	t.Helper()
	s := newSite(t, backend, nil)
	s.do(func(x *core.Session) { x.Set("k", "v") })
	return s
}

// has checks what the session has under k; "" for no session.
func (s *site) has(want string) {
	s.t.Helper()
	s.do(func(x *core.Session) {
		if got, _ := core.Get[string](x, "k"); got != want || x.IsNew() != (want == "") {
			s.t.Errorf("k is %q, new %v, want %q", got, x.IsNew(), want)
		}
	})
}

// said returns everything that events say.
func (s *site) said() string {
	var b strings.Builder
	for _, e := range s.events {
		fmt.Fprintf(&b, "%v %+v %#v %v\n", e, e, e, e.Err)
	}
	return b.String()
}

// counts returns how many events there were of a kind and reason.
func (s *site) counts(kind core.EventKind, reason core.Reason) (n int) {
	for _, e := range s.events {
		if e.Kind == kind && e.Reason == reason {
			n++
		}
	}
	return n
}

func TestL3FromTellsAbsentFromUnavailable(t *testing.T) {
	decode := securecookie.New(testKey("h", 32), nil).Decode("session", "nonsense", new(string))
	usage := securecookie.New(nil, nil).Decode("session", "nonsense", new(string))
	for _, c := range []struct {
		name string
		err  error
		want string // an event's kind and reason
	}{
		{"no row", fmt.Errorf("sessions: %w", sql.ErrNoRows), "rejected unknown"},
		{"no file", &fs.PathError{Op: "open", Path: filepath.Join(t.TempDir(), "session_X"), Err: fs.ErrNotExist}, "rejected unknown"},
		{"no directory", &fs.PathError{Op: "open", Path: filepath.Join(t.TempDir(), "gone", "session_X"), Err: fs.ErrNotExist}, "unavailable "},
		{"no right", &fs.PathError{Op: "open", Path: filepath.Join(t.TempDir(), "session_X"), Err: fs.ErrPermission}, "unavailable "},
		{"content of another key", securecookie.MultiError{decode}, "rejected corrupt"},
		{"no keys", usage, "unavailable "},
		{"no key for some", securecookie.MultiError{decode, usage}, "unavailable "},
		{"the connection ends", io.EOF, "unavailable "},
		{"time is over", context.DeadlineExceeded, "unavailable "},
		{"of the store's own", errOwn, "rejected unknown"},
		{"unknown", errors.New("boom"), "unavailable "},
		{"a type that is not registered", errors.New(`gob: name not registered for interface: "main.T"`), "unavailable "},
	} {
		store := newMemory(t)
		s := began(t, From(store, FromConfig{Absent: func(err error) bool { return errors.Is(err, errOwn) }}))
		s.events = nil
		store.fail = func(op, id string) error {
			if op == "new" && id != "" {
				return c.err
			}
			return nil
		}
		handled := false
		w := s.do(func(x *core.Session) {
			handled = true
			if !x.IsNew() {
				t.Errorf("%s: there is a session", c.name)
			}
		})
		if len(s.events) == 0 || fmt.Sprint(s.events[0].Kind, " ", s.events[0].Reason) != c.want {
			t.Errorf("%s: events %v, want %s", c.name, s.events, c.want)
		}
		if down := strings.HasPrefix(c.want, "unavailable"); handled == down || down != (w.Code == 503) || len(s.last) != 0 {
			t.Errorf("%s: handled %v, status %d, cookies %v", c.name, handled, w.Code, s.last)
		}
		store.fail = nil
		s.has("v")
	}
}

var errOwn = errors.New("the store's own way to say no")

func TestL3FromWhenTheStoreFailsToSave(t *testing.T) {
	for _, op := range []string{"save", "delete"} {
		store := newMemory(t)
		s := began(t, From(store, FromConfig{}))
		before := maps.Clone(s.cookies)
		store.fail = func(did, id string) error {
			if did == op && (op == "save" || id == "memory-00000001") {
				return fmt.Errorf("cannot %s session:%s", did, id)
			}
			return nil
		}
		for _, handle := range []func(x *core.Session){
			func(x *core.Session) { x.Login("u") },
			func(x *core.Session) { x.Renew() },
			func(x *core.Session) {
				if op == "save" {
					x.Set("k", "x")
				} else {
					x.Logout()
				}
			},
		} {
			if w := s.do(handle); w.Code != 503 || len(s.last) != 0 {
				t.Errorf("%s fails: status %d, cookies %v", op, w.Code, s.last)
			}
		}
		store.fail = nil
		if !maps.Equal(s.cookies, before) {
			t.Errorf("%s fails: the cookie has changed", op)
		}
		s.has("v")
		s.do(func(x *core.Session) {
			if x.UserID() != "" {
				t.Errorf("%s fails: the user is logged in", op)
			}
		})
		if ids := store.ids(); len(ids) != 1 {
			t.Errorf("%s fails: sessions that nobody has: %v", op, ids)
		}
		if said := s.said(); strings.Contains(said, before["session"]) || !strings.Contains(said, "cannot "+op) {
			t.Errorf("E1: an event names the token, or not the failure: %s", said)
		}
	}
}

// A store that does not delete would leave a user logged in who reads "signed out".
func TestK2FromNoticesAStoreThatDoesNotDelete(t *testing.T) {
	store := newMemory(t)
	s := began(t, From(keeping{store}, FromConfig{}))
	if w := s.do(func(x *core.Session) { x.Logout() }); w.Code != 503 {
		t.Errorf("status %d", w.Code)
	}
	s.has("v")
}

// keeping is a store that ignores a MaxAge below zero.
type keeping struct{ *memory }

func (k keeping) Save(r *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	if s.Options.MaxAge < 0 {
		return nil
	}
	return k.memory.Save(r, w, s)
}

func TestSEC6FromAsksTheStoreForNothingOdd(t *testing.T) {
	store := newMemory(t)
	s := newSite(t, From(store, FromConfig{}), nil)
	for _, token := range []string{
		"../../etc/passwd", "..", ".hidden", "a/b", `a\b`, "a b", `"quoted"`, "a,b", "{}", "%2e%2e", "ü", "a\x00b", strings.Repeat("A", 4097), "a*", "a'b", "a(b)",
	} {
		s.cookies = map[string]string{"session": token}
		s.do(func(x *core.Session) {
			if !x.IsNew() {
				t.Errorf("%q is a session", token)
			}
		})
	}
	if len(store.asked) != 0 {
		t.Errorf("the store was asked for %q", store.asked)
	}
	b := From(store, FromConfig{Token: func(token string) bool { return strings.Contains(token, "a/b") }})
	for _, token := range []string{"a/b", `"a/b"`} { // of the quoted one, the store would see what is inside
		if _, err := b.Load(t.Context(), scope, core.Tokens{Session: token}); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%q: %v", token, err)
		}
	}
	if !slices.Equal(store.asked, []string{"a/b"}) {
		t.Errorf("with a Token of its own, the store was asked for %q", store.asked)
	}
}

// The files' names come from IDs, which come from cookies that are signed.
func TestSEC6FromTakesNoPathFromACookie(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(dir, "session_outside")
	s := began(t, From(newFiles(t, filepath.Join(dir, "in")), FromConfig{}))
	if s.m != nil && len(s.cookies) != 0 {
		t.Fatal("a store without its directory has saved")
	}
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.do(func(x *core.Session) { x.Set("k", "v") })
	s.has("v")
	files, err := filepath.Glob(filepath.Join(dir, "in", "session_*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files: %v, %v", files, err)
	}
	if err := os.Rename(files[0], outside); err != nil {
		t.Fatal(err)
	}
	signer := securecookie.New(testKey("not the store's", 32), nil)
	for _, id := range []string{"../session_outside", "outside", "../../etc/passwd"} {
		token, err := signer.Encode("session", id)
		if err != nil {
			t.Fatal(err)
		}
		s.cookies["session"] = token
		s.has("")
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}

func TestC7I1FromOptionsOfTheStoreDoNotLeak(t *testing.T) {
	store := newMemory(t)
	shared := *store.options
	store.options.Domain, store.options.SameSite = "example.org", http.SameSiteNoneMode
	s := began(t, From(store, FromConfig{}))
	if len(s.last) != 1 {
		t.Fatalf("cookies: %v", s.last)
	}
	if c := s.last[0]; c.Domain != "" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 0 {
		t.Errorf("the cookie is %v", c)
	}
	s.do(func(x *core.Session) { x.Login("u"); x.Remember(true) })
	s.do(func(x *core.Session) { x.SetTimeouts(1500*time.Millisecond, time.Hour) })
	s.do(func(x *core.Session) { x.Logout() })
	var ages []int
	for _, o := range store.saved {
		ages = append(ages, o.MaxAge)
	}
	want := []int{1860, 14*24*3600 + 60, -1, 62, -1}
	if !slices.Equal(ages, want) {
		t.Errorf("the store was told to keep sessions for %v seconds, want %v", ages, want)
	}
	if store.options.MaxAge != shared.MaxAge {
		t.Error("the store's own Options have changed")
	}
}

// Many stores know of no deadlines.
func TestL3FromWaitsNoLongerThanTheConfigSays(t *testing.T) {
	store := newMemory(t)
	release := make(chan struct{})
	var hang atomic.Value // the operation that hangs
	hang.Store("")
	// The store is asked for it, and does not answer, before it does anything.
	slow := hanging{store, func(op string) {
		if hang.Load() == op {
			<-release
		}
	}}
	s := newSite(t, From(slow, FromConfig{}), func(c *core.Config) { c.LoadTimeout, c.CommitTimeout = 50*time.Millisecond, 50*time.Millisecond })
	s.do(func(x *core.Session) { x.Set("k", "v") })
	hang.Store("new")
	if w := s.do(func(*core.Session) { t.Error("the handler runs") }); w.Code != 503 {
		t.Errorf("status %d", w.Code)
	}
	hang.Store("")
	w := s.do(func(x *core.Session) {
		core.Get[string](x, "k")
		hang.Store("save")
		x.Set("k", "late")
	})
	if w.Code != 503 {
		t.Errorf("status %d", w.Code)
	}
	// That save may still come: a logout must not come before it.
	hang.Store("")
	if w := s.do(func(x *core.Session) { x.Logout() }); w.Code != 503 {
		t.Errorf("K2: a logout overtakes a save, status %d", w.Code)
	}
	close(release)
	for deadline := time.Now().Add(10 * time.Second); len(s.cookies) > 0; {
		s.do(func(x *core.Session) { x.Logout() })
		if time.Now().After(deadline) {
			t.Fatal("the session stays locked")
		}
	}
	if ids := store.ids(); len(ids) != 0 {
		t.Errorf("K2: %v is back", ids)
	}
}

// hanging is a store that calls before whatever it does with a session.
type hanging struct {
	*memory
	before func(op string)
}

func (h hanging) New(r *http.Request, name string) (*sessions.Session, error) {
	h.before("new")
	return h.memory.New(r, name)
}

func (h hanging) Save(r *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	h.before("save")
	return h.memory.Save(r, w, s)
}

func TestL3FromStoreThatPanics(t *testing.T) {
	store := newMemory(t)
	s := began(t, From(store, FromConfig{}))
	store.fail = func(string, string) error { panic("nil map") }
	if w := s.do(func(*core.Session) {}); w.Code != 503 || !strings.Contains(s.said(), "panicked: nil map") {
		t.Errorf("status %d, %s", w.Code, s.said())
	}
}

// A store that has stopped answering is not asked without end: each question
// keeps a goroutine and its request.
func TestL3FromAsksABoundedNumberOfTimes(t *testing.T) {
	release := make(chan struct{})
	var asked atomic.Int64
	store := hanging{newMemory(t), func(string) {
		asked.Add(1)
		<-release
	}}
	s := newSite(t, From(store, FromConfig{}), func(c *core.Config) { c.LoadTimeout = 300 * time.Millisecond })
	site := httpadapter.Middleware(s.m)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler runs") }))
	var wg sync.WaitGroup
	for i := range inplace.MaxCalls + 100 {
		wg.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header.Set("Cookie", fmt.Sprint("session=token", i))
			w := httptest.NewRecorder()
			site.ServeHTTP(w, r)
			if w.Code != 503 {
				t.Errorf("status %d", w.Code)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n == 0 || n > inplace.MaxCalls {
		t.Errorf("the store was asked %d times, want at most %d", n, inplace.MaxCalls)
	}
	close(release)
	s.cookies["session"] = "token"
	if w := s.do(func(*core.Session) {}); w.Code != 200 {
		t.Errorf("afterwards: status %d", w.Code)
	}
}

// A header is no cookie: gorilla's stores could neither read nor write it.
func TestFromRefusesHeaders(t *testing.T) {
	_, err := core.New(From(sessions.NewFilesystemStore(t.TempDir(), []byte("k")), FromConfig{}), core.Config{Carrier: core.Bearer})
	if !errors.Is(err, core.ErrUnsupported) || !strings.Contains(err.Error(), "Config.Carrier is Authorization") {
		t.Errorf("New says %v", err)
	}
}
