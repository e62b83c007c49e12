package interop_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/faux"

	"github.com/satchel-go/satchel/core/gorillasessions"
)

// What the application shows before and after a login with goth's provider for tests, whose
// user has the ID "id" and no name.
const (
	nobody = `user="" visit="before" flashes=[] goth=0`
	hello  = `user="id" visit="before" flashes=[{success Welcome, .}] goth=0`
	known  = `user="id" visit="before" flashes=[] goth=0`
)

const callback = "/auth/callback?provider=faux"

// Goth's providers and store are globals, so no test here runs in parallel.
func TestGoth(t *testing.T) {
	goth.UseProviders(&faux.Provider{})
	t.Cleanup(goth.ClearProviders)
	for _, backend := range backends {
		for _, app := range gothApps {
			t.Run(app.name+"/"+backend.name, func(t *testing.T) {
				m := newManager(t, backend.open(t))
				gothic.Store = gorillasessions.NewStore(m)
				address := app.serve(t, m)
				t.Run("sign in", func(t *testing.T) { gothSignIn(newBrowser(t, address), strings.HasPrefix(app.name, "bare")) })
				t.Run("wrong state", func(t *testing.T) { gothWrongState(newBrowser(t, address)) })
				t.Run("no session", func(t *testing.T) { gothNoSession(newBrowser(t, address)) })
			})
		}
	}
}

func gothSignIn(b *browser, bare bool) {
	b.get("/visit")
	before := b.cookie()
	if before == "" {
		b.Fatal("no session")
	}
	// To the provider, back, and home.
	b.sees(b.begins(), hello)
	b.sees("/", known)
	b.sees("/", known)
	if !bare && b.cookie() == before {
		b.Error("I1: the token is the same before and after the login")
	}
	// The callback works once: goth has ended its session.
	b.forbidden(callback+"&state=y", "could not find a matching session")
	b.sees("/", known)
}

// begins starts a login, and returns where the provider sends the browser back to.
func (b *browser) begins() string {
	b.Helper()
	b.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer func() { b.http.CheckRedirect = nil }()
	res := b.send(b.url + "/auth?provider=faux")
	defer res.Body.Close() //nolint:errcheck // a redirect
	to, err := res.Location()
	if err != nil {
		b.Fatalf("%d: %v", res.StatusCode, err)
	}
	return callback + "&state=" + url.QueryEscape(to.Query().Get("state"))
}

func (b *browser) forbidden(path, says string) {
	b.Helper()
	if status, text := b.get(path); status != http.StatusForbidden || !strings.Contains(text, says) {
		b.Errorf("%d %s", status, text)
	}
}

// gothWrongState finishes a login that somebody else began.
func gothWrongState(b *browser) {
	b.get("/visit")
	b.begins()
	b.forbidden(callback+"&state=another", "state token mismatch")
	b.sees("/", nobody)
}

func gothNoSession(b *browser) {
	other := newBrowser(b.T, b.url) // without the cookies
	other.forbidden(b.begins(), "could not find a matching session")
}
