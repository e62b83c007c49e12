package httpadapter_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

// remembering is a cache inside the middleware: it keeps the header after the
// response was written, and answers the next request with it.
func remembering(next http.Handler) http.Handler {
	var header http.Header
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if header == nil {
			next.ServeHTTP(w, r)
			header = w.Header().Clone()
			return
		}
		maps.Copy(w.Header(), header)
		_, _ = io.WriteString(w, "page")
	})
}

func setting(w http.ResponseWriter, r *http.Request) {
	httpadapter.Session(r).Set("k", "v")
	w.Header().Set("X-Page", "1")
	_, _ = io.WriteString(w, "page")
}

// A cache inside gives nobody another client's session.
func TestC7CacheInsideHandsOutNoSession(t *testing.T) {
	srv := start(t, remembering(http.HandlerFunc(setting)))
	if first, _ := fetch(t, srv.URL); len(first.Cookies()) != 1 {
		t.Errorf("the first client got %d cookies, want its own", len(first.Cookies()))
	}
	second, body := fetch(t, srv.URL)
	if body != "page" || second.Header.Get("X-Page") != "1" || len(second.Cookies()) != 0 {
		t.Errorf("the second client got %q, %v", body, second.Header)
	}
}

// zipped is a writer outside that holds the response back until it ends.
type zipped struct {
	http.ResponseWriter

	status int
	zip    *gzip.Writer
}

func (z *zipped) WriteHeader(status int)      { z.status = status }
func (z *zipped) Write(b []byte) (int, error) { return z.zip.Write(b) }

func zipping(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body strings.Builder
		z := &zipped{ResponseWriter: w, status: 200, zip: gzip.NewWriter(&body)}
		next.ServeHTTP(z, r)
		_ = z.zip.Close()
		w.Header().Set("X-Zipped", "yes")
		w.WriteHeader(z.status)
		_, _ = io.WriteString(w, body.String())
	})
}

// Writers outside that send the header later still have the cookie, and what the
// handler has changed in the header since it wrote.
func TestC7WritersOutsideKeepTheCookie(t *testing.T) {
	m := manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	inside := httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Gone", "1")
		h.Set("X-Changed", "before")
		h.Add("Set-Cookie", "mine=1")
		h.Add("X-More", "1")
		setting(w, r)
		h = w.Header()
		if lines := h.Values("Set-Cookie"); len(lines) != 1 {
			t.Errorf("the handler sees %q", lines)
		}
		h.Del("X-Gone")
		h.Set("X-Changed", "after")
		h.Add("X-More", "2")
		h.Add("Set-Cookie", "late=1")
		h.Add("Set-Cookie", "__Host-session=forged")
	}))
	for name, h := range map[string]http.Handler{
		"gzip": zipping(inside), "timeout": http.TimeoutHandler(inside, time.Minute, "too slow"),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
		got := w.Result().Header //nolint:bodyclose // a recorder has none
		var cookies []string
		for _, line := range got.Values("Set-Cookie") {
			cookie, _, _ := strings.Cut(line, "=")
			cookies = append(cookies, cookie)
		}
		slices.Sort(cookies)
		if fmt.Sprint(cookies) != "[__Host-session late mine]" || strings.Contains(fmt.Sprint(got), "forged") {
			t.Errorf("%s: cookies %q", name, got.Values("Set-Cookie"))
		}
		if got.Get("X-Gone") != "" || got.Get("X-Changed") != "after" || len(got.Values("X-More")) != 2 || got.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: header %v", name, got)
		}
	}
}

// If the handler deletes its cookies after it has written, ours stay.
func TestC7DeletedCookiesAfterTheHeader(t *testing.T) {
	m := manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	h := zipping(httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "mine=1")
		setting(w, r)
		w.Header().Del("Set-Cookie")
	})))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
	if lines := w.Header().Values("Set-Cookie"); len(lines) != 1 || !strings.HasPrefix(lines[0], "__Host-session=") {
		t.Errorf("cookies %q", lines)
	}
}

// Trailers reach the client, declared or not, and after a flush too.
func TestAD6TrailersAfterACookie(t *testing.T) {
	for name, write := range map[string]func(w http.ResponseWriter){
		"written": func(w http.ResponseWriter) { _, _ = io.WriteString(w, "body") },
		"flushed": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		srv := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			httpadapter.Session(r).Set("k", "v")
			w.Header().Set("Trailer", "X-Declared")
			write(w)
			w.Header().Set("X-Declared", "1")
			w.Header().Set(http.TrailerPrefix+"X-Other", "2")
			_ = http.NewResponseController(w).Flush() // so that the body has no length
		}))
		resp, _ := fetch(t, srv.URL)
		if resp.Trailer.Get("X-Declared") != "1" || resp.Trailer.Get("X-Other") != "2" || len(resp.Cookies()) != 1 {
			t.Errorf("%s: trailers %v, %d cookies", name, resp.Trailer, len(resp.Cookies()))
		}
	}
}

// A reverse proxy in a handler clears the header after early hints, and adds
// trailers at the end. The other program's session passes, unless we set one.
func TestC7ReverseProxyToAnotherSatchel(t *testing.T) {
	other := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Sum")
		httpadapter.Session(r).Set("k", "theirs")
		_, _ = io.WriteString(w, "proxied")
		w.Header().Set("X-Sum", "7")
	}))
	target, err := url.Parse(other.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	for _, set := range []bool{false, true} {
		var clashes []string
		m := manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{Observer: func(_ context.Context, e core.Event) {
			if e.Kind == core.EventCookieClash {
				clashes = append(clashes, e.Detail)
			}
		}})
		var token string
		srv := httptest.NewServer(httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s := httpadapter.Session(r); set {
				s.Set("k", "ours")
				if err := s.Commit(r.Context()); err != nil {
					t.Error(err)
				}
				token = s.ID().String()
			}
			proxy.ServeHTTP(w, r)
		})))
		resp, body := fetch(t, srv.URL)
		srv.Close()
		if body != "proxied" || len(resp.Cookies()) != 1 || resp.Trailer.Get("X-Sum") != "7" {
			t.Errorf("set %t: %q, cookies %v, trailers %v", set, body, resp.Cookies(), resp.Trailer)
			continue
		}
		if len(clashes) != 1 || strings.Contains(clashes[0], "replaced") != set {
			t.Errorf("set %t: told %q", set, clashes)
		}
		if n := sessionsOf(m, resp.Cookies()[0], t); (n == 1) != set {
			t.Errorf("set %t: the cookie is of %d sessions here, of %s", set, n, token)
		}
	}
}

// sessionsOf returns how many sessions of m the cookie has.
func sessionsOf(m *core.Manager, cookie *http.Cookie, t *testing.T) (n int) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil)
	r.AddCookie(cookie)
	httpadapter.Middleware(m)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if !httpadapter.Session(r).IsNew() {
			n++
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
	return n
}

// hijackable is a writer whose connection can be taken over.
type hijackable struct{ *httptest.ResponseRecorder }

func (hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, other := net.Pipe()
	_ = other.Close()
	return conn, nil, nil
}

// A cookie that an earlier Commit has left for the header cannot be sent once the
// handler takes over the connection. That is reported, not lost in silence.
func TestC6CommitThenHijack(t *testing.T) {
	for _, name := range []string{"hijacked", "after a 101", "with WriteCookie", "with WriteCookie, and refused"} {
		var late []core.Reason
		m := manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{Observer: func(_ context.Context, e core.Event) {
			if e.Kind == core.EventTooLate || e.Kind == core.EventCookieClash {
				late = append(late, e.Reason)
			}
		}})
		w := hijackable{httptest.NewRecorder()}
		httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := httpadapter.Session(r)
			s.Set("k", "v")
			if err := s.Commit(r.Context()); err != nil {
				t.Error(err)
			}
			switch name {
			case "after a 101":
				w.WriteHeader(http.StatusSwitchingProtocols)
			case "with WriteCookie", "with WriteCookie, and refused":
				if lines := m.WriteCookie(s); len(lines) != 1 {
					t.Errorf("%s: WriteCookie returned %q", name, lines)
				}
			}
			if strings.HasSuffix(name, "refused") {
				http.Error(w, "not a WebSocket", http.StatusBadRequest)
				return
			}
			if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
				t.Error(err)
			}
		})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
		cookies := len(w.Header().Values("Set-Cookie"))
		if refused := strings.HasSuffix(name, "refused"); refused && w.Result().Header.Get("X-Content-Type-Options") != "nosniff" { //nolint:bodyclose // a recorder has none
			t.Errorf("%s: the answer has no header: %v", name, w.Header())
		}
		lost := cookies == 0 && len(late) == 1 && late[0] == core.ReasonNoCookie
		if kept := cookies == 1 && len(late) == 0; kept != (name != "hijacked") || !kept && !lost {
			t.Errorf("%s: %d cookies, events %q", name, cookies, late)
		}
	}
}

// Responses that set no session cookie copy nothing.
func TestC7HeaderIsTheRealOneWithoutACookie(t *testing.T) {
	m := manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	w := httptest.NewRecorder()
	httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Keys()
		_, _ = io.WriteString(w, "page")
		w.Header().Set("X-Late", "1")
	})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
	if w.Header().Get("X-Late") != "1" {
		t.Error("the handler got a copy")
	}
}

// That others have set a cookie of our name is told, whether or not the handler asks for
// the session.
func TestC7OthersCookieIsToldWithoutASession(t *testing.T) {
	told := 0
	m := manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{Observer: func(_ context.Context, e core.Event) {
		if e.Kind == core.EventCookieClash {
			told++
		}
	}})
	w := httptest.NewRecorder()
	httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "__Host-session=other; Path=/; Secure")
	})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
	if told != 1 || len(w.Header().Values("Set-Cookie")) != 1 {
		t.Errorf("C7: told %d times, cookies %q", told, w.Header().Values("Set-Cookie"))
	}
}
