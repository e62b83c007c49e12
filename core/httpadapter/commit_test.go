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
	"github.com/satchel-go/satchel/core/sealed"
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

func TestC3FailureOfAnInnerManagerKeepsTheOutersCookie(t *testing.T) {
	outer := manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	store := &down{Store: memstore.New(memstore.Config{}), down: true}
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

func TestC7CookieOfAnExplicitCommitSurvivesAClearedHeader(t *testing.T) {
	m := manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
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

func TestC3OnErrorHasTheSession(t *testing.T) {
	store := &down{Store: memstore.New(memstore.Config{}), down: true}
	m := manager(t, core.ServerSide(store), core.Config{})
	h := httpadapter.Middleware(m, httpadapter.OnError(func(_ http.ResponseWriter, r *http.Request, _ error) {
		if _, ok := httpadapter.TrySession(r); !ok {
			t.Error("OnError's request has no session: an error page whose layout calls Session(r) panics")
		}
	}))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Set("k", "v") }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
}

func TestC3C6HeldBodyIsStillInTime(t *testing.T) {
	keys, _ := sealed.ParseKeyring(sealed.GenerateKey())
	m := manager(t, core.ClientSide(sealed.Cookie(keys)), core.Config{Cookie: core.Cookie{MaxParts: 1}})
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

// An option that is nil must not show itself first in an outage.
func TestL3NilOptionsChangeNothing(t *testing.T) {
	m, err := core.New(core.ServerSide(broken{memstore.New(memstore.Config{}), errors.New("down")}), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	httpadapter.Middleware(m, httpadapter.OnError(nil), httpadapter.Skip(nil))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Set("k", "v")
	})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("L3: status %d", w.Code)
	}
}
