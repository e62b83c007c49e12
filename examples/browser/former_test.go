package browser

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/examples/internal/chromium"
)

// TestL2FormerCookies changes the cookie of an application that a browser is logged
// in to. Without Cookie.Former that locks the browser out; with it, it does not, or
// no longer.
func TestL2FormerCookies(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	if _, err := chromium.Find(); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]struct{ was, is core.Cookie }{
		"Domain":      {core.Cookie{Name: "s"}, core.Cookie{Name: "s", Domain: "app.localhost"}},
		"Path":        {core.Cookie{Name: "s", Path: "/app"}, core.Cookie{Name: "s"}},
		"Partitioned": {core.Cookie{Name: "s", SameSite: core.SameSiteNone}, core.Cookie{Name: "s", SameSite: core.SameSiteNone, Partitioned: true}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			a := newApplication(t)
			with := change.is
			with.Former = []core.Cookie{change.was}

			locked := newTab(t, a.url)
			a.deploy(change.was)
			locked.logsIn("ann")
			a.deploy(change.is)
			for range 2 {
				locked.loads("/app/login?user=ann")
				if locked.loads("/app/"); locked.text() != "user" || locked.cookies() != 2 {
					t.Fatalf("the change locks nobody out: %q, %d cookies", locked.text(), locked.cookies())
				}
			}
			a.deploy(with)
			locked.loads("/app/")
			locked.logsIn("ben")

			ready := newTab(t, a.url)
			a.deploy(change.was)
			ready.logsIn("ann")
			a.deploy(with)
			ready.loads("/app/")
			ready.sees("user ann")
			ready.logsIn("ben")
			ready.loads("/app/logout")
			if n := ready.cookies(); n != 0 {
				t.Errorf("%d cookies are left after the logout", n)
			}
		})
	}
}

// application is a small one whose cookie can be changed while it runs.
type application struct {
	*testing.T
	store core.Store
	now   atomic.Pointer[http.Handler]
	url   string
}

func newApplication(t *testing.T) *application {
	store := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = store.Close() })
	a := &application{T: t, store: store}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*a.now.Load()).ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	a.url = "http://www.app.localhost:" + at.Port() // whose cookies may be Secure
	return a
}

func (a *application) deploy(c core.Cookie) {
	a.Helper()
	sessions, err := core.New(core.ServerSide(a.store), core.Config{Cookie: c, Observer: func(context.Context, core.Event) {}})
	if err != nil {
		a.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /app/login", func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Login(r.FormValue("user"))
	})
	mux.HandleFunc("GET /app/logout", func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Logout() })
	mux.HandleFunc("GET /app/{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "user "+httpadapter.Session(r).UserID())
	})
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	handler := httpadapter.Middleware(sessions)(mux)
	a.now.Store(&handler)
}

func (b *tab) loads(path string) { b.Helper(); b.load(chromedp.Navigate(b.base + path)) }

func (b *tab) logsIn(user string) {
	b.Helper()
	b.loads("/app/login?user=" + user)
	b.loads("/app/")
	b.sees("user " + user)
	if n := b.cookies(); n != 1 {
		b.Errorf("%d cookies after a login, want one", n)
	}
}

// cookies returns how many cookies a request to /app would carry.
func (b *tab) cookies() int {
	b.Helper()
	return len(call(b, network.GetCookies, network.GetCookiesParams{URLs: []string{b.base + "/app/"}}).Cookies)
}
