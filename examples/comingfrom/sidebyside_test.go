package comingfrom_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

// mount mounts the pages that every application here has, in this order.
func mount[H any](add func(method, path string, h H), home, setTheme, addToCart, login, logout, moved, failing, slow, keys H) {
	for _, page := range []struct {
		method, path string
		h            H
	}{
		{http.MethodGet, "/", home},
		{http.MethodPost, "/theme", setTheme},
		{http.MethodPost, "/cart", addToCart},
		{http.MethodPost, "/login", login},
		{http.MethodPost, "/logout", logout},
		{http.MethodGet, "/moved", moved},
		{http.MethodPost, "/failing", failing},
		{http.MethodPost, "/slow", slow},
		{http.MethodGet, "/keys", keys},
	} {
		add(page.method, page.path, page.h)
	}
}

// probe lets a test do something in the middle of a request.
type probe struct{ meanwhile func() }

// wait is called by handlers that have loaded their session but not saved it yet.
func (p *probe) wait() {
	f := p.meanwhile
	p.meanwhile = nil
	if f != nil {
		f()
	}
}

// site is an application under test.
type site struct {
	handler http.Handler
	probe   *probe
	outage  func(down bool) // of its store; nil if there cannot be one
}

// newSite returns a new application, with sessions in memory.
func newSite(t *testing.T, app func(*core.Manager) (http.Handler, *probe)) site {
	t.Helper()
	memory := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = memory.Close() })
	store := &adapterunit.Store{Store: memory}
	m, err := core.New(core.ServerSide(store), core.Config{
		InsecureAllowHTTP: true,
		Observer:          func(context.Context, core.Event) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, p := app(m)
	return site{handler, p, store.Down.Store}
}

// browser is a client of one site.
type browser struct {
	*sessiontest.Client
	t *testing.T
	site
	set map[string]*http.Cookie // as they were set last, with their end in Expires
}

func newBrowser(t *testing.T, s site) browser {
	t.Helper()
	return browser{sessiontest.New(t).Visitor(), t, s, map[string]*http.Cookie{}}
}

func (b browser) get(path string) string { return b.do(b.Request(http.MethodGet, path, nil)) }

func (b browser) post(path string, form ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	return b.do(b.Form(path, values))
}

// do returns the status and what is in the body.
func (b browser) do(r *http.Request) string {
	b.t.Helper()
	res := b.Do(b.handler, r)
	for _, c := range res.Cookies() {
		if c.MaxAge != 0 {
			c.Expires = time.Now().Add(time.Duration(c.MaxAge) * time.Second)
		}
		b.set[c.Name] = c
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.TrimSpace(res.Status[:3] + " " + strings.Join(strings.Fields(string(body)), " "))
}

// restarted returns the browser with the cookies that outlive it.
func (b browser) restarted() browser {
	fresh, header := newBrowser(b.t, b.site), http.Header{}
	for name, c := range b.set {
		if c.Expires.After(time.Now()) {
			fresh.set[name] = c
			header.Add("Set-Cookie", (&http.Cookie{Name: name, Value: c.Value, Path: "/"}).String())
		}
	}
	fresh.Receive(&http.Response{Header: header})
	return fresh
}

// A scenario is something that happens to every application. It returns what
// the application shows at the end.
type scenario func(t *testing.T, s site) string

// failing: a handler changes a value, and answers with 500.
func failing(t *testing.T, s site) string {
	b := newBrowser(t, s)
	b.post("/theme", "theme", "light")
	b.get("/") // shows the flash
	b.post("/failing", "theme", "dark")
	return b.get("/")
}

// flashOnItsWay: a page that redirects reads the flashes.
func flashOnItsWay(t *testing.T, s site) string {
	b := newBrowser(t, s)
	b.post("/theme", "theme", "dark")
	b.get("/moved")
	return b.get("/")
}

// overlapping: two requests of one client set a value each.
func overlapping(t *testing.T, s site) string {
	b := newBrowser(t, s)
	b.post("/theme", "theme", "dark")
	b.get("/")
	s.probe.meanwhile = func() { b.post("/slow", "key", "b") }
	b.post("/slow", "key", "a")
	return b.get("/keys")
}

// logoutMeanwhile: a request is in flight while another one logs out. Then
// somebody uses the cookie from before.
func logoutMeanwhile(t *testing.T, s site) string {
	b := newBrowser(t, s)
	b.post("/login", "user", "ann")
	copied := b.Request(http.MethodGet, "/", nil)
	s.probe.meanwhile = func() { b.post("/logout") }
	b.post("/slow", "key", "a")
	return newBrowser(t, s).do(copied)
}

// logout: somebody who has copied the cookie uses it after the logout.
func logout(t *testing.T, s site) string {
	b := newBrowser(t, s)
	b.post("/login", "user", "ann")
	copied := b.Request(http.MethodGet, "/", nil)
	b.post("/logout")
	return newBrowser(t, s).do(copied)
}

// login: somebody who knows the cookie from before the login uses it after it.
func login(t *testing.T, s site) string {
	b := newBrowser(t, s)
	b.post("/theme", "theme", "dark")
	b.get("/")
	known := b.Request(http.MethodGet, "/", nil)
	b.post("/login", "user", "ann")
	return newBrowser(t, s).do(known)
}

// outage: what a page shows of a session while the store is down, and after that.
func outage(t *testing.T, s site) string {
	b := newBrowser(t, s)
	b.post("/slow", "key", "a")
	s.outage(true)
	during := b.get("/keys")
	s.outage(false)
	return during + ", " + b.get("/keys")
}

// ownType: a handler stores a value of one of the application's types.
func ownType(t *testing.T, s site) string {
	return newBrowser(t, s).post("/cart", "item", "tea")[:3]
}

// difference is a scenario and what the old and the new application show.
type difference struct {
	name     string
	scenario scenario
	old, now string
}

// compare runs each scenario on a fresh old and a fresh new application.
func compare(t *testing.T, before, after func(t *testing.T) site, differences []difference) {
	t.Helper()
	for _, d := range differences {
		t.Run(d.name, func(t *testing.T) {
			if got := d.scenario(t, before(t)); got != d.old {
				t.Errorf("before: %q, want %q", got, d.old)
			}
			if got := d.scenario(t, after(t)); got != d.now {
				t.Errorf("after: %q, want %q", got, d.now)
			}
		})
	}
}
