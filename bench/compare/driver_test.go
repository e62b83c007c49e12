package compare

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// check is one case on one library. What is not as the case needs it fails the test; only
// the case itself says yes or no.
type check struct {
	*testing.T
	lib    library
	option string
}

// setting changes the environment or the surroundings of an application.
type setting func(*site)

func behindProxy(s *site) { s.proxied = true }

func idleTimeout(d time.Duration) setting { return func(s *site) { s.env.idle = d } }
func lifetime(d time.Duration) setting    { return func(s *site) { s.env.max = d } }

// site is a running application, seen from outside: its address, its cookies, and its Redis.
type site struct {
	*check
	env     environment
	redis   *redistest.Server
	proxy   *redistest.Proxy
	proxied bool
	url     string
	app     *app

	reported atomic.Bool // the library has reported something
}

// databases are how many the one Redis server has; each application gets the next.
const databases = 4096

var database, gateNumber atomic.Int64

// start starts the library's application on an empty database.
func (c *check) start(settings ...setting) *site {
	c.Helper()
	s := &site{check: c, redis: server}
	s.env = environment{
		redis: server.Addr(), db: int(database.Add(1)), keys: []string{secret()}, option: c.option,
		report: func() { s.reported.Store(true) },
	}
	if s.env.db >= databases {
		c.Fatal("more applications than databases")
	}
	for _, set := range settings {
		set(s)
	}
	if s.proxied {
		s.proxy = redistest.StartProxy(c, server.Addr())
		s.env.redis = s.proxy.Addr()
	}
	s.run()
	return s
}

// another is a second process of the same application: the same store, and keys as given.
func (s *site) another(keys ...string) *site {
	s.Helper()
	twin := &site{check: s.check, env: s.env, redis: s.redis}
	twin.env.keys = keys
	twin.run()
	return twin
}

func (s *site) run() {
	s.Helper()
	a, err := s.lib.start(s.env)
	if err != nil {
		s.Fatalf("start: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it returns at once
	if err != nil {
		s.Fatal(err)
	}
	go func() { _ = a.serve(l) }()
	s.url, s.app = "http://"+l.Addr().String(), a
	s.Cleanup(func() {
		if s.proxy != nil {
			s.proxy.Heal()
		}
		a.close()
	})
}

func secret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return string(key)
}

// keysInRedis returns the keys of the application's database.
func (s *site) keysInRedis() []string {
	s.Helper()
	list, ok := s.do("KEYS", "*").([]any)
	if !ok {
		s.Fatal("KEYS gave no list")
	}
	var keys []string
	for _, k := range list {
		keys = append(keys, fmt.Sprint(k))
	}
	slices.Sort(keys)
	return keys
}

// do runs a Redis command in the application's database.
func (s *site) do(args ...string) any {
	s.Helper()
	script := []string{"EVAL", "redis.call('SELECT', ARGV[1]); return redis.call(unpack(ARGV, 2))", "0", strconv.Itoa(s.env.db)}
	reply, err := s.redis.Do(append(script, args...)...)
	if err != nil {
		s.Fatalf("redis %q: %v", args, err)
	}
	return reply
}

// onlyRedis ends the case where the library keeps nothing on the server.
func (c *check) onlyRedis() {
	if c.lib.backend == "cookie" {
		panic(verdict{mark: notApplicable, note: "the session is in the cookie"})
	}
}

// browser has the cookies of one person. It sends Secure cookies over plain HTTP, since
// the run has no TLS, and leaves it to the server to end sessions: of Max-Age and Expires
// it only heeds those that delete.
type browser struct {
	*site
	http *http.Client

	mu  sync.Mutex
	jar map[string]string
}

func (s *site) browser() *browser {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}
	s.Cleanup(transport.CloseIdleConnections)
	return &browser{site: s, jar: map[string]string{}, http: &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ann is the browser of a user who has logged in.
func (s *site) ann() *browser {
	s.Helper()
	b := s.browser()
	b.post("/login", "user", "ann")
	return b
}

// with is a browser on this site that has copies of cookies.
func (s *site) with(jar map[string]string) *browser {
	b := s.browser()
	maps.Copy(b.jar, jar)
	return b
}

// cookies returns a copy of the jar.
func (b *browser) cookies() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.jar)
}

// cookie returns the session cookie. There must be one.
func (b *browser) cookie() (name, value string) {
	b.Helper()
	for name, value = range b.cookies() {
		if strings.Contains(name, "session") {
			return name, value
		}
	}
	b.Fatalf("no session cookie in %v", slices.Collect(maps.Keys(b.jar)))
	return "", ""
}

// reply is a response.
type reply struct {
	status  int
	header  http.Header
	body    string
	cookies []*http.Cookie // that it sets
}

// ok ends the case if the library has no such thing, and fails it for other errors.
func (b *browser) ok(r reply) reply {
	b.Helper()
	if r.status == http.StatusNotImplemented {
		panic(verdict{mark: notApplicable, note: r.body})
	}
	if r.status >= 400 {
		b.Fatalf("status %d: %s", r.status, r.body)
	}
	return r
}

// get and post send a request that must succeed.
func (b *browser) get(path string, query ...string) reply {
	b.Helper()
	return b.ok(b.send("GET", path, query, nil))
}

func (b *browser) post(path string, query ...string) reply {
	b.Helper()
	return b.ok(b.send("POST", path, query, nil))
}

// try sends a request that may fail.
func (b *browser) try(method, path string, query ...string) reply {
	b.Helper()
	return b.send(method, path, query, nil)
}

// send sends a request, and keeps the cookies of its response. started, if set, is called
// once the body has begun.
func (b *browser) send(method, path string, query []string, header http.Header) reply {
	r, err := b.exchange(method, path, query, header, nil)
	if err != nil {
		b.Errorf("%s %s: %v", method, path, err)
	}
	return r
}

func (b *browser) exchange(method, path string, query []string, header http.Header, started func()) (reply, error) {
	values := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	req, err := http.NewRequestWithContext(b.Context(), method, b.url+path+"?"+values.Encode(), nil)
	if err != nil {
		return reply{}, err
	}
	maps.Copy(req.Header, header)
	var pairs []string
	for name, value := range b.cookies() {
		pairs = append(pairs, name+"="+value)
	}
	if len(pairs) > 0 {
		slices.Sort(pairs)
		req.Header.Set("Cookie", strings.Join(pairs, "; "))
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body := bufio.NewReader(resp.Body)
	r := reply{status: resp.StatusCode, header: resp.Header, cookies: resp.Cookies()}
	if started != nil {
		if r.body, err = body.ReadString('\n'); err != nil {
			rest, _ := io.ReadAll(body)
			r.body += string(rest)
			return r, nil
		}
		started()
	}
	rest, err := io.ReadAll(body)
	r.body += string(rest)
	b.keep(r.cookies)
	return r, err
}

func (b *browser) keep(cookies []*http.Cookie) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range cookies {
		if c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(time.Now()) {
			delete(b.jar, c.Name)
		} else {
			b.jar[c.Name] = c.Value
		}
	}
}

// during sends n requests that wait at a gate, calls f, and lets the requests go. They all
// have the cookies of before.
func (b *browser) during(n int, path string, query []string, f func()) []reply {
	b.Helper()
	name := fmt.Sprint("gate", gateNumber.Add(1))
	replies := make([]reply, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { replies[i] = b.send("POST", path, slices.Concat(query, []string{"gate", name}), nil) })
	}
	if !b.app.gates.arrived(name, n) {
		b.Error("the requests have not come to their gate")
	}
	f()
	b.app.gates.let(name)
	wg.Wait()
	return replies
}

func pause() { time.Sleep(100 * time.Millisecond) }
