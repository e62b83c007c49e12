package httpadapter_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

type down struct {
	core.Store
	down bool
}

func (d *down) Unwrap() core.Store { return d.Store }
func (d *down) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if d.down {
		return 0, errors.New("down")
	}
	return d.Store.Save(ctx, id, e, base)
}

func manager(t *testing.T, b core.Backend, c core.Config) *core.Manager {
	t.Helper()
	if c.Observer == nil {
		c.Observer = func(context.Context, core.Event) {}
	}
	m, err := core.New(b, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRegressionInnerFailureLosesTheOuterExplicitCookie(t *testing.T) {
	outer := manager(t, core.ServerSide(memstore.New()), core.Config{})
	store := &down{Store: memstore.New(), down: true}
	inner := manager(t, core.ServerSide(store), core.Config{Cookie: core.Cookie{Name: "__Host-inner"}})
	h := httpadapter.Middleware(outer)(httpadapter.Middleware(inner)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.SessionOf(r, outer)
		s.Login("ann")
		if err := s.Commit(r.Context()); err != nil {
			t.Error(err)
		}
		httpadapter.SessionOf(r, inner).Set("k", "v")
		w.WriteHeader(200)
	})))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
	if got := rec.Header().Values("Set-Cookie"); len(got) != 1 {
		t.Errorf("the login was stored, its token is lost: status %d, %q", rec.Code, got)
	}
}

func TestRegressionClearedHeaderLosesTheExplicitCookie(t *testing.T) {
	m := manager(t, core.ServerSide(memstore.New()), core.Config{})
	h := httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		s.Login("ann")
		if err := s.Commit(r.Context()); err != nil {
			t.Error(err)
		}
		clear(w.Header()) // as error handlers do
		http.Error(w, "no", 500)
	}))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
	if got := rec.Header().Values("Set-Cookie"); len(got) != 1 {
		t.Errorf("the login was stored, its token is lost: %q", got)
	}
}

func TestRegressionFailedHijackLosesTheCookie(t *testing.T) {
	m := manager(t, core.ServerSide(memstore.New()), core.Config{})
	var late error
	h := httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		s.Set("k", "v")
		if _, _, err := w.(http.Hijacker).Hijack(); err != nil {
			w.WriteHeader(200) // falls back to polling
		}
		late = s.Err()
	}))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
	if got := rec.Header().Values("Set-Cookie"); len(got) != 1 {
		t.Errorf("an ordinary response, and no cookie: %q, %v", got, late)
	}
}

func TestRegressionFailedHijackThen500(t *testing.T) {
	m := manager(t, core.ServerSide(memstore.New()), core.Config{})
	var id core.ID
	step := func(_ http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		s.Set("k", "first")
	}
	h := httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { step(w, r) }))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
	cookie, _, _ := strings.Cut(rec.Header().Get("Set-Cookie"), ";")
	step = func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		id = s.ID()
		s.Set("k", "second")
		if _, _, err := w.(http.Hijacker).Hijack(); err != nil {
			http.Error(w, "cannot upgrade", 500) // what gorilla/websocket does
		}
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil)
	req.Header.Set("Cookie", cookie)
	h.ServeHTTP(httptest.NewRecorder(), req)
	_ = m.View(t.Context(), id, func(s *core.Session) error {
		if v, _ := core.Get[string](s, "k"); v != "first" {
			t.Errorf("C4: the response is a 500 and k is %q", v)
		}
		return nil
	})
}

func TestRegressionOnErrorHasNoSession(t *testing.T) {
	store := &down{Store: memstore.New(), down: true}
	m := manager(t, core.ServerSide(store), core.Config{})
	h := httpadapter.Middleware(m, httpadapter.OnError(func(_ http.ResponseWriter, r *http.Request, _ error) {
		if _, ok := httpadapter.TrySession(r); !ok {
			t.Error("OnError's request has no session: an error page whose layout calls Session(r) panics")
		}
	}))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Set("k", "v") }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
}

func TestRegressionGoneClientIsReportedAsUnavailable(t *testing.T) {
	var kinds []core.EventKind
	store := memstore.New()
	m := manager(t, core.ServerSide(store), core.Config{Observer: func(_ context.Context, e core.Event) { kinds = append(kinds, e.Kind) }})
	h := httpadapter.Middleware(m)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Set("k", "v") }))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil).WithContext(ctx)
	req.Header.Set("Cookie", strings.SplitN(rec.Header().Get("Set-Cookie"), ";", 2)[0])
	kinds = nil
	h.ServeHTTP(httptest.NewRecorder(), req)
	for _, k := range kinds {
		if k == core.EventUnavailable {
			t.Error("a client that hung up is logged as an outage, at level Error")
		}
	}
}

func TestRegressionHeldBody(t *testing.T) {
	keys, _ := core.ParseKeyring(core.GenerateKey())
	m := manager(t, core.ClientSide(core.NewCookieSealer(keys)), core.Config{Cookie: core.Cookie{MaxParts: 1}})
	var step http.HandlerFunc
	h := httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { step(w, r) }))
	srv := httptest.NewServer(h)
	defer srv.Close()
	cookie := ""
	do := func() (*http.Response, string) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		req.Header.Set("Cookie", cookie)
		req.Header.Set("X-Forwarded-Proto", "https")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // read to its end
		var b strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := res.Body.Read(buf)
			b.Write(buf[:n])
			if err != nil {
				break
			}
		}
		if c := res.Header.Get("Set-Cookie"); c != "" {
			cookie = strings.SplitN(c, ";", 2)[0]
		}
		return res, b.String()
	}
	step = func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Flash("a", "b")
		w.WriteHeader(303)
	}
	do()
	step = func(w http.ResponseWriter, r *http.Request) { // too large, with a length
		w.Header().Set("Content-Length", "5")
		_, _ = w.Write([]byte("hello"))
		httpadapter.Session(r).Set("k", strings.Repeat("x", 9000))
	}
	res, body := do()
	if res.StatusCode != 500 || strings.Contains(body, "hello") {
		t.Errorf("%d %q", res.StatusCode, body)
	}
	step = func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(strings.Repeat("x", 20000)))
		if len(httpadapter.Session(r).Flashes()) != 1 {
			t.Error("flash lost")
		}
		_, _ = w.Write([]byte(strings.Repeat("x", 20000)))
	}
	if res, body = do(); len(body) != 40000 {
		t.Errorf("%d %d", res.StatusCode, len(body))
	}
	step = func(_ http.ResponseWriter, r *http.Request) {
		if n := len(httpadapter.Session(r).Flashes()); n != 0 {
			t.Error("shown twice")
		}
	}
	do()
}
