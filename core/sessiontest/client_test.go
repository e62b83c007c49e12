package sessiontest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sessiontest"
)

// sent returns the cookies that the client's next request carries.
func sent(c *sessiontest.Client) string { return c.Request("GET", "/", nil).Header.Get("Cookie") }

// The client keeps a cookie as long as a browser would.
func TestCookiesAreKeptAsByABrowser(t *testing.T) {
	day := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, test := range map[string]struct {
		set   http.Cookie
		after time.Duration
		kept  bool
	}{
		"with the browser": {http.Cookie{Value: "v"}, 1000 * time.Hour, true},
		"Max-Age":          {http.Cookie{Value: "v", MaxAge: 60}, 59 * time.Second, true},
		"Max-Age is over":  {http.Cookie{Value: "v", MaxAge: 60}, 60 * time.Second, false},
		"Max-Age wins":     {http.Cookie{Value: "v", MaxAge: 60, Expires: day.Add(-time.Hour)}, time.Second, true},
		"Expires":          {http.Cookie{Value: "v", Expires: day.Add(time.Hour)}, 59 * time.Minute, true},
		"Expires is over":  {http.Cookie{Value: "v", Expires: day.Add(time.Hour)}, time.Hour, false},
		"Expires long ago": {http.Cookie{Value: "v", Expires: day.Add(-time.Hour)}, 0, false},
		"deleted":          {http.Cookie{Value: "v", MaxAge: -1}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			st := sessiontest.New(t, func(c *core.Config) { c.Now = func() time.Time { return day } })
			c := st.Visitor()
			for _, k := range []http.Cookie{{Value: "old"}, test.set} {
				k.Name = "k"
				w := httptest.NewRecorder()
				http.SetCookie(w, &k)
				c.Receive(w.Result())
			}
			st.Advance(test.after)
			want := ""
			if test.kept {
				want = "k=v"
			}
			if got := sent(c); got != want {
				t.Errorf("sends %q, want %q", got, want)
			}
		})
	}
}

// Every way to make a request sends the client's cookies once, and keeps those
// of the response.
func TestCookiesOfARequest(t *testing.T) {
	st := sessiontest.New(t)
	var got string
	h := app(st, map[string]func(*core.Session, http.ResponseWriter, *http.Request){
		"/": func(s *core.Session, _ http.ResponseWriter, r *http.Request) {
			got = fmt.Sprint(s.UserID(), len(r.Cookies()))
			visits.Update(s, func(n int) int { return n + 1 })
		},
	})
	alice := st.Login("alice")
	alice.Do(h, alice.Request("GET", "/", nil))
	if got != "alice1" {
		t.Errorf("a request of the client's: %s", got)
	}
	alice.Do(h, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	if got != "alice1" {
		t.Errorf("another request: %s", got)
	}
	own := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	name, _, _ := strings.Cut(sent(alice), "=")
	own.AddCookie(&http.Cookie{Name: name, Value: "of its own"})
	alice.Do(h, own)
	if got != "1" {
		t.Errorf("a request with a session cookie of its own: %s", got)
	}
	visitor := st.Visitor()
	sessiontest.DoFiber(visitor, fiberLike{t, h}, visitor.Request("GET", "/", nil))
	sessiontest.DoFiber(visitor, fiberLike{t, h}, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	sessiontest.Want(visitor, visits, 2)
	wants(t, failed(t, func(tb testing.TB) {
		c := sessiontest.New(tb).Visitor()
		sessiontest.DoFiber(c, fiberLike{t, nil}, c.Request("GET", "/lost", nil))
		tb.Errorf("the test went on")
	}), "sessiontest: the visitor: GET /lost: no handler")
}

// fiberLike has the Test method of a Fiber application.
type fiberLike struct {
	t *testing.T
	h http.Handler
}

func (a fiberLike) Test(r *http.Request, msTimeout ...int) (*http.Response, error) {
	if len(msTimeout) != 1 || msTimeout[0] != -1 {
		a.t.Errorf("a timeout of %v: a slow machine would fail the test", msTimeout)
	}
	if a.h == nil {
		return nil, errors.New("no handler")
	}
	w := httptest.NewRecorder()
	a.h.ServeHTTP(w, r)
	return w.Result(), nil
}

// Changes made through Session are stored before the client does anything else.
func TestSessionIsStoredByWhateverComesNext(t *testing.T) {
	for name, next := range map[string]func(c *sessiontest.Client, h http.Handler){
		"request": func(c *sessiontest.Client, h http.Handler) {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			c.Do(h, r)
		},
		"apply": func(c *sessiontest.Client, _ http.Handler) {
			c.Apply(httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
		},
		"session": func(c *sessiontest.Client, _ http.Handler) { c.Session() },
		"jar":     func(c *sessiontest.Client, _ http.Handler) { c.Jar().Cookies(nil) },
		"end":     func(c *sessiontest.Client, _ http.Handler) { c.End(204) },
		"look":    func(c *sessiontest.Client, _ http.Handler) { c.WantUser("alice") },
	} {
		t.Run(name, func(t *testing.T) {
			st := sessiontest.New(t)
			h := app(st, map[string]func(*core.Session, http.ResponseWriter, *http.Request){
				"/": func(s *core.Session, _ http.ResponseWriter, _ *http.Request) {
					if n, _ := visits.Get(s); n != 7 {
						t.Errorf("the handler finds %d", n)
					}
				},
			})
			alice := st.Login("alice")
			visits.Set(alice.Session(), 7)
			next(alice, h)
			list, err := st.Manager.List(t.Context(), "alice")
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			if err := st.Manager.View(t.Context(), list[0].ID, func(s *core.Session) error {
				if n, _ := visits.Get(s); n != 7 {
					t.Errorf("%d is stored", n)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

// downStore cannot be reached.
type downStore struct{ core.Store }

func (downStore) Load(context.Context, core.ID) (core.Entry, error) {
	return core.Entry{}, errors.New("connection refused")
}

func TestUnavailableBackendFailsTheTest(t *testing.T) {
	store := memstore.New(memstore.Config{})
	defer func() { _ = store.Close() }() // it never fails
	wants(t, failed(t, func(tb testing.TB) {
		alice := sessiontest.NewOn(tb, core.ServerSide(downStore{store})).Login("alice")
		alice.WantAnonymous()
		tb.Errorf("the test went on")
	}), "sessiontest: alice: the session could not be loaded", "connection refused")
	if store.Len() != 1 {
		t.Errorf("%d sessions are stored", store.Len())
	}
}
