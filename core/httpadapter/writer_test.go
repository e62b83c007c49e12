package httpadapter_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

// start starts a server whose handler has a session. The conformance suite
// checks what clients see, the tests here what handlers see.
func start(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	store := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = store.Close() })
	m, err := core.New(core.ServerSide(store), core.Config{Observer: func(context.Context, core.Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(httpadapter.Middleware(m)(h))
	t.Cleanup(srv.Close)
	return srv
}

func fetch(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	return fetchWith(t, url, "")
}

func fetchWith(t *testing.T, url, cookie string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestAD6WriterKeepsItsAbilities uses the interfaces that helpers look for.
func TestAD6WriterKeepsItsAbilities(t *testing.T) {
	srv := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Set("k", "v")
		for name, ok := range map[string]bool{
			"Flusher":       is[http.Flusher](w),
			"Hijacker":      is[http.Hijacker](w),
			"Pusher":        is[http.Pusher](w),
			"CloseNotifier": is[http.CloseNotifier](w), //nolint:staticcheck // gin still asks for it
			"StringWriter":  is[io.StringWriter](w),
			"ReaderFrom":    is[io.ReaderFrom](w),
			"FlushError":    is[interface{ FlushError() error }](w),
		} {
			if !ok {
				t.Errorf("the writer is not an %s", name)
			}
		}
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Errorf("SetWriteDeadline: %v", err)
		}
		if err := w.(http.Pusher).Push("/x", nil); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Push over HTTP/1.1: %v, want ErrNotSupported", err)
		}
		if n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("from ")); n != 5 || err != nil {
			t.Errorf("ReadFrom: %d, %v", n, err)
		}
		if n, err := io.WriteString(w, "string"); n != 6 || err != nil {
			t.Errorf("WriteString: %d, %v", n, err)
		}
	}))
	resp, body := fetch(t, srv.URL)
	if body != "from string" || len(resp.Cookies()) != 1 {
		t.Errorf("body %q, %d cookies", body, len(resp.Cookies()))
	}
}

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

// TestAD10CloseNotify shows that CloseNotify reports a client that has gone.
func TestAD10CloseNotify(t *testing.T) {
	gone := make(chan struct{})
	srv := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		notify := w.(http.CloseNotifier).CloseNotify() //nolint:staticcheck // gin still asks for it
		w.(http.Flusher).Flush()
		select {
		case <-notify:
			close(gone)
		case <-time.After(10 * time.Second):
			t.Error("the client has gone and CloseNotify did not report it")
		}
	}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // hangs up
	<-gone
}

// TestLargeFile sends more than any buffer holds, through ReadFrom.
func TestLargeFile(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789"), 100_000)
	srv := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Flash("info", "downloaded")
		http.ServeContent(w, r, "large.bin", time.Time{}, bytes.NewReader(large))
	}))
	if resp, body := fetch(t, srv.URL); body != string(large) || len(resp.Cookies()) != 1 {
		t.Errorf("%d bytes, %d cookies", len(body), len(resp.Cookies()))
	}
}

// flashes starts a server with sessions in cookies, where the body waits because
// the page may still read flashes. It returns a client that has a flash.
func flashes(t *testing.T, h http.HandlerFunc) (url, cookie string) {
	t.Helper()
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	m, err := core.New(core.ClientSide(sealed.Cookie(keys)), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("/flash", func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Flash("info", "Saved.")
		w.WriteHeader(http.StatusSeeOther)
	})
	srv := httptest.NewServer(httpadapter.Middleware(m)(mux))
	t.Cleanup(srv.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/flash", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	cookie, _, _ = strings.Cut(resp.Header.Get("Set-Cookie"), ";")
	return srv.URL, cookie
}

// While the body waits, a second WriteHeader has no effect, as with net/http's
// own writer.
func TestC6SecondStatusIsIgnored(t *testing.T) {
	url, cookie := flashes(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		w.WriteHeader(http.StatusInternalServerError)
		httpadapter.Session(r).Set("k", "v")
		_, _ = io.WriteString(w, "body")
	})
	resp, body := fetchWith(t, url, cookie)
	if resp.StatusCode != http.StatusAccepted || body != "body" || len(resp.Cookies()) != 1 {
		t.Errorf("%d %q, %d cookies", resp.StatusCode, body, len(resp.Cookies()))
	}
}

// The body waits in memory, so its size must have a limit. A page written in
// small pieces is sent once it exceeds that limit.
func TestC6HeldBodyIsBounded(t *testing.T) {
	url, cookie := flashes(t, func(w http.ResponseWriter, _ *http.Request) {
		x := w.(interface{ Held() (int, bool) })
		piece := bytes.Repeat([]byte("x"), 1000)
		for range 100 {
			_, _ = w.Write(piece)
			if n, _ := x.Held(); n > 64<<10 {
				t.Errorf("%d bytes are held back", n)
				return
			}
		}
		if _, held := x.Held(); held {
			t.Error("the response has not begun after 100,000 bytes")
		}
	})
	if resp, body := fetchWith(t, url, cookie); resp.StatusCode != 200 || len(body) != 100_000 {
		t.Errorf("%d, %d bytes", resp.StatusCode, len(body))
	}
}

// A handler that keeps writing after a failed commit learns why it may not.
func TestE1RefusedWriteSaysWhy(t *testing.T) {
	down := errors.New("down")
	m, err := core.New(core.ServerSide(broken{memstore.New(memstore.Config{}), down}), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Set("k", "v")
		if _, err := io.WriteString(w, "body"); !errors.Is(err, core.ErrUnavailable) || !errors.Is(err, down) {
			t.Errorf("Write: %v", err)
		}
	})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
}

// broken is a store that saves nothing.
type broken struct {
	core.Store
	err error
}

func (b broken) Save(context.Context, core.ID, core.Entry, core.Version) (core.Version, error) {
	return 0, b.err
}
