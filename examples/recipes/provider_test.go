package recipes

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"index/suffixarray"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"
	"github.com/redis/go-redis/v9"
	"golang.org/x/oauth2"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/jwtsealer"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// siteJar keeps cookies as a browser does: in cross-site POSTs it sends only
// those with SameSite=None (RFC 6265bis section 5.8.3).
type siteJar struct {
	http.CookieJar
	mu    sync.Mutex
	none  map[string]bool
	kept  []string // values of all cookies ever
	cross bool     // current requests are such POSTs
}

func newSiteJar() *siteJar {
	jar, _ := cookiejar.New(nil) // it never fails
	return &siteJar{CookieJar: jar, none: map[string]bool{}}
}

func (j *siteJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	for _, c := range cookies {
		j.none[c.Name] = c.SameSite == http.SameSiteNoneMode && c.Secure
		j.kept = append(j.kept, c.Value)
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

// crossPost posts like another site's page.
func (b *browser) crossPost(path string, pairs ...string) reply {
	b.Helper()
	jar, ok := b.Jar.(*siteJar)
	if !ok {
		b.Fatal("this browser knows no sites")
	}
	jar.cross = true
	defer func() { jar.cross = false }()
	return b.post(path, pairs...)
}

// answer is what the provider has the browser bring.
type answer struct {
	post   bool
	values url.Values
}

var hidden = regexp.MustCompile(`name="(\w+)" value="([^"]*)"`)

func fields(page string) url.Values {
	values := url.Values{}
	for _, field := range hidden.FindAllStringSubmatch(page, -1) {
		values.Set(field[1], html.UnescapeString(field[2]))
	}
	return values
}

// begins starts a login and returns the provider's answer.
func (b *browser) begins(p *idp) answer {
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

// reads returns the provider's answer.
func (b *browser) reads(p *idp, path string) answer {
	b.Helper()
	at := newBrowser(b.T, p.URL, b.Jar).get(path)
	if to := at.header.Get("Location"); at.status == http.StatusFound && strings.HasPrefix(to, b.base+"/login/callback?") {
		u, err := url.Parse(to)
		if err != nil {
			b.Fatal(err)
		}
		return answer{false, u.Query()}
	}
	if at.status != 200 || !strings.Contains(at.body, html.EscapeString(b.base+"/login/callback")) {
		b.Fatalf("the provider answers %d %s %v", at.status, at.body, p.faults)
	}
	return answer{true, fields(at.body)}
}

// brings brings an answer to the application, changed by name and value pairs.
func (b *browser) brings(a answer, changed ...string) reply {
	b.Helper()
	values := maps.Clone(a.values)
	for i := 0; i < len(changed); i += 2 {
		values.Set(changed[i], changed[i+1])
	}
	if !a.post {
		return b.get("/login/callback?" + values.Encode())
	}
	var pairs []string
	for name := range values {
		pairs = append(pairs, name, values.Get(name))
	}
	return b.crossPost("/login/callback", pairs...)
}

// logsIn goes through a whole login.
func (b *browser) logsIn(p *idp) {
	b.Helper()
	b.brings(b.begins(p)).goes("/login/finish")
	b.get("/login/finish").goes("/account")
	b.get("/account").wants(200, `{"user":"`+p.URL+` ada","flashes":[]}`)
}

func providerFrameworks(flow *core.Manager, p *provider) []framework {
	return frameworks(
		func(m *core.Manager) http.Handler { return providerNetHTTP(m, flow, p) },
		func(m *core.Manager) *echo.Echo { return providerEcho(m, flow, p) },
		func(m *core.Manager) *gin.Engine { return providerGin(m, flow, p) },
		func(m *core.Manager) *fiber.App { return providerFiber(m, flow, p) },
	)
}

// providerBackends return makers of backends that share their keys or store.
var providerBackends = map[string]func(*testing.T) func() core.Backend{
	"jwt": func(t *testing.T) func() core.Backend {
		text, err := jwtsealer.GenerateKey(jwtsealer.EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		signing, err := jwtsealer.ParseKeys(text)
		if err != nil {
			t.Fatal(err)
		}
		keys := newKeyring(t)
		return func() core.Backend {
			return core.ClientSide(jwtsealer.Signed(signing, jwtsealer.Config{Issuer: "https://app.example", Seal: keys}))
		}
	},
	"cookie": func(t *testing.T) func() core.Backend {
		keys := newKeyring(t)
		return func() core.Backend { return core.ClientSide(sealed.Cookie(keys)) }
	},
	"redis": func(t *testing.T) func() core.Backend {
		client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr(), ReadTimeout: time.Minute})
		t.Cleanup(func() { _ = client.Close() }) // nothing is lost with it
		store := goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t), Timeout: time.Minute})
		return func() core.Backend { return core.ServerSide(store) }
	},
}

func newKeyring(t *testing.T) *sealed.Keyring {
	t.Helper()
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// providerApp is the recipe in one framework, with one backend.
type providerApp struct {
	*idp
	sessions *sessiontest.Sessions
	base     string
	jars     []*siteJar // of its visitors
}

// startProvider serves the application of framework i at host.
func startProvider(t *testing.T, p *idp, i int, host string, backend func() core.Backend, extra ...oauth2.AuthCodeOption) *providerApp {
	t.Helper()
	config := flowConfig
	config.LoadTimeout, config.CommitTimeout = time.Minute, time.Minute // these machines may be busy
	flow, err := core.New(backend(), config)
	if err != nil {
		t.Fatal(err)
	}
	sessions := sessiontest.NewOn(t, backend(), func(c *core.Config) {
		c.Observer = core.SlogObserver(nil)
		c.LoadTimeout, c.CommitTimeout = time.Minute, time.Minute
	})
	l := listen(t)
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	a := &providerApp{idp: p, sessions: sessions, base: "https://" + host + ":" + port}
	start(t, providerFrameworks(flow, p.client(t, a.base, extra...))[i].app(sessions.Manager), overTLS(l))
	return a
}

// eachProviderApp runs f on every framework and backend, with one way to answer or
// the other. Then it looks in all logs and events for what only the browser, the
// application or the provider may see.
func eachProviderApp(t *testing.T, f func(*testing.T, *providerApp)) {
	t.Helper()
	logged.take()
	var apps []*providerApp
	t.Run("on", func(t *testing.T) {
		for i, framework := range providerFrameworks(nil, nil) {
			for j, backend := range slices.Sorted(maps.Keys(providerBackends)) {
				mode := []string{"form_post", "query"}[(i+j)%2]
				p := newIDP(t)
				a := startProvider(t, p, i, "127.0.0.1", providerBackends[backend](t), oauth2.SetAuthURLParam("response_mode", mode))
				apps = append(apps, a)
				t.Run(framework.name+"/"+backend+"/"+mode, func(t *testing.T) {
					t.Parallel()
					f(t, a)
				})
			}
		}
	})
	log := suffixarray.New(logged.take())
	if log.Lookup([]byte("login"), 1) == nil {
		t.Error("nothing was logged")
	}
	for _, a := range apps {
		secrets := append(a.seen, "private.example")
		for _, jar := range a.jars {
			secrets = append(secrets, jar.kept...)
		}
		for _, secret := range secrets {
			if len(secret) > 8 && log.Lookup([]byte(secret), 1) != nil {
				t.Errorf("a log or event has %q", secret)
			}
		}
	}
}

// knowsBrowser reports whether Ada is logged in at the provider.
func (a *providerApp) knowsBrowser(b *browser) bool {
	b.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.signedIn[b.cookie("provider")]
}

var cart = core.NewKey[string]("cart")

// visitor returns a browser with a cart.
func (a *providerApp) visitor(t *testing.T) *browser {
	t.Helper()
	jar := newSiteJar()
	a.jars = append(a.jars, jar)
	b := newBrowser(t, a.base, jar)
	u := b.url()
	for _, c := range a.sessions.Visitor(sessiontest.With(cart, "a hat")).Jar().Cookies(u) {
		b.Jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/", Secure: true, SameSite: http.SameSiteLaxMode}})
	}
	return b
}

func (b *browser) url() *url.URL {
	u, err := url.Parse(b.base + "/login/callback")
	if err != nil {
		b.Fatal(err)
	}
	return u
}

// cookie returns a cookie's value, "" if there is none.
func (b *browser) cookie(name string) string {
	for _, c := range b.Jar.Cookies(b.url()) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// stored returns the names of the browser's values.
func (a *providerApp) stored(b *browser) []string {
	b.Helper()
	client := a.sessions.Visitor()
	client.Receive(&http.Response{Header: http.Header{"Set-Cookie": {"__Host-session=" + b.token()}}})
	sessiontest.Want(client, cart, "a hat")
	return client.Session().Keys()
}

func TestProvider(t *testing.T) {
	eachProviderApp(t, func(t *testing.T, a *providerApp) {
		b := a.visitor(t)
		before := b.token()
		tab1, tab2 := b.begins(a.idp), b.begins(a.idp)
		jar := b.Jar.(*siteJar)
		jar.cross = true
		if sent := jar.Cookies(b.url()); len(sent) != 1 || sent[0].Name != "__Host-login" {
			t.Fatalf("a cross-site POST brings the cookies %v", sent)
		}
		jar.cross = false
		b.brings(tab1).goes("/login/finish")
		b.get("/login/finish").goes("/account")
		b.get("/account").wants(200, `{"user":"`+a.URL+` ada","flashes":[]}`)
		in := b.token()
		if in == before {
			t.Error("the token is the same before and after the login")
		}
		if kept := a.stored(b); !slices.Equal(kept, []string{"cart"}) {
			t.Errorf("the session keeps %q", kept)
		}
		if parts := strings.Split(in, "."); len(parts) == 3 { // a JWT, for everybody to read
			claims := map[string]any{}
			payload, err := base64.RawURLEncoding.DecodeString(parts[1])
			if err == nil {
				err = json.Unmarshal(payload, &claims)
			}
			if err != nil || claims["sub"] != a.URL+" ada" || strings.Contains(string(payload), "private") {
				t.Errorf("the JWT says %s: %v", payload, err)
			}
		}

		// The login is over, and the other tab's with it.
		if res := b.brings(tab2); res.status != 403 {
			t.Errorf("the other tab gets %d", res.status)
		}
		b.get("/login/finish").goes("/login/")
		b.get("/account").wants(200, `{"user":"`+a.URL+` ada","flashes":[]}`)

		// Logged out here before the provider asks, and then there.
		out := b.post("/login/logout")
		to := out.header.Get("Location")
		if out.status != http.StatusSeeOther || !strings.HasPrefix(to, a.URL+"/logout?") || strings.Contains(to, "id_token") {
			t.Fatalf("%d to %q, want 303 to the provider", out.status, to)
		}
		b.get("/account").wants(200, `{"user":"","flashes":[]}`)
		there := newBrowser(t, a.URL, b.Jar)
		asked := there.get(strings.TrimPrefix(to, a.URL))
		if !a.knowsBrowser(b) || asked.status != 200 {
			t.Fatalf("the provider answers %d %s %v", asked.status, asked.body, a.faults)
		}
		var pairs []string
		for name, values := range fields(asked.body) {
			pairs = append(pairs, name, values[0])
		}
		back := there.post("/logout", pairs...).header.Get("Location")
		if !strings.HasPrefix(back, a.base+"/login/goodbye?") {
			t.Fatalf("the provider sends the browser to %q", back)
		}
		if a.knowsBrowser(b) {
			t.Error("still logged in at the provider")
		}
		path := strings.TrimPrefix(back, a.base)
		b.get(path).goes("/account")
		b.get("/account").wants(200, `{"user":"","flashes":[{"kind":"info","text":"Signed out."}]}`)
		b.get(path).goes("/account")
		b.get("/account").wants(200, `{"user":"","flashes":[]}`)
	})
}

// TestProviderRefuses: a wrong answer logs nobody in, says so, and leaves the
// session as it was.
func TestProviderRefuses(t *testing.T) {
	claim := func(name string, value any) func(*idp) {
		return func(p *idp) { p.claims = func(c map[string]any) { c[name] = value } }
	}
	token := func(f http.HandlerFunc) func(*idp) { return func(p *idp) { p.token = f } }
	cases := map[string]func(*idp){
		"another nonce":           claim("nonce", "of another login, as long"),
		"no nonce":                claim("nonce", nil),
		"another audience":        claim("aud", "another app"),
		"another issuer":          claim("iss", "https://evil.example"),
		"nobody":                  claim("sub", ""),
		"expired":                 claim("exp", time.Now().Add(-time.Minute).Unix()),
		"no expiry":               claim("exp", nil),
		"another key":             func(p *idp) { p.signKey = p.clientKey },
		"another provider's name": func(p *idp) { p.answer = url.Values{"iss": {"https://evil.example"}} },
		"an error":                func(p *idp) { p.answer = url.Values{"error": {"access_denied"}, "error_description": {"no"}} },
		"an error with a line":    func(p *idp) { p.answer = url.Values{"error": {"x\nlevel=INFO msg=\"forged line\""}} },
		"no code":                 func(p *idp) { p.answer = url.Values{"code": {""}} },
		"a token without signature": token(func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, 200, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": "eyJhbGciOiJub25lIn0.e30."})
		}),
		"no ID token": token(func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, 200, map[string]any{"access_token": "x", "token_type": "Bearer"})
		}),
		"a page that repeats the request": token(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.PostForm.Encode(), http.StatusBadGateway)
		}),
		"a page instead of JSON": token(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("<html>" + r.PostForm.Encode())) // the client may be gone
		}),
		"an answer that breaks off": token(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	}
	eachProviderApp(t, func(t *testing.T, a *providerApp) {
		refused := func(what string, b *browser, res reply) {
			t.Helper()
			if res.status != 403 || strings.TrimSpace(res.body) != "Please try to log in again." {
				t.Errorf("%s: %d %s", what, res.status, res.body)
			}
			b.get("/login/finish").goes("/login/")
			b.get("/account").wants(200, `{"user":"","flashes":[]}`)
			a.stored(b) // with its hat
		}
		for name, spoil := range cases {
			b := a.visitor(t)
			before := b.token()
			set := func(f func(*idp)) {
				a.mu.Lock()
				defer a.mu.Unlock()
				f(a.idp)
			}
			set(spoil)
			refused(name, b, b.brings(b.begins(a.idp)))
			if b.token() != before {
				t.Errorf("%s: the session has another token", name)
			}
			set(func(p *idp) { p.claims, p.token, p.answer, p.signKey = nil, nil, nil, p.keys })
			b.logsIn(a.idp) // at the next try
		}

		attacker, victim := a.visitor(t), a.visitor(t)
		theirs := attacker.begins(a.idp)
		refused("an answer to somebody else", victim, victim.brings(theirs))
		own := victim.begins(a.idp)
		refused("an answer without a state", victim, victim.brings(own, "state", ""))
		refused("another state", victim, victim.brings(own, "state", "verified"))
		refused("somebody else's code", victim, victim.brings(own, "code", theirs.values.Get("code")))
		refused("the right one after a wrong one", victim, victim.brings(own))
		question := victim.asks(a.idp)
		own, again := victim.reads(a.idp, question), victim.reads(a.idp, question) // by going back, say
		victim.brings(own).goes("/login/finish")
		if res := victim.brings(own); res.status != 403 {
			t.Errorf("the same answer again: %d", res.status)
		}
		if res := victim.brings(again); res.status != 403 {
			t.Errorf("another answer to the same question: %d", res.status)
		}
		victim.get("/login/finish").goes("/account") // with the right one

		own = attacker.begins(a.idp)
		a.Close()
		refused("no provider", attacker, attacker.brings(own))
	})
}

// TestProviderLogoutForged: other sites log nobody out, and nobody is told so.
func TestProviderLogoutForged(t *testing.T) {
	eachProviderApp(t, func(t *testing.T, a *providerApp) {
		b := a.visitor(t)
		b.logsIn(a.idp)
		still := func() { t.Helper(); b.get("/account").wants(200, `{"user":"`+a.URL+` ada","flashes":[]}`) }
		b.crossPost("/login/logout").goes("/account")
		still()
		for _, query := range []string{"", "?state=", "?state=guessed-guessed-guessed", "?state=verified", "?state=" + url.QueryEscape("https://evil.example")} {
			b.get("/login/goodbye" + query).goes("/account")
			still()
		}
		other := a.visitor(t)
		other.logsIn(a.idp)
		state, err := url.Parse(other.post("/login/logout").header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		b.get("/login/goodbye?state=" + state.Query().Get("state")).goes("/account")
		still()
		if res := b.brings(answer{false, url.Values{"state": {state.Query().Get("state")}, "code": {"x"}}}); res.status != 403 {
			t.Errorf("the state of a logout as that of a login: %d", res.status)
		}
		still()
		a.Close() // logging out here does not wait for the provider
		b.post("/login/logout")
		b.get("/account").wants(200, `{"user":"","flashes":[]}`)
	})
}

// TestProviderFixation: whoever knows the cookie with which a victim began does
// not share the login, nor does a planted cookie make a victim the attacker.
func TestProviderFixation(t *testing.T) {
	eachProviderApp(t, func(t *testing.T, a *providerApp) {
		attacker, victim := a.visitor(t), a.visitor(t)
		attacker.begins(a.idp)
		planted := attacker.cookie("__Host-login")
		victim.Jar.SetCookies(victim.url(), []*http.Cookie{{Name: "__Host-login", Value: planted, Path: "/", Secure: true, SameSite: http.SameSiteNoneMode}})
		own := victim.begins(a.idp)
		known := victim.cookie("__Host-login")
		victim.brings(own).goes("/login/finish")
		for _, cookie := range []string{planted, known} {
			newBrowser(t, a.base, nil).send("GET", "/login/finish", "", "", "Cookie", "__Host-login="+cookie).goes("/login/")
		}
		// Nor is it a session of the other kind.
		newBrowser(t, a.base, nil).send("GET", "/account", "", "", "Cookie", "__Host-session="+victim.cookie("__Host-login")).
			wants(200, `{"user":"","flashes":[]}`)
		victim.get("/login/finish").goes("/account")
		victim.get("/account").wants(200, `{"user":"`+a.URL+` ada","flashes":[]}`)

		// A subdomain cannot plant one: browsers keep this name only so (RFC 6265bis 4.1.3.2).
		set := newBrowser(t, a.base, nil).get("/login/").header.Get("Set-Cookie")
		if !strings.HasPrefix(set, "__Host-login=") || !strings.Contains(set, "; Path=/;") || !strings.Contains(set, "; Secure") || strings.Contains(set, "Domain") {
			t.Errorf("Set-Cookie: %s", set)
		}
	})
}

// TestProviderFlood: a page that sends a browser to /login/ again and again does
// not keep its user from logging in.
func TestProviderFlood(t *testing.T) {
	eachProviderApp(t, func(t *testing.T, a *providerApp) {
		b := a.visitor(t)
		for range 50 {
			b.asks(a.idp)
		}
		if n := len(b.cookie("__Host-login")); n > 4000 {
			t.Errorf("a cookie of %d bytes", n)
		}
		b.logsIn(a.idp)
	})
}

// TestProviderNamesItself: of a provider that names itself in its answers, one
// without its name may be another's (RFC 9207).
func TestProviderNamesItself(t *testing.T) {
	p := newIDP(t)
	p.namesIss = true
	a := startProvider(t, p, 0, "127.0.0.1", providerBackends["jwt"](t))
	b := a.visitor(t)
	for _, iss := range []string{"", "https://evil.example"} {
		if res := b.brings(b.begins(p), "iss", iss); res.status != 403 {
			t.Errorf("iss=%q: %d", iss, res.status)
		}
	}
	b.logsIn(p)

	// An attempt with one provider is none with another.
	flow := sessiontest.New(t).Visitor().Session()
	honest, evil := p.client(t, a.base), newIDP(t).client(t, a.base)
	to, err := url.Parse(evil.begin(flow))
	if err != nil {
		t.Fatal(err)
	}
	fields := url.Values{"state": {to.Query().Get("state")}, "code": {"x"}, "iss": {p.URL}}
	if _, err := honest.check(t.Context(), flow, fields.Get); err == nil || !strings.Contains(err.Error(), "not started") {
		t.Errorf("an answer to what another provider was asked: %v", err)
	}
}

// TestProviderHangs: a provider that does not answer holds no request for long.
func TestProviderHangs(t *testing.T) {
	p := newIDP(t)
	client := p.client(t, "https://app.example")
	client.http.Timeout = 50 * time.Millisecond
	release := make(chan struct{})
	p.token = func(http.ResponseWriter, *http.Request) { <-release }
	t.Cleanup(func() { close(release) })
	flow := sessiontest.New(t).Visitor().Session()
	to, err := url.Parse(client.begin(flow))
	if err != nil {
		t.Fatal(err)
	}
	if client.answer(t.Context(), flow, url.Values{"state": {to.Query().Get("state")}, "code": {"x"}}.Get) {
		t.Error("nobody has vouched for this user")
	}
}
