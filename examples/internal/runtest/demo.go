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
// each store.
func Demo(t *testing.T) {
	bin := Build(t)
	for _, store := range []string{"memory:", "cookie:", "gorilla-cookie:"} {
		t.Run(store, func(t *testing.T) {
			t.Setenv("SESSION_KEYS", "")
			p := Start(t, bin, "-addr", "localhost:0", "-store", store)
			t.Run("sign in and out", func(t *testing.T) { signInAndOut(t, p.URL, store) })
			t.Run("names are text", func(t *testing.T) { hostileName(t, p.URL) })
			t.Run("an empty name is refused", func(t *testing.T) { emptyName(t, p.URL) })
			saysKeys := strings.Contains(p.Stderr(), "SESSION_KEYS")
			if wants := store != "memory:"; saysKeys != wants {
				t.Errorf("tells that keys are random: %v, want %v\n%s", saysKeys, wants, p.Stderr())
			}
		})
	}
	for _, bad := range []struct{ args, want string }{
		{"-store carrier-pigeon:", "known are"},
		{"-store memory", "colon"},
		{"-addr 8080", "host and a port"},
		{"-no-such-flag", "-store"},
		{"memory:", "no flag"},
	} {
		t.Run(bad.args, func(t *testing.T) {
			if out := Fail(t, bin, strings.Fields(bad.args)...); !strings.Contains(out, bad.want) {
				t.Errorf("says %q, want something with %q", out, bad.want)
			}
		})
	}
}

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
	b.has(first, `<p class="flash success" role="status">Welcome, Ann.</p>`)
	b.has(first, "signed in as <strong>Ann</strong>")
	b.has(first, "signed in: <strong>1</strong>")
	again := b.home()
	b.hasNot(again, "Welcome")
	b.has(again, "signed in: <strong>2</strong>")

	before := b.http.Jar.Cookies(b.url)
	out := b.post("/sign-out", nil)
	b.has(out, "You have signed out.")
	b.hasNot(out, "Ann")
	b.hasNot(b.home(), "You have signed out.")

	if store == "memory:" { // what the client keeps by itself cannot be called back
		thief := newBrowser(t, address)
		thief.http.Jar.SetCookies(thief.url, before)
		replayed := thief.home()
		thief.hasNot(replayed, "Ann")
		thief.has(replayed, "Sign in")
	}
}

func hostileName(t *testing.T, address string) {
	b := newBrowser(t, address)
	page := b.post("/sign-in", url.Values{"name": {`<script>alert("1")</script>`}})
	b.hasNot(page, "<script")
	b.has(page, `Welcome, &lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;.`)
	b.has(page, `<strong>&lt;script&gt;`)
}

func emptyName(t *testing.T, address string) {
	b := newBrowser(t, address)
	page := b.post("/sign-in", url.Values{"name": {"  "}})
	b.has(page, `<p class="flash error" role="alert"><strong>Error:</strong> Please enter a short name.</p>`)
	b.has(page, "Sign in")
}
