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

// Client is a browser: it keeps the cookies that it is given, the session's and
// any other, and sends them with its requests. It ignores Path, Domain and
// Secure. It is safe for concurrent use.
type Client struct {
	st   *Sessions
	name string // for failures

	mu      sync.Mutex
	cookies []cookie
	tokens  map[string]string // by answer header, with a [core.Carrier] other than the cookie
	open    *bare             // the request that Session began, or nil
}

// cookie is a cookie that the client keeps until it expires.
type cookie struct {
	name, value string
	until       time.Time // zero: when the browser closes
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

// Request returns a request with the client's cookies, for Do and DoFiber. The
// target is a path or a whole URL.
func (c *Client) Request(method, target string, body io.Reader) *http.Request {
	r := httptest.NewRequestWithContext(c.st.tb.Context(), method, target, body)
	c.Apply(r)
	return r
}

// Form returns a POST request with a form's values and the client's cookies.
func (c *Client) Form(target string, values url.Values) *http.Request {
	r := c.Request(http.MethodPost, target, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// Do serves r with h, with the client's cookies, and keeps the cookies that the
// response sets. It does not follow redirects.
func (c *Client) Do(h http.Handler, r *http.Request) *http.Response {
	c.st.tb.Helper()
	c.Apply(r)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	res := w.Result()
	c.Receive(res)
	return res
}

// DoFiber is [Client.Do] for an application of Fiber v2 or v3, whose Test methods
// differ in the type of their options. It sets no timeout.
func DoFiber[Option any](c *Client, app interface {
	Test(r *http.Request, options ...Option) (*http.Response, error)
}, r *http.Request,
) *http.Response {
	c.st.tb.Helper()
	c.Apply(r)
	var noTimeout Option // the zero value of v3's options
	if milliseconds, ok := any(&noTimeout).(*int); ok {
		*milliseconds = -1 // v2's
	}
	res, err := app.Test(r, noTimeout)
	if err != nil {
		c.st.tb.Fatalf("sessiontest: %s: %s %s: %v", c.name, r.Method, r.URL, err)
	}
	c.Receive(res)
	return res
}

// Apply adds the client's cookies, or its token in a header, to r, except those that r
// already has.
func (c *Client) Apply(r *http.Request) {
	c.st.tb.Helper()
	c.finish(http.StatusOK)
	c.st.forget()
	for _, k := range c.current() {
		if _, err := r.Cookie(k.Name); err != nil {
			r.AddCookie(k)
		}
	}
	c.present(r)
}

// Receive keeps the cookies that res sets, or the token in its header.
func (c *Client) Receive(res *http.Response) {
	c.keep(res.Cookies())
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, values := range res.Header {
		if c.st.carrier.Answers(name) {
			if c.tokens == nil || values[0] == "" {
				c.tokens = map[string]string{}
			}
			c.tokens[name] = values[0]
		}
	}
}

// present adds the tokens that travel in headers to r, unless it has one.
func (c *Client) present(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := c.st.carrier.String()
	if c.st.carrier == (core.Carrier{}) || r.Header.Get(name) != "" {
		return
	}
	for answer, token := range c.tokens {
		switch {
		case token == "":
		case strings.HasSuffix(answer, "-Touch"):
			r.Header.Set(answer, token)
		case name == "Authorization":
			r.Header.Set(name, "Bearer "+token)
		default:
			r.Header.Set(name, token)
		}
	}
}

// current returns the cookies that have not expired.
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

// keep stores the cookies that a response sets.
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

// Jar returns the client's cookies as a jar, for an [http.Client] that talks to
// a real server.
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

// Session begins a request and returns the client's session as the middleware
// would load it. Use it for handlers without the middleware, and to inspect or
// change the session. The next call on the client ends that request as if with
// status 200, which stores the changes. See [Client.End].
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

// End ends the request that Session began, with the status of its response. A
// redirect keeps flashes that were read; a 500 rolls changes back. Without such
// a request it does nothing.
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
	c.Receive(x.w.Result())
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
	c.present(r)
	x := &bare{w: httptest.NewRecorder()}
	if err := x.Load(c.st.Manager, x.w, r, x); err != nil {
		c.st.tb.Fatalf("sessiontest: %s: the session could not be loaded: %v", c.name, err)
	}
	return x
}
