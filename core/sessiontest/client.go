package sessiontest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// Client is a browser: it keeps the cookies that it is given and sends them
// along, those of the session and any other. Paths, domains and Secure are
// not looked at. It is safe for concurrent use.
type Client struct {
	st   *Sessions
	name string // for failures

	mu      sync.Mutex
	cookies []cookie
	open    *bare // the request that Session has begun, nil if none
}

// cookie is one that the client keeps, until its time is over.
type cookie struct {
	name, value string
	until       time.Time // zero: with the browser
}

// begin gives the client its session.
func (c *Client) begin(setup []func(*core.Session)) *Client {
	c.st.tb.Helper()
	c.st.tb.Cleanup(func() { c.finish(http.StatusOK) })
	if len(setup) == 0 {
		return c
	}
	s := c.Session()
	for _, f := range setup {
		f(s)
	}
	c.finish(http.StatusOK)
	return c
}

// Request returns a request with the client's cookies, for Do and Test. The
// target is a path or a whole URL.
func (c *Client) Request(method, target string, body io.Reader) *http.Request {
	r := httptest.NewRequestWithContext(c.st.tb.Context(), method, target, body)
	c.Apply(r)
	return r
}

// Form returns a POST request of a form's values, with the client's cookies.
func (c *Client) Form(target string, values url.Values) *http.Request {
	r := c.Request(http.MethodPost, target, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// Do answers r by h, with the client's cookies, and keeps those that the
// response sets. A redirect is not followed.
func (c *Client) Do(h http.Handler, r *http.Request) *http.Response {
	c.st.tb.Helper()
	c.Apply(r)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	res := w.Result()
	c.Receive(res)
	return res
}

// Test is Do for a Fiber application. The request may take as long as it takes.
func (c *Client) Test(app interface {
	Test(r *http.Request, msTimeout ...int) (*http.Response, error)
}, r *http.Request,
) *http.Response {
	c.st.tb.Helper()
	c.Apply(r)
	res, err := app.Test(r, -1)
	if err != nil {
		c.st.tb.Fatalf("sessiontest: %s %s: %v", r.Method, r.URL, err)
	}
	c.Receive(res)
	return res
}

// Apply adds the client's cookies to r, except those that r has already.
func (c *Client) Apply(r *http.Request) {
	c.st.tb.Helper()
	c.finish(http.StatusOK)
	c.st.forget()
	for _, k := range c.current() {
		if _, err := r.Cookie(k.Name); err != nil {
			r.AddCookie(k)
		}
	}
}

// Receive keeps the cookies that res sets.
func (c *Client) Receive(res *http.Response) { c.keep(res.Cookies()) }

// current returns the cookies whose time is not over.
func (c *Client) current() []*http.Cookie {
	now := c.st.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cookies = slices.DeleteFunc(c.cookies, func(k cookie) bool { return !k.until.IsZero() && !k.until.After(now) })
	var cookies []*http.Cookie
	for _, k := range c.cookies {
		cookies = append(cookies, &http.Cookie{Name: k.name, Value: k.value}) //nolint:gosec // a request's cookie has no attributes
	}
	return cookies
}

// keep takes over what a response sets.
func (c *Client) keep(set []*http.Cookie) {
	now := c.st.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range set {
		c.cookies = slices.DeleteFunc(c.cookies, func(old cookie) bool { return old.name == k.Name })
		fresh := cookie{name: k.Name, value: k.Value}
		switch {
		case k.MaxAge < 0:
			continue
		case k.MaxAge > 0:
			fresh.until = now.Add(time.Duration(k.MaxAge) * time.Second)
		case !k.Expires.IsZero():
			fresh.until = k.Expires
		}
		c.cookies = append(c.cookies, fresh)
	}
}

// Jar returns the client's cookies as a jar, for an [http.Client] that asks a
// real server.
func (c *Client) Jar() http.CookieJar { return jar{c} }

type jar struct{ c *Client }

// Cookies implements [http.CookieJar].
func (j jar) Cookies(*url.URL) []*http.Cookie {
	j.c.finish(http.StatusOK)
	j.c.st.forget()
	return j.c.current()
}

// SetCookies implements [http.CookieJar].
func (j jar) SetCookies(_ *url.URL, cookies []*http.Cookie) { j.c.keep(cookies) }

// Session returns the client's session as the middleware would load it for
// the client's next request: for handlers without the middleware, and to look
// at or change whatever you like. What is next asked of the client ends that
// request, as if with status 200: then its changes are stored. See [Client.End].
//
//	ginadapter.WithSession(c, alice.Session())
func (c *Client) Session() *core.Session {
	c.st.tb.Helper()
	c.finish(http.StatusOK)
	c.st.forget()
	x := c.load()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = x
	return x.Session()
}

// End ends the request that Session has begun, with the status of its
// response: a redirect leaves flashes that were read, 500 rolls changes back.
// Without such a request it does nothing.
func (c *Client) End(status int) {
	c.st.tb.Helper()
	c.finish(status)
}

func (c *Client) finish(status int) {
	c.st.tb.Helper()
	c.mu.Lock()
	x := c.open
	c.open = nil
	c.mu.Unlock()
	if x == nil {
		return
	}
	x.Finish(status)
	if x.err != nil {
		c.st.tb.Errorf("sessiontest: %s: the session could not be committed: %v", c.name, x.err)
		return
	}
	c.keep(x.w.Result().Cookies())
}

// bare is a request without a handler.
type bare struct {
	httpadapter.Exchange
	w   *httptest.ResponseRecorder
	err error
}

// AnswerError implements [httpadapter.ErrorAnswerer].
func (x *bare) AnswerError(err error) { x.err = err }

// load begins a request with the client's cookies.
func (c *Client) load() *bare {
	c.st.tb.Helper()
	r := httptest.NewRequestWithContext(c.st.tb.Context(), http.MethodGet, "https://example.com/", nil)
	for _, k := range c.current() {
		r.AddCookie(k)
	}
	x := &bare{w: httptest.NewRecorder()}
	if err := x.Load(c.st.Manager, x.w, r, x); err != nil {
		c.st.tb.Fatalf("sessiontest: %s: the session could not be loaded: %v", c.name, err)
	}
	return x
}
