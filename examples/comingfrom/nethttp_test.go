package comingfrom_test

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// The values that the new applications keep in their sessions.
var (
	theme = core.NewKey[string]("theme")
	cart  = core.NewKey[[]Item]("cart")
)

// Item is a type of the application. It needs no registration.
type Item struct {
	Name string
	N    int
}

// netHTTPApp is the new application in net/http.
type netHTTPApp struct {
	sessions *core.Manager
	probe
}

func (a *netHTTPApp) handler() http.Handler {
	mux := http.NewServeMux()
	mount(func(method, path string, h http.HandlerFunc) { mux.HandleFunc(method+" "+path, h) },
		a.home, a.setTheme, a.addToCart, a.login, a.logout, a.moved, a.failing, a.slow, a.keys)
	return httpadapter.Middleware(a.sessions)(mux)
}

func (a *netHTTPApp) home(w http.ResponseWriter, r *http.Request) {
	s := httpadapter.Session(r)
	t, _ := theme.Get(s) // "" if there is none
	_, _ = fmt.Fprintln(w, s.UserID(), t, s.Flashes())
}

func (a *netHTTPApp) setTheme(w http.ResponseWriter, r *http.Request) {
	s := httpadapter.Session(r)
	theme.Set(s, r.FormValue("theme"))
	s.Flash("success", "Saved.")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *netHTTPApp) addToCart(w http.ResponseWriter, r *http.Request) {
	item := Item{Name: r.FormValue("item"), N: 1}
	cart.Update(httpadapter.Session(r), func(items []Item) []Item { return append(items, item) })
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *netHTTPApp) login(w http.ResponseWriter, r *http.Request) {
	s := httpadapter.Session(r)
	s.Login(r.FormValue("user")) // a new token; the old one is dead
	s.Remember(r.FormValue("remember") == "on")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *netHTTPApp) logout(w http.ResponseWriter, r *http.Request) {
	httpadapter.Session(r).Logout()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// What follows is not in the docs; it is run beside the old application.

func (a *netHTTPApp) moved(w http.ResponseWriter, r *http.Request) {
	httpadapter.Session(r).Flashes()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *netHTTPApp) failing(w http.ResponseWriter, r *http.Request) {
	theme.Set(httpadapter.Session(r), r.FormValue("theme"))
	http.Error(w, "failed", http.StatusInternalServerError)
}

func (a *netHTTPApp) slow(w http.ResponseWriter, r *http.Request) {
	s := httpadapter.Session(r)
	a.wait()
	s.Set(r.FormValue("key"), "x")
	_, _ = fmt.Fprintln(w, s.UserID())
}

func (a *netHTTPApp) keys(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintln(w, keysOf(httpadapter.Session(r)))
}

// keysOf returns those of slow's keys that are set.
func keysOf(s *core.Session) []string {
	return slices.DeleteFunc(s.Keys(), func(key string) bool { return len(key) != 1 })
}
