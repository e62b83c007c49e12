package runtest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// Demo tests the demo application in the test's own folder, from outside, on
// each store. What people see of it, package browser tests in a browser.
func Demo(t *testing.T) {
	bin := Build(t)
	for _, store := range []string{"memory:", "file:", "cookie:", "gorilla-cookie:"} {
		t.Run(store, func(t *testing.T) {
			t.Setenv("SESSION_KEYS", "")
			if store == "file:" {
				store += t.TempDir()
			}
			p := Start(t, bin, "-addr", "localhost:0", "-store", store)
			t.Run("sign in and out", func(t *testing.T) { signInAndOut(t, p.URL, store) })
			t.Run("names are text", func(t *testing.T) { hostileName(t, p.URL) })
			t.Run("forms of other sites are refused", func(t *testing.T) { crossSite(t, p.URL) })
			t.Run("headers", func(t *testing.T) { headers(t, p.URL) })
			saysKeys := strings.Contains(p.Log(), "SESSION_KEYS")
			if wants := !onServer(store); saysKeys != wants {
				t.Errorf("says that keys are random: %v, want %v\n%s", saysKeys, wants, p.Log())
			}
		})
	}
	for _, bad := range []struct{ args, want string }{
		{"-store carrier-pigeon:", "known are"},
		{"-store memory", "colon"},
		{"-addr 8080", "host and a port"},
		{"-no-such-flag", "-store"},
		{"memory:", "not a flag"},
	} {
		t.Run(bad.args, func(t *testing.T) {
			if out := Fail(t, bin, strings.Fields(bad.args)...); !strings.Contains(out, bad.want) {
				t.Errorf("says %q, want something with %q", out, bad.want)
			}
		})
	}
}

// onServer reports whether a store keeps sessions on the server.
func onServer(store string) bool { return !strings.HasSuffix(store, "cookie:") }

// browser is a client with cookies.
type browser struct {
	*testing.T
	http *http.Client
	url  *url.URL
}

func newBrowser(t *testing.T, address string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t, &http.Client{Jar: jar, Transport: transport}, u}
}

// page follows redirects and returns the page at the end.
func (b *browser) page(res *http.Response, err error) string {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/html") {
		b.Fatalf("%d %s, want 200 text/html\n%s", res.StatusCode, kind, body)
	}
	return string(body)
}

func (b *browser) home() string {
	b.Helper()
	return b.page(b.http.Get(b.url.String() + "/")) //nolint:noctx // the process is killed if it hangs
}

func (b *browser) post(path string, form url.Values) string {
	b.Helper()
	return b.page(b.http.PostForm(b.url.String()+path, form)) //nolint:noctx // as above
}

func (b *browser) has(page, want string) {
	b.Helper()
	if !strings.Contains(page, want) {
		b.Errorf("%q is not in the page\n%s", want, page)
	}
}

func (b *browser) hasNot(page, unwanted string) {
	b.Helper()
	if strings.Contains(page, unwanted) {
		b.Errorf("%q is in the page\n%s", unwanted, page)
	}
}

func signInAndOut(t *testing.T, address, store string) {
	b := newBrowser(t, address)
	b.has(b.home(), "Sign in")
	if cookies := b.http.Jar.Cookies(b.url); len(cookies) > 0 {
		t.Errorf("C1: a visitor who does nothing has the cookies %v", cookies)
	}
	first := b.post("/sign-in", url.Values{"name": {"Ann"}})
	b.has(first, `<p class="flash success"><span class="kind">success: </span>Welcome, Ann.</p>`)
	b.has(first, `<span>Ann</span>`)
	b.has(first, `<dd id="seen">1</dd>`)
	again := b.home()
	b.hasNot(again, "Welcome")
	b.has(again, `<dd id="seen">2</dd>`)

	before := b.http.Jar.Cookies(b.url)
	out := b.post("/sign-out", nil)
	b.has(out, "You have signed out.")
	b.hasNot(out, "Ann")
	b.hasNot(b.home(), "You have signed out.")

	if onServer(store) { // what only the client keeps cannot be revoked
		thief := newBrowser(t, address)
		thief.http.Jar.SetCookies(thief.url, before)
		replayed := thief.home()
		thief.hasNot(replayed, "Ann")
		thief.has(replayed, "Sign in")
	}
}

func hostileName(t *testing.T, address string) {
	b := newBrowser(t, address)
	const name = `<script>alert("1")</script>`
	page := b.post("/sign-in", url.Values{"name": {name}})
	b.hasNot(page, "<script")
	b.has(page, `Welcome, &lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;.`)
	page = b.post("/items", url.Values{"name": {name}, "count": {`"><script>`}})
	b.hasNot(page, "<script")
	b.has(page, `value="&#34;&gt;&lt;script&gt;"`)
	page = b.post("/items", url.Values{"name": {name}, "count": {"1"}})
	b.hasNot(page, "<script")
	b.has(page, `aria-label="Remove &lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;"`)
}

// crossSite signs out like a browser that submits another site's form.
func crossSite(t *testing.T, address string) {
	b := newBrowser(t, address)
	b.post("/sign-in", url.Values{"name": {"Ann"}})
	for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/sign-out", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(name, value)
		res, err := b.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close() // the body is not needed
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s: %d, want 403", name, value, res.StatusCode)
		}
	}
	b.has(b.home(), "<span>Ann</span>")
}

// headers checks the headers of pages, redirects, files, and missing pages.
func headers(t *testing.T, address string) {
	b := newBrowser(t, address)
	b.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for path, status := range map[string]int{
		"/": 200, "/devices": 200, "/static/demo.css": 200, "/nothing": 404, "/live/events": 200, "POST /sign-in": 303,
	} {
		method := http.MethodGet
		if post, ok := strings.CutPrefix(path, "POST "); ok {
			method, path = http.MethodPost, post
		}
		r, err := http.NewRequestWithContext(t.Context(), method, address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := b.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close() // the body is not needed
		if res.StatusCode != status {
			t.Errorf("%s %s: %d, want %d", method, path, res.StatusCode, status)
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none';", "X-Content-Type-Options": "nosniff",
		} {
			if got := res.Header.Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s %s: %s is %q, want %q", method, path, name, got, want)
			}
		}
		if next := res.Header.Get("Location"); next != "" && next != "/" {
			t.Errorf("%s %s leads to %s", method, path, next)
		}
	}
}
