package comingfrom_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// scsApp is the old application on scs.
type scsApp struct {
	sessions *scs.SessionManager
	probe
}

func (a *scsApp) handler() http.Handler {
	mux := http.NewServeMux()
	mount(func(method, path string, h http.HandlerFunc) { mux.HandleFunc(method+" "+path, h) },
		a.home, a.setTheme, a.addToCart, a.login, a.logout, a.moved, a.failing, a.slow, a.keys)
	return a.sessions.LoadAndSave(mux)
}

func (a *scsApp) home(w http.ResponseWriter, r *http.Request) {
	user := a.sessions.GetString(r.Context(), "user")
	t := a.sessions.GetString(r.Context(), "theme")
	flash := a.sessions.PopString(r.Context(), "flash") // one at most
	_, _ = fmt.Fprintln(w, user, t, flash)
}

func (a *scsApp) setTheme(w http.ResponseWriter, r *http.Request) {
	a.sessions.Put(r.Context(), "theme", r.FormValue("theme"))
	a.sessions.Put(r.Context(), "flash", "Saved.")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *scsApp) addToCart(w http.ResponseWriter, r *http.Request) {
	items, _ := a.sessions.Get(r.Context(), "cart").([]Item)
	items = append(items, Item{Name: r.FormValue("item"), N: 1})
	a.sessions.Put(r.Context(), "cart", items) // without gob.Register([]Item{})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *scsApp) login(w http.ResponseWriter, r *http.Request) {
	if err := a.sessions.RenewToken(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	a.sessions.Put(r.Context(), "user", r.FormValue("user"))
	a.sessions.RememberMe(r.Context(), r.FormValue("remember") == "on")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *scsApp) logout(w http.ResponseWriter, r *http.Request) {
	if err := a.sessions.Destroy(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *scsApp) moved(w http.ResponseWriter, r *http.Request) {
	a.sessions.PopString(r.Context(), "flash")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *scsApp) failing(w http.ResponseWriter, r *http.Request) {
	a.sessions.Put(r.Context(), "theme", r.FormValue("theme"))
	http.Error(w, "failed", http.StatusInternalServerError)
}

func (a *scsApp) slow(w http.ResponseWriter, r *http.Request) {
	a.wait()
	a.sessions.Put(r.Context(), r.FormValue("key"), "x")
	w.WriteHeader(http.StatusNoContent)
}

func (a *scsApp) keys(w http.ResponseWriter, r *http.Request) {
	keys := a.sessions.Keys(r.Context())
	_, _ = fmt.Fprintln(w, slices.DeleteFunc(keys, func(key string) bool { return len(key) != 1 }))
}

// unsteadySCS is a store of scs that can be down.
type unsteadySCS struct {
	*memstore.MemStore
	down atomic.Bool
}

// Find implements [scs.Store].
func (u *unsteadySCS) Find(token string) ([]byte, bool, error) {
	if u.down.Load() {
		return nil, false, errors.New("down")
	}
	return u.MemStore.Find(token)
}

func scsInMemory(t *testing.T) site {
	t.Helper()
	store := &unsteadySCS{MemStore: memstore.NewWithCleanupInterval(0)}
	manager := scs.New()
	manager.IdleTimeout = 30 * time.Minute
	manager.Store = store
	manager.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) { // the default, without its log
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
	app := &scsApp{sessions: manager}
	return site{app.handler(), &app.probe, store.down.Store}
}

// What docs/coming-from/scs.md says is different.
func TestFromSCS(t *testing.T) {
	compare(t, scsInMemory, newNetHTTP, []difference{
		{"failing", failing, "200 dark", "200 light []"},
		{"flash on its way", flashOnItsWay, "200 dark", "200 dark [{success Saved.}]"},
		{"overlapping", overlapping, "200 [a]", "200 [a b]"},
		{"logout meanwhile", logoutMeanwhile, "200 ann", "200 []"},
		{"login", login, "200", "200 []"},
		{"logout", logout, "200", "200 []"},
		{"outage", outage, "500 Internal Server Error, 200 [a]", "503 Service Unavailable, 200 [a]"},
		{"own type", ownType, "500", "303"},
	})
}
