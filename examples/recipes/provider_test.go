package recipes

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sessiontest"
)

// siteJar keeps cookies as a browser does: in cross-site POSTs it sends only
// those with SameSite=None (RFC 6265bis section 5.8.3).
type siteJar struct {
	http.CookieJar
	mu    sync.Mutex
	none  map[string]bool
	cross bool // current requests are such POSTs
}

func newSiteJar() *siteJar {
	jar, _ := cookiejar.New(nil) // it never fails
	return &siteJar{CookieJar: jar, none: map[string]bool{}}
}

func (j *siteJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	for _, c := range cookies {
		j.none[c.Name] = c.SameSite == http.SameSiteNoneMode && c.Secure
	}
	j.mu.Unlock()
	j.CookieJar.SetCookies(u, cookies)
}

func (j *siteJar) Cookies(u *url.URL) (sent []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.CookieJar.Cookies(u) {
		if !j.cross || j.none[c.Name] {
			sent = append(sent, c)
		}
	}
	return sent
}

// crossPost posts to the callback like another site's page.
func (b *browser) crossPost(pairs ...string) reply {
	b.Helper()
	jar, ok := b.Jar.(*siteJar)
	if !ok {
		b.Fatal("this browser knows no sites")
	}
	jar.cross = true
	defer func() { jar.cross = false }()
	return b.post("/login/callback", pairs...)
}

var hidden = regexp.MustCompile(`name="(\w+)" value="([^"]*)"`)

// begins starts a login and returns the form on the provider's page.
func (b *browser) begins(p *idp) []string {
	b.Helper()
	return b.reads(p, b.asks(p))
}

// asks starts a login and returns the path of the request to the provider.
func (b *browser) asks(p *idp) string {
	b.Helper()
	res := b.get("/login/")
	to := res.header.Get("Location")
	if res.status != http.StatusSeeOther || !strings.HasPrefix(to, p.URL+"/authorize?") {
		b.Fatalf("%d to %q, want 303 to the provider", res.status, to)
	}
	return strings.TrimPrefix(to, p.URL)
}

// reads returns the form on the provider's page.
func (b *browser) reads(p *idp, path string) []string {
	b.Helper()
	at := newBrowser(b.T, p.URL, nil).get(path)
	var form []string
	for _, field := range hidden.FindAllStringSubmatch(at.body, -1) {
		form = append(form, field[1], html.UnescapeString(field[2]))
	}
	if at.status != 200 || len(form) != 4 {
		b.Fatalf("the provider's page is %d %s", at.status, at.body)
	}
	return form
}

func providerFrameworks(flow *core.Manager, p *provider) []framework {
	return frameworks(
		func(m *core.Manager) http.Handler { return providerNetHTTP(m, flow, p) },
		func(m *core.Manager) *echo.Echo { return providerEcho(m, flow, p) },
		func(m *core.Manager) *gin.Engine { return providerGin(m, flow, p) },
		func(m *core.Manager) *fiber.App { return providerFiber(m, flow, p) },
	)
}

// startProvider serves the application of framework i at host and returns its address.
func startProvider(t *testing.T, i int, host string, sessions *core.Manager, p *idp) string {
	t.Helper()
	flow, err := newFlow(memstore.New(memstore.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	base := "https://" + host + ":" + port
	start(t, providerFrameworks(flow, p.client(t, base))[i].app(sessions), overTLS(l))
	return base
}

func TestProvider(t *testing.T) {
	cart := core.NewKey[string]("cart")
	for i, f := range providerFrameworks(nil, nil) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			p, sessions := newIDP(t), sessiontest.New(t)
			jar := newSiteJar()
			b := newBrowser(t, startProvider(t, i, "127.0.0.1", sessions.Manager, p), jar)
			u, err := url.Parse(b.base + "/login/callback")
			if err != nil {
				t.Fatal(err)
			}
			visitor := sessions.Visitor(sessiontest.With(cart, "a hat"))
			before := visitor.Jar().Cookies(u)[0].Value
			jar.SetCookies(u, []*http.Cookie{{Name: "__Host-session", Value: before, Path: "/", Secure: true, SameSite: http.SameSiteLaxMode}})

			tab1, tab2 := b.begins(p), b.begins(p)
			jar.cross = true
			if sent := jar.Cookies(u); len(sent) != 1 || sent[0].Name != "__Secure-login" {
				t.Fatalf("a cross-site POST brings the cookies %v", sent)
			}
			b.crossPost(tab1...).goes("/login/finish")
			b.get("/login/finish").goes("/account")
			b.get("/account").wants(200, `{"user":"`+p.URL+` ada","flashes":[]}`)
			after := b.token()
			if after == before {
				t.Error("the token is the same before and after the login")
			}
			visitor.Receive(&http.Response{Header: http.Header{"Set-Cookie": {"__Host-session=" + after}}})
			sessiontest.Want(visitor, cart, "a hat")

			// The login is over, and the other tab's with it.
			if res := b.crossPost(tab2...); res.status != 403 {
				t.Errorf("the other tab gets %d", res.status)
			}
			b.get("/login/finish").goes("/login/")
		})
	}
}

// TestProviderRefuses shows that an answer logs nobody in if this browser did
// not ask for it, or if it comes twice.
func TestProviderRefuses(t *testing.T) {
	for i, f := range providerFrameworks(nil, nil) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			p, sessions := newIDP(t), sessiontest.New(t)
			base := startProvider(t, i, "127.0.0.1", sessions.Manager, p)
			attacker, victim := newBrowser(t, base, newSiteJar()), newBrowser(t, base, newSiteJar())
			refused := func(what string, res reply) {
				t.Helper()
				if res.status != 403 {
					t.Errorf("%s: %d %s", what, res.status, res.body)
				}
			}

			theirs := attacker.begins(p)
			refused("an answer to somebody else", victim.crossPost(theirs...))
			own := victim.begins(p)
			refused("somebody else's code", victim.crossPost("state", own[1], "code", theirs[3]))
			refused("no such state", victim.crossPost("state", "verified", "code", own[3]))
			victim.get("/login/finish").goes("/login/")
			victim.get("/account").wants(200, `{"user":"","flashes":[]}`)

			question := victim.asks(p)
			own, again := victim.reads(p, question), victim.reads(p, question) // by going back, say
			victim.crossPost(own...).goes("/login/finish")
			refused("the same answer again", victim.crossPost(own...))
			refused("another answer to the same question", victim.crossPost(again...))
			p.forged = "of another login"
			refused("a token of another login", victim.crossPost(victim.begins(p)...))
		})
	}
}
