package devpage_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/devpage"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

const mounted = "/debug/sessions"

type app struct {
	*testing.T
	m    *core.Manager
	page *devpage.Page
	h    http.Handler
	told []core.Event
	now  time.Time
}

// newApp mounts a page beside handler, inside the session middleware.
func newApp(t *testing.T, b core.Backend, handler func(*core.Session, http.ResponseWriter, *http.Request), configure ...func(*core.Config)) *app {
	t.Helper()
	a := &app{T: t, now: time.Now()}
	c := core.Config{
		Development: true, InsecureAllowHTTP: true, Now: func() time.Time { return a.now },
		Observer: func(context.Context, core.Event) {},
	}
	for _, f := range configure {
		f(&c)
	}
	var err error
	a.m, err = core.New(b, c)
	if err != nil {
		t.Fatal(err)
	}
	if a.page, err = devpage.New(a.m); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(mounted, a.page)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { handler(httpadapter.Session(r), w, r) })
	a.h = httpadapter.Middleware(a.m)(mux)
	return a
}

func (a *app) request(target string, cookies ...string) *http.Request {
	r := httptest.NewRequestWithContext(a.Context(), http.MethodGet, target, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "localhost:8080"
	if len(cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	return r
}

// do serves a request and returns the cookie that the response sets.
func (a *app) do(target string, cookies ...string) string {
	w := httptest.NewRecorder()
	a.h.ServeHTTP(w, a.request(target, cookies...))
	cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return cookie
}

// show returns the page, with a query.
func (a *app) show(query string) string {
	a.Helper()
	w := httptest.NewRecorder()
	a.h.ServeHTTP(w, a.request(mounted+query))
	if w.Code != 200 {
		a.Fatalf("the page answers %d: %s", w.Code, w.Body)
	}
	if cookie := w.Header().Get("Set-Cookie"); cookie != "" {
		a.Errorf("the page sets a cookie: looking must not use the session")
	}
	return w.Body.String()
}

func idle(*core.Session, http.ResponseWriter, *http.Request) {}

func TestRefusedOutsideDevelopment(t *testing.T) {
	m, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{InsecureAllowHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	dev, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{Development: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, managers := range map[string][]*core.Manager{"production": {m}, "one of two": {dev, m}} {
		page, err := devpage.New(managers...)
		if page != nil || !errors.Is(err, core.ErrUnsupported) || !strings.Contains(err.Error(), "Config.Development") {
			t.Errorf("%s: %v, %v", name, page, err)
		}
	}
	for name, managers := range map[string][]*core.Manager{"none": {}, "nil": {nil}} {
		if page, err := devpage.New(managers...); page != nil || err == nil {
			t.Errorf("%s: %v, %v", name, page, err)
		}
	}
}

// TestForThisMachineOnly shows that neither other machines nor other websites,
// whose names may point to this machine, get the page.
func TestForThisMachineOnly(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), idle)
	for _, c := range []struct {
		remote, host, forwarded string
		want                    int
	}{
		{"127.0.0.1:1", "localhost", "", 200},
		{"127.0.0.9:1", "127.0.0.1:8080", "", 200},
		{"[::1]:1", "[::1]:8080", "", 200},
		{"[::1]:1", "[::1]", "", 200},
		{"[::ffff:127.0.0.1]:1", "LOCALHOST:80", "", 200},
		{"127.0.0.1:1", "shop.localhost:8080", "127.0.0.1, ::1", 200},
		{"192.0.2.7:1", "localhost", "", 403},
		{"10.0.0.1:1", "localhost", "127.0.0.1", 403},
		{"127.0.0.1:1", "evil.example", "", 403},
		{"127.0.0.1:1", "localhost.evil.example", "", 403},
		{"127.0.0.1:1", "evillocalhost", "", 403},
		{"127.0.0.1:1", "192.168.0.2:8080", "", 403},
		{"127.0.0.1:1", "localhost", "192.0.2.7", 403},
		{"127.0.0.1:1", "localhost", "127.0.0.1, 192.0.2.7", 403},
		{"127.0.0.1:1", "localhost", "127.0.0.1\n192.0.2.7", 403},
		{"127.0.0.1:1", "localhost", "unknown", 403},
		{"127.0.0.1:1", "", "", 403},
		{"@", "localhost", "", 403},
		{"", "localhost", "", 403},
	} {
		for _, query := range []string{"", "?q=ann", "?trouble=1", "?css"} {
			for _, name := range []string{"X-Forwarded-For", "X-Real-IP"} {
				r := a.request(mounted + query)
				r.RemoteAddr, r.Host = c.remote, c.host
				for line := range strings.Lines(c.forwarded) {
					r.Header.Add(name, strings.TrimSpace(line))
				}
				w := httptest.NewRecorder()
				a.page.ServeHTTP(w, r)
				if w.Code != c.want || c.want == 403 && strings.ContainsAny(w.Body.String(), "<{") {
					t.Errorf("%s, %+v, %s: %d", query, c, name, w.Code)
				}
			}
		}
	}
	a.page.InsecureAllowRemote = true
	r := a.request(mounted)
	r.RemoteAddr, r.Host = "192.0.2.7:1", "shop.test"
	w := httptest.NewRecorder()
	if a.page.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("InsecureAllowRemote: %d", w.Code)
	}
}

func TestHeaders(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), idle)
	w := httptest.NewRecorder()
	a.h.ServeHTTP(w, a.request(mounted))
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, forbidden := range []string{"<script", "<style", " style=", " onclick="} {
		if strings.Contains(w.Body.String(), forbidden) {
			t.Errorf("the page has %s, which its policy forbids", forbidden)
		}
	}
	w = httptest.NewRecorder()
	if a.h.ServeHTTP(w, a.request(mounted+"?css")); w.Header().Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(w.Body.String(), "article {") {
		t.Errorf("the style sheet is %v", w.Header())
	}
	r := a.request(mounted)
	r.Method = http.MethodHead
	w = httptest.NewRecorder()
	if a.h.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
	r = a.request(mounted)
	r.Method = http.MethodPost
	w = httptest.NewRecorder()
	if a.h.ServeHTTP(w, r); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

// TestEveryEventIsExplained reads the events from the core's source, so that
// none can be added without words for it.
func TestEveryEventIsExplained(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string][]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				s, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				constants[typ.Name] = append(constants[typ.Name], s)
			}
		}
		return true
	})
	kinds, reasons := constants["EventKind"], constants["Reason"]
	if len(kinds) < 20 || len(reasons) < 15 {
		t.Fatalf("found %d kinds and %d reasons", len(kinds), len(reasons))
	}
	for _, kind := range kinds {
		if kind != string(core.EventFinished) && !devpage.Explained(core.EventKind(kind), "") {
			t.Errorf("the page has no words for %q", kind)
		}
	}
	for _, reason := range reasons {
		found := false
		for _, kind := range kinds {
			found = found || devpage.Explained(core.EventKind(kind), core.Reason(reason))
			e := core.Event{Kind: core.EventKind(kind), Reason: core.Reason(reason), Time: time.Now(), Detail: "x"}
			cookiesOnly := e.Kind == core.EventDuplicates || e.Kind == core.EventAbsent && e.Reason == core.ReasonPlainHTTP
			for _, word := range []string{"cookie", "browser"} {
				if text := devpage.Words(e, true); !cookiesOnly && strings.Contains(strings.ToLower(strings.ReplaceAll(text, reason, "")), word) {
					t.Errorf("%s, %s: speaks of a %s where tokens travel in a header: %s", kind, reason, word, text)
				}
			}
		}
		if !found && reason != string(core.ReasonNoCookie) {
			t.Errorf("the page has no words for the reason %q", reason)
		}
	}
}

// TestStrangersTextIsEscaped: a client can send any text as a path or user.
func TestStrangersTextIsEscaped(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), func(s *core.Session, _ http.ResponseWriter, _ *http.Request) { s.Login(evil) })
	r := a.request("/")
	r.URL.Path = "/" + evil
	r.Method = evil
	a.h.ServeHTTP(httptest.NewRecorder(), r)
	body := a.show("?q=" + strings.ReplaceAll(`%22%3E<script>`, "<", "%3C"))
	body += a.show("")
	if strings.Contains(body, "<script") || !strings.Contains(html.UnescapeString(body), evil) {
		t.Errorf("not escaped, or not shown:\n%s", body)
	}
}

func TestFilters(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), func(s *core.Session, w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/login":
			s.Login(r.URL.Query().Get("user"))
		case "/fail":
			s.Set("k", "v")
			w.WriteHeader(500)
		}
	})
	ann := a.do("/login?user=ann")
	a.do("/login?user=bob")
	a.do("/fail", ann)
	list, err := a.m.List(t.Context(), "ann")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	for query, want := range map[string]int{
		"": 3, "?q=ann": 2, "?q=bob": 1, "?q=" + list[0].ID.String(): 2, "?q=nobody": 0,
		"?q=+ann+": 2, "?q=/login": 2, "?trouble=1": 1, "?q=bob&trouble=1": 0,
	} {
		body := a.show(query)
		if got := strings.Count(body, "<article>"); got != want || !strings.Contains(body, fmt.Sprintf("%d of 3 shown", want)) {
			t.Errorf("%s: %d entries, want %d", query, got, want)
		}
	}
	if body := a.show(""); strings.Index(body, ">/fail<") > strings.Index(body, ">/login<") {
		t.Error("the newest request is not the first")
	}
}

// TestFoundByUser: a search for a user finds the request in which they were no
// longer logged in, although nothing proves that it was theirs.
func TestFoundByUser(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), func(s *core.Session, _ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			s.Login("ann")
		}
	})
	cookie := a.do("/login")
	id := a.idOf("ann")
	a.now = a.now.Add(31 * time.Minute)
	a.do("/cart", cookie)
	for _, query := range []string{"ann", id.String()} {
		body := a.show("?trouble=1&q=" + query)
		if !strings.Contains(body, "Expired at") || !strings.Contains(body, ">/cart<") {
			t.Errorf("a search for %s does not find the request after the end:\n%s", query, body)
		}
		if strings.Contains(body, "user <a") {
			t.Error("a token that was refused is shown as the user's")
		}
	}
}

// TestMissingPart: for a session over several cookies that arrives in part, the
// page names missing cookies too, not only another application.
func TestMissingPart(t *testing.T) {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	a := newApp(t, core.ClientSide(sealed.Cookie(keys)), func(s *core.Session, _ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fill" {
			s.Set("k", strings.Repeat("x", 8000))
		}
	}, func(c *core.Config) { c.Cookie.MaxParts = 5 })
	first := a.do("/fill") // the first of several
	if !strings.HasPrefix(first, "session=~") {
		t.Fatalf("the session is not split: %.20s", first)
	}
	a.do("/", first)
	if body := a.show("?trouble=1"); !strings.Contains(body, "cookies of a large session are missing") {
		t.Errorf("a missing part is not explained:\n%s", body)
	}
}

// TestAnswerOfTheSession: if an error replaced the handler's response, the page
// says so, and where to read the error.
func TestAnswerOfTheSession(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), func(s *core.Session, _ http.ResponseWriter, _ *http.Request) {
		s.Set("k", make(chan int))
	})
	a.do("/")
	body := a.show("")
	problem, advice := strings.Index(body, "Error: session value"), strings.Index(body, "Read the error above.")
	if !strings.Contains(body, ">an error of the session<") || problem < 0 || advice < problem {
		t.Errorf("the page does not say how it was answered:\n%s", body)
	}
}

// TestMemoryIsBounded: whatever happens, the page keeps at most 200 requests with
// a few short texts each.
func TestMemoryIsBounded(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), func(s *core.Session, _ http.ResponseWriter, r *http.Request) {
		s.Login(r.URL.Query().Get("user"))
		if r.URL.Path == "/short" {
			return
		}
		for i := range 50 { // a note each
			s.Set("k", i)
			_ = s.Commit(r.Context())
		}
	})
	user := strings.Repeat("ü", 200)
	for i := range 2200 {
		path := "/" + strings.Repeat("x", 3000)
		if i%10 != 0 {
			path = "/short"
		}
		r := a.request(path + "?user=" + user)
		a.h.ServeHTTP(httptest.NewRecorder(), r)
		if i%50 == 0 {
			if err := a.m.RevokeAll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries, requests, sessions, bytes := a.page.Size()
	if entries != 200 || requests > 200 || sessions != 2000 {
		t.Errorf("%d entries, %d requests, %d sessions", entries, requests, sessions)
	}
	if bytes > 200*24*1000 {
		t.Errorf("%d bytes of text", bytes)
	}
	body := a.show("")
	if strings.Contains(body, strings.Repeat("x", 400)) || !strings.Contains(body, "more.</p>") {
		t.Error("long texts are not cut, or notes are dropped silently")
	}
}

// TestNeverATokenOrValue looks for tokens and values on the page after random
// traffic of all kinds.
func TestNeverATokenOrValue(t *testing.T) {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]core.Backend{
		"memory": core.ServerSide(memstore.New(memstore.Config{})), "cookie": core.ClientSide(sealed.Cookie(keys)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(1, 2)) // the same traffic in every run
			var values []string
			a := newApp(t, b, func(s *core.Session, w http.ResponseWriter, r *http.Request) {
				act(s, w, r, rnd, &values)
			})
			cookies := []string{"session=nonsense"}
			for range 600 {
				a.now = a.now.Add(time.Duration(rnd.IntN(15)) * time.Minute)
				sent := []string{cookies[rnd.IntN(len(cookies))]}
				if rnd.IntN(2) == 0 {
					sent[0] = cookies[len(cookies)-1]
				}
				if rnd.IntN(8) == 0 {
					sent = append(sent, cookies[rnd.IntN(len(cookies))])
				}
				if cookie := a.do("/"+strconv.Itoa(rnd.IntN(12)), sent...); strings.Contains(cookie, "=") && !strings.HasSuffix(cookie, "=") {
					cookies = append(cookies, cookie)
				}
				if rnd.IntN(30) == 0 {
					clean(t, name, a.show(""), cookies[1:], values)
				}
			}
			if len(cookies) < 50 || len(values) < 50 {
				t.Errorf("only %d tokens and %d values", len(cookies), len(values))
			}
		})
	}
}

// act does what the path says.
func act(s *core.Session, w http.ResponseWriter, r *http.Request, rnd *rand.Rand, values *[]string) {
	secret := func() string {
		v := fmt.Sprintf("value-%016x", rnd.Uint64())
		*values = append(*values, v)
		return v
	}
	switch r.URL.Path {
	case "/1", "/2":
		s.Login("ann")
	case "/3":
		s.Set("k", secret())
		w.WriteHeader(500)
	case "/4":
		s.Logout()
	case "/5":
		s.Renew()
	case "/6":
		s.Flash("info", secret())
	case "/7":
		_ = s.RevokeOthers(r.Context()) // not every backend can
	case "/8":
		w.WriteHeader(200)
		_, _ = w.Write(make([]byte, 64<<10))
		s.Set("k", secret())
	case "/9":
		s.Set("k", make(chan string)) // cannot be encoded
	case "/10":
		_, _ = core.Get[int](s, "k") // it is a string
	default:
		s.Set("k", secret())
	}
}

// clean checks that no part of a token that proves anything is in body.
func clean(t *testing.T, backend, body string, cookies, values []string) {
	t.Helper()
	const window = 12
	parts := map[string]bool{}
	for _, cookie := range cookies {
		_, value, _ := strings.Cut(cookie, "=")
		if backend == "memory" {
			value = value[22:] // before it is the ID, which is public
		}
		for i := 0; i+window <= len(value); i += window {
			parts[value[i:i+window]] = true
		}
	}
	for i := range max(0, len(body)-window) {
		if parts[body[i:i+window]] {
			t.Fatalf("the page shows a part of a token: %s", body[i:i+window])
		}
	}
	for _, v := range values {
		if strings.Contains(body, v) {
			t.Fatalf("the page shows the value %s", v)
		}
	}
}

// TestConcurrentUse sends requests and reads the page at the same time, for the
// race detector.
func TestConcurrentUse(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), func(s *core.Session, _ http.ResponseWriter, _ *http.Request) { s.Login("ann") })
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 60 {
				a.do("/")
			}
		})
		wg.Go(func() {
			for range 10 {
				a.show("?q=ann")
			}
		})
	}
	wg.Wait()
	if got := strings.Count(a.show(""), "<article>"); got != 200 {
		t.Errorf("%d entries, want 200", got)
	}
}

// TestSeveralManagers: each entry names its Manager.
func TestSeveralManagers(t *testing.T) {
	var managers []*core.Manager
	h := http.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, name := range []string{"one", "two"} {
		m, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{
			Development: true, Cookie: core.Cookie{Name: name}, Observer: func(context.Context, core.Event) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		managers = append(managers, m)
		h = httpadapter.Middleware(m)(h)
	}
	page, err := devpage.New(managers...)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{T: t, page: page, h: h}
	a.do("/")
	a.h = page
	if body := a.show(""); strings.Count(body, "<article>") != 2 || !strings.Contains(body, "core.Manager(one)") || !strings.Contains(body, "core.Manager(two)") {
		t.Errorf("%s", body)
	}
}
