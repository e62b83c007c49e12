package goredisstore_test

import (
	"context"
	"crypto/fips140"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// rig is an application on a real HTTP server, with its sessions in Redis.
type rig struct {
	t       *testing.T
	store   *goredisstore.Store
	manager *core.Manager
	prefix  string
	url     string

	mu     sync.Mutex
	events []core.Event
}

// newRig builds the application on client. Zero fields of the configurations get
// values that suit tests.
func newRig(t *testing.T, client redis.UniversalClient, sc goredisstore.Config, mc core.Config) *rig {
	t.Helper()
	t.Cleanup(func() { _ = client.Close() })
	r := &rig{t: t}
	if sc.Prefix == "" {
		sc.Prefix = redistest.UniquePrefix(t)
	}
	r.prefix = sc.Prefix
	sc.Now = mc.Now
	mc.InsecureAllowHTTP = true
	mc.Observer = func(_ context.Context, e core.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}
	r.store = goredisstore.New(client, sc)
	var err error
	if r.manager, err = core.New(core.ServerSide(r.store), mc); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r.routes())
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// newProxied builds the application on a proxy to srv, with a client that suits
// sessions.
func newProxied(t *testing.T, srv *redistest.Server, mc core.Config) (*rig, *redistest.Proxy) {
	t.Helper()
	proxy := redistest.StartProxy(t, srv.Addr())
	client, err := goredisstore.NewClient(proxy.URL())
	if err != nil {
		t.Fatal(err)
	}
	return newTaught(t, proxy, client, mc), proxy
}

// newTaught builds the application on a client of proxy, and loads the scripts
// into Redis.
func newTaught(t *testing.T, proxy *redistest.Proxy, client redis.UniversalClient, mc core.Config) *rig {
	t.Helper()
	r := newRig(t, client, goredisstore.Config{}, mc)
	r.teach()
	proxy.Reset()
	return r
}

var visits = core.NewKey[int]("visits")

func (r *rig) routes() http.Handler {
	inside := http.NewServeMux()
	handle := func(pattern string, f func(*core.Session, *http.Request) (string, error)) {
		inside.HandleFunc(pattern, func(w http.ResponseWriter, q *http.Request) {
			text, err := f(httpadapter.Session(q), q)
			if err != nil {
				httpadapter.WriteErrorResponse(w, err)
				return
			}
			_, _ = io.WriteString(w, text)
		})
	}
	handle("/blank", func(*core.Session, *http.Request) (string, error) { return "", nil })
	handle("/get", func(s *core.Session, q *http.Request) (string, error) {
		v, _ := core.Get[string](s, q.FormValue("key"))
		return v, nil
	})
	handle("/user", func(s *core.Session, _ *http.Request) (string, error) { return s.UserID(), nil })
	handle("/visits", func(s *core.Session, _ *http.Request) (string, error) {
		n, _ := visits.Get(s)
		return fmt.Sprint(n), nil
	})
	handle("/set", func(s *core.Session, q *http.Request) (string, error) {
		s.Set(q.FormValue("key"), q.FormValue("value"))
		return "", nil
	})
	handle("/incr", func(s *core.Session, q *http.Request) (string, error) {
		visits.Update(s, func(n int) int { return n + 1 })
		err := s.Commit(q.Context())
		n, _ := visits.Get(s)
		return fmt.Sprint(n), err
	})
	handle("/login", func(s *core.Session, q *http.Request) (string, error) { s.Login(q.FormValue("user")); return "", nil })
	handle("/logout", func(s *core.Session, _ *http.Request) (string, error) { s.Logout(); return "", nil })
	handle("/renew", func(s *core.Session, _ *http.Request) (string, error) { s.Renew(); return "", nil })
	mux := http.NewServeMux()
	mux.Handle("/", httpadapter.Middleware(r.manager)(inside))
	mux.HandleFunc("/outside", func(http.ResponseWriter, *http.Request) {})
	return mux
}

// teach loads the scripts into Redis, so that from now on each is one command.
func (r *rig) teach() {
	r.t.Helper()
	b := r.browser()
	b.ok("/set", "key", "a", "value", "b")
	b.ok("/login", "user", "teacher")
	b.ok("/logout")
	if err := r.store.Touch(r.t.Context(), core.ID{1}, 1, time.Now()); !isGone(err) {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = nil
}

func isGone(err error) bool {
	return err != nil && strings.Contains(err.Error(), core.ErrNotFound.Error())
}

// count returns how many events of a kind were reported.
func (r *rig) count(kind core.EventKind, reasons ...core.Reason) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, e := range r.events {
		if e.Kind == kind && (len(reasons) == 0 || slices.Contains(reasons, e.Reason)) {
			n++
		}
	}
	return n
}

// browser keeps the session's cookie as browsers do.
type browser struct {
	r      *rig
	client *http.Client

	mu     sync.Mutex
	cookie string // "name=value", "" if there is none
}

func (r *rig) browser() *browser {
	transport := &http.Transport{}
	r.t.Cleanup(transport.CloseIdleConnections)
	return &browser{r: r, client: &http.Client{Transport: transport, Timeout: 15 * time.Second}}
}

// copied returns a second browser with the same cookie.
func (b *browser) copied() *browser {
	other := b.r.browser()
	other.cookie = b.current()
	return other
}

func (b *browser) current() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cookie
}

// answer is the result of a request. Its error is a transport error.
type answer struct {
	status int
	body   string
	set    bool // a cookie was set or removed
	took   time.Duration
	err    error
}

// do sends one request with parameters, given as pairs.
func (b *browser) do(path string, pairs ...string) answer {
	return b.doCtx(b.r.t.Context(), path, pairs...)
}

func (b *browser) doCtx(ctx context.Context, path string, pairs ...string) answer {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, b.r.url+path+"?"+query.Encode(), nil)
	if err != nil {
		return answer{err: err}
	}
	if cookie := b.current(); cookie != "" {
		q.Header.Set("Cookie", cookie)
	}
	start := time.Now()
	response, err := b.client.Do(q)
	if err != nil {
		return answer{err: err, took: time.Since(start)}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	a := answer{status: response.StatusCode, body: string(body), took: time.Since(start), err: err}
	for _, c := range response.Cookies() {
		a.set = true
		b.mu.Lock()
		if b.cookie = c.Name + "=" + c.Value; c.MaxAge < 0 {
			b.cookie = ""
		}
		b.mu.Unlock()
	}
	return a
}

// ok is do for a request that must succeed. It returns the body.
func (b *browser) ok(path string, pairs ...string) string {
	b.r.t.Helper()
	a := b.do(path, pairs...)
	if a.err != nil || a.status != http.StatusOK {
		b.r.t.Errorf("%s %v: status %d (%v), want 200", path, pairs, a.status, a.err)
	}
	return a.body
}

// shows is ok for a request whose body must be want. when is for the failure.
func (b *browser) shows(when, want, path string, pairs ...string) {
	b.r.t.Helper()
	if got := b.ok(path, pairs...); got != want {
		b.r.t.Errorf("%s: %s %v is %q, want %q", when, path, pairs, got, want)
	}
}

// refused is do for a request that must fail without Redis: soon, with a 503, and
// leaving the cookie as it was.
func (b *browser) refused(path string, pairs ...string) {
	b.r.t.Helper()
	before := b.current()
	a := b.do(path, pairs...)
	switch {
	case a.err != nil || a.status != http.StatusServiceUnavailable:
		b.r.t.Errorf("%s %v: status %d (%v), want 503", path, pairs, a.status, a.err)
	case a.set || b.current() != before:
		b.r.t.Errorf("%s %v: 503 changes the cookie", path, pairs)
	case a.body != "Service Unavailable\n":
		b.r.t.Errorf("%s %v: 503 with the body %q", path, pairs, a.body)
	}
	b.r.soon(a.took, path)
}

// soon checks that a request ended near the store's deadline. A commit may make
// several calls, each with that deadline, within its own two seconds. go-redis
// alone would continue for many seconds.
func (r *rig) soon(took time.Duration, what string) {
	r.t.Helper()
	if took > 6*time.Second { // a busy machine takes longer than the deadlines
		r.t.Errorf("%s took %v, want about half a second", what, took)
	}
}

// loggedIn returns a browser with a session of user that has the value "v"
// under the key "k".
func (r *rig) loggedIn(user string) *browser {
	r.t.Helper()
	b := r.browser()
	b.ok("/set", "key", "k", "value", "v")
	b.ok("/login", "user", user)
	return b
}

// sessions returns the IDs of user's sessions.
func (r *rig) sessions(user string) []core.ID {
	r.t.Helper()
	infos, err := r.manager.List(r.t.Context(), user)
	if err != nil {
		r.t.Fatalf("list: %v", err)
	}
	ids := make([]core.ID, len(infos))
	for i, info := range infos {
		ids[i] = info.ID
	}
	return ids
}

// keys returns the rig's keys on srv.
func (r *rig) keys(srv *redistest.Server) []string {
	r.t.Helper()
	keys := srv.Strings("KEYS", r.prefix+"*")
	slices.Sort(keys)
	return keys
}

// hasKeys fails the test unless the rig's keys on srv are want.
func (r *rig) hasKeys(srv *redistest.Server, want []string) {
	r.t.Helper()
	if got := r.keys(srv); !slices.Equal(got, want) {
		r.t.Errorf("keys %q, want %q", got, want)
	}
}

// scripts are the store's scripts as built in: "make mutate" changes them.
//
//go:embed lua/*.lua
var scripts embed.FS

// script matches the commands that run one of the store's scripts.
func script(names ...string) redistest.Match {
	var texts []string
	for _, name := range names {
		source, err := scripts.ReadFile("lua/" + name + ".lua")
		if err != nil {
			panic(err)
		}
		texts = append(texts, string(source))
		if !fips140.Enabled() {
			sum := sha1.Sum(source)
			texts = append(texts, hex.EncodeToString(sum[:]))
		}
	}
	return func(args []string) bool { return len(args) > 1 && slices.Contains(texts, args[1]) }
}

// until polls until ok returns true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
