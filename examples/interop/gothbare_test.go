package interop_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/faux"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillasessions"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// gothBare has no middleware and nothing of Satchel but the store. It keeps its
// own values in gorilla sessions.
func gothBare(t *testing.T, m *core.Manager) http.Handler {
	t.Helper()
	store := gorillasessions.NewStore(m)
	mux := http.NewServeMux()
	change := func(w http.ResponseWriter, r *http.Request, values map[any]any, flashes ...any) {
		s, err := store.Get(r, "app")
		if err != nil {
			t.Error(err)
		}
		maps.Copy(s.Values, values)
		for _, flash := range flashes {
			s.AddFlash(flash)
		}
		if err := s.Save(r, w); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("GET /visit", func(w http.ResponseWriter, r *http.Request) {
		change(w, r, map[any]any{"visit": "before"})
	})
	mux.HandleFunc("GET /auth", gothic.BeginAuthHandler)
	mux.HandleFunc("GET /auth/callback", func(w http.ResponseWriter, r *http.Request) {
		user, err := gothic.CompleteUserAuth(w, gothic.GetContextWithProvider(r, r.FormValue("provider")))
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		change(w, r, map[any]any{"user": user.UserID}, "Welcome, "+user.Name+".")
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, "app")
		if err != nil {
			t.Error(err)
		}
		of, err := store.Get(r, gothic.SessionName)
		if err != nil {
			t.Error(err)
		}
		user, _ := s.Values["user"].(string)
		visit, _ := s.Values["visit"].(string)
		flashes := []core.Flash{}
		for _, flash := range s.Flashes() {
			flashes = append(flashes, core.Flash{Kind: "success", Text: fmt.Sprint(flash)})
		}
		if err := s.Save(r, w); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "user=%q visit=%q flashes=%v goth=%d", user, visit, flashes, len(of.Values))
	})
	return mux
}

// Goth ignores the error when a session cannot be loaded, and saves it. Although
// Redis is back by then, that must cause neither a redirect nor a new session.
func TestL3GothAfterAnErrorOfRedis(t *testing.T) {
	proxy := redistest.StartProxy(t, redistest.Shared(t).Addr())
	c := redis.NewClient(&redis.Options{Addr: proxy.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = c.Close() })
	m := newManager(t, core.ServerSide(goredisstore.New(c, onRedis(t))))
	gothic.Store = gorillasessions.NewStore(m)
	goth.UseProviders(&faux.Provider{})
	t.Cleanup(goth.ClearProviders)

	b := newBrowser(t, serveHTTP(t, gothBare(t, m)))
	b.get("/visit")
	before := b.cookie()
	proxy.Reset()
	cut := proxy.CutBefore(1, redistest.Any)
	status, text := b.get("/auth?provider=faux")
	if status != http.StatusBadRequest || !strings.Contains(text, core.ErrUnavailable.Error()) {
		t.Errorf("%d %s", status, text)
	}
	if cut.Fired() != 1 || len(proxy.Commands()) != 1 {
		t.Errorf("%d commands failed, of %q: want the one that loads, and no other after it", cut.Fired(), proxy.Commands())
	}
	b.sees("/", nobody)
	if b.cookie() != before {
		t.Error("L3: the cookie has changed")
	}
}
