package browser

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/examples/internal/chromium"
)

// overlap loads a page, logs in while that is under way, and says whose pages follow.
const overlap = `<p>waiting</p><script>
const post = path => fetch(path, {method: "POST"})
const text = async path => (await fetch(path)).text()
onload = async () => {
	await post("/visit")
	await post("/age")
	const slow = fetch("/slow")
	await post("/began")
	await post("/login")
	await post("/release")
	await slow
	document.body.innerText = "done: " + await text("/who") + ", " + await text("/who")
}
</script>`

// TestL4HybridLoginDuringAPage: Chromium gets the answer to a login, and then the copy of a page
// that began before. The login stays, and the copy is not used.
func TestL4HybridLoginDuringAPage(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	if _, err := chromium.Find(); err != nil {
		t.Fatal(err)
	}
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	var later atomic.Int64 // by how much the server's clock is ahead
	var copied atomic.Bool // the last load was from a copy
	store := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = store.Close() })
	m, err := core.New(core.Hybrid(sealed.Cookie(keys), store, time.Minute), core.Config{
		InsecureAllowHTTP: true,
		Now:               func() time.Time { return time.Now().Add(time.Duration(later.Load())) },
		Observer: func(_ context.Context, e core.Event) {
			if e.Kind == core.EventLoaded {
				copied.Store(e.Detail != "")
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	began, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, overlap) })
	mux.HandleFunc("POST /visit", func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Set("k", "v") })
	mux.HandleFunc("POST /age", func(http.ResponseWriter, *http.Request) { later.Add(int64(time.Minute)) })
	mux.HandleFunc("GET /slow", func(_ http.ResponseWriter, r *http.Request) {
		_ = httpadapter.Session(r).UserID()
		close(began)
		<-release
	})
	mux.HandleFunc("POST /began", func(http.ResponseWriter, *http.Request) { <-began })
	mux.HandleFunc("POST /release", func(http.ResponseWriter, *http.Request) { close(release) })
	mux.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Login("ann") })
	mux.HandleFunc("GET /who", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, httpadapter.Session(r).UserID()+map[bool]string{true: " from a copy"}[copied.Load()])
	})
	mux.HandleFunc("POST /logout", func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Logout() })
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	handler, slowSets := httpadapter.Middleware(m)(mux), make(chan []string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handler.ServeHTTP(w, r); r.URL.Path == "/slow" {
			slowSets <- w.Header().Values("Set-Cookie")
		}
	}))
	t.Cleanup(server.Close)

	b := newTab(t, server.URL)
	b.load(chromedp.Navigate(server.URL + "/"))
	b.waitFor("done: ann, ann from a copy")
	if lines := <-slowSets; len(lines) != 1 || !strings.HasPrefix(lines[0], "session-copy=1") {
		t.Errorf("the page that began before sets %q, want a copy: nothing was tried", lines)
	}
	if n := b.cookies(); n != 2 {
		t.Errorf("the browser has %d cookies, want the token and the copy", n)
	}
	run(b, chromedp.Evaluate[bool](`fetch("/logout", {method: "POST"}).then(() => document.body.innerText = "out"), true`))
	b.waitFor("out")
	if n := b.cookies(); n != 0 {
		t.Errorf("SEC15: %d cookies are left after the logout", n)
	}
}
