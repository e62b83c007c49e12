package gorillastore

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// testKey returns n bytes that are random enough and the same in every run.
func testKey(name string, n int) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:n]
}

func pair(name string) [][]byte {
	return [][]byte{testKey(name+" hash", 32), testKey(name+" block", 32)}
}

func pairs(names ...string) (all [][]byte) {
	for _, name := range names {
		all = append(all, pair(name)...)
	}
	return all
}

// cookieStore returns a CookieStore with the pairs of these names.
func cookieStore(names ...string) *sessions.CookieStore {
	return sessions.NewCookieStore(pairs(names...)...)
}

func testSealer(t testing.TB, names ...string) *sealer {
	t.Helper()
	s := newSealer(cookieStore(names...), CookieConfig{})
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return s
}

var scope = core.Scope{Name: "session", Purpose: "session"}

func seal(t testing.TB, s core.Sealer, r *core.Record) string {
	t.Helper()
	token, err := s.Seal(context.Background(), scope, r)
	if err != nil {
		t.Fatalf("Seal: %v", err)
	}
	return token
}

func open(s core.Sealer, token string) (*core.Record, error) {
	return s.Open(context.Background(), scope, token)
}

// aged returns token, which key authenticates, as if it had been written earlier.
func aged(t testing.TB, key []byte, token string, age time.Duration) string {
	t.Helper()
	raw, err := base64.URLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(string(raw), "|", 3)
	content := fmt.Sprintf("%d|%s", time.Now().Add(-age).Unix(), parts[1])
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(scope.Name + "|" + content))
	return base64.URLEncoding.EncodeToString(append([]byte(content+"|"), mac.Sum(nil)...))
}

// testRecord has one of each kind of value and flash, all fields set.
func testRecord(t testing.TB) *core.Record {
	t.Helper()
	now := time.UnixMilli(1_900_000_000_123)
	r := &core.Record{
		ID: core.ID(testKey("id", 16)), User: "u-17", Label: "Firefox", CreatedAt: now.Add(-time.Hour), AuthenticatedAt: now.Add(-time.Minute),
		SavedAt: now, Deadline: now.Add(12 * time.Hour), Expires: now.Add(30 * time.Minute), Remembered: true,
	}
	values := map[string][]byte{}
	for key, v := range map[string]any{
		"int": 42, "negative": int64(-7), "big": uint64(1 << 63), "text": "grüße", "empty": "", "float": 2.5, "whole": 3.0, "yes": true, "nil": nil,
		"blob": []byte{1, 2, 3}, "noblob": []byte{}, "marked": []byte{0xd9, 0xd9, 0xf7, 1}, "list": []string{"a", "b"},
		"map": map[string]int{"a": 1}, "time": now, headerKey: "mine", flashKey: "mine too", "": "empty key",
	} {
		raw, err := core.CBOR().Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		values[key] = raw
	}
	return r.WithContent(maps.All(values), slices.Values([]core.StoredFlash{
		{Number: 4, Payload: []byte("plain")},
		{Number: 5, Kind: "error", Payload: []byte("kind"), Expires: now.Add(time.Hour)},
		{Number: 6, Kind: "form", Typed: true, Payload: []byte{0x01}},
		{Number: 7, Payload: []byte("plain"), Expires: now.Add(2 * time.Hour)},
	}))
}

// dump is everything in a record, in one text.
func dump(r *core.Record) string {
	c := r.WithContent(nil, nil)
	head, err := c.MarshalBinary()
	if err != nil {
		return err.Error()
	}
	values := maps.Collect(r.Values())
	var b strings.Builder
	fmt.Fprintf(&b, "%x\n", head)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&b, "%q=%x\n", key, values[key])
	}
	for f := range r.StoredFlashes() {
		fmt.Fprintf(&b, "%d %q %v %d %q\n", f.Number, f.Kind, f.Typed, f.Expires.UnixMilli(), f.Payload)
	}
	return b.String()
}

// site is an application with one handler a request.
type site struct {
	t       *testing.T
	m       *core.Manager
	now     time.Time
	mu      sync.Mutex // guards events
	events  []core.Event
	cookies map[string]string
	last    []*http.Cookie // what the last response set
}

func newSite(t *testing.T, backend core.Backend, edit func(*core.Config)) *site {
	t.Helper()
	s := &site{t: t, now: time.Now(), cookies: map[string]string{}}
	c := core.Config{Now: func() time.Time { return s.now }, Observer: func(_ context.Context, e core.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
	}}
	c.Cookie.Name = "session"
	if edit != nil {
		edit(&c)
	}
	m, err := core.New(backend, c)
	if err != nil {
		t.Fatal(err)
	}
	s.m = m
	return s
}

// do serves one request, and keeps cookies as a browser does.
func (s *site) do(handle func(*core.Session)) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "https://example.com/", nil)
	for name, value := range s.cookies {
		r.Header.Add("Cookie", name+"="+value)
	}
	w := httptest.NewRecorder()
	httpadapter.Middleware(s.m)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		handle(httpadapter.Session(r))
	})).ServeHTTP(w, r)
	s.keep(w)
	return w
}

func (s *site) keep(w *httptest.ResponseRecorder) {
	s.last = w.Result().Cookies()
	for _, c := range s.last {
		if c.MaxAge < 0 {
			delete(s.cookies, c.Name)
		} else {
			s.cookies[c.Name] = c.Value
		}
	}
}

// gorilla serves one request of a program that uses store directly.
func (s *site) gorilla(store sessions.Store, handle func(*sessions.Session)) {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "https://example.com/", nil)
	for name, value := range s.cookies {
		r.Header.Add("Cookie", name+"="+value)
	}
	session, err := store.Get(r, "session")
	if err != nil {
		s.t.Fatalf("gorilla: %v", err)
	}
	handle(session)
	w := httptest.NewRecorder()
	if err := session.Save(r, w); err != nil {
		s.t.Fatalf("gorilla: save: %v", err)
	}
	s.keep(w)
}
