package interop_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/openidConnect"

	"github.com/satchel-go/satchel/core/gorillasessions"
)

const (
	nobody = `user="" visit="before" flashes=[] goth=0`
	hello  = `user="ada" visit="before" flashes=[{success Welcome, Ada Lovelace.}] goth=0`
	ada    = `user="ada" visit="before" flashes=[] goth=0`
)

// Goth's providers and store are globals, so no test here runs in parallel.
func TestGoth(t *testing.T) {
	idp := newProvider(t)
	for _, backend := range backends {
		for _, app := range gothApps {
			t.Run(app.name+"/"+backend.name, func(t *testing.T) {
				m := newManager(t, backend.open(t))
				gothic.Store = gorillasessions.NewStore(m)
				address := app.serve(t, m)
				p, err := openidConnect.New(clientID, clientSecret, address+"/auth/callback?provider=openid-connect",
					idp.URL+"/.well-known/openid-configuration")
				if err != nil {
					t.Fatal(err)
				}
				goth.UseProviders(p)
				t.Cleanup(goth.ClearProviders)
				t.Run("sign in", func(t *testing.T) { gothSignIn(newBrowser(t, address), strings.HasPrefix(app.name, "bare")) })
				t.Run("wrong state", func(t *testing.T) { gothWrongState(newBrowser(t, address)) })
				t.Run("no session", func(t *testing.T) { gothNoSession(newBrowser(t, address)) })
			})
		}
	}
}

const begin = "/auth?provider=openid-connect"

func gothSignIn(b *browser, bare bool) {
	b.get("/visit")
	before := b.cookie()
	if before == "" {
		b.Fatal("no session")
	}
	// To the provider, back, and home.
	b.sees(begin, hello)
	b.sees("/", ada)
	b.sees("/", ada)
	if !bare && b.cookie() == before {
		b.Error("I1: the token is the same before and after the login")
	}
	// The callback works once: goth has ended its session.
	if status, text := b.get("/auth/callback?provider=openid-connect&code=x&state=y"); status != http.StatusForbidden || !strings.Contains(text, "could not find a matching session") {
		b.Errorf("again: %d %s", status, text)
	}
	b.sees("/", ada)
}

// stop makes the browser not follow a redirect, and returns its target.
func (b *browser) stop(path string) *url.URL {
	b.Helper()
	b.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer func() { b.http.CheckRedirect = nil }()
	res := b.send(path)
	defer res.Body.Close() //nolint:errcheck // a redirect
	to, err := res.Location()
	if err != nil {
		b.Fatalf("%s: %d: %v", path, res.StatusCode, err)
	}
	return to
}

// gothWrongState finishes a login that somebody else began.
func gothWrongState(b *browser) {
	b.get("/visit")
	to := b.stop(b.url + begin)
	q := to.Query()
	q.Set("state", "another")
	to.RawQuery = q.Encode()
	back := b.stop(to.String())
	if status, text := b.get(back.String()); status != http.StatusForbidden || !strings.Contains(text, "state token mismatch") {
		b.Errorf("%d %s", status, text)
	}
	b.sees("/", nobody)
}

func gothNoSession(b *browser) {
	to := b.stop(b.url + begin)
	back := b.stop(to.String())
	other := newBrowser(b.T, b.url) // without the cookies
	if status, text := other.get(back.String()); status != http.StatusForbidden || !strings.Contains(text, "could not find a matching session") {
		b.Errorf("%d %s", status, text)
	}
}
