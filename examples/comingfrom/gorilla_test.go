package comingfrom_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// gorillaApp is the old application on gorilla/sessions.
type gorillaApp struct {
	store sessions.Store
	probe
}

func (a *gorillaApp) handler() http.Handler {
	mux := http.NewServeMux()
	mount(func(method, path string, h http.HandlerFunc) { mux.HandleFunc(method+" "+path, h) },
		a.home, a.setTheme, a.addToCart, a.login, a.logout, a.moved, a.failing, a.slow, a.keys)
	return mux
}

func (a *gorillaApp) home(w http.ResponseWriter, r *http.Request) {
	s, _ := a.store.Get(r, "session")
	user, _ := s.Values["user"].(string)
	t, _ := s.Values["theme"].(string)
	flashes := s.Flashes()
	if err := s.Save(r, w); err != nil { // or they are shown again
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = fmt.Fprintln(w, user, t, flashes)
}

func (a *gorillaApp) setTheme(w http.ResponseWriter, r *http.Request) {
	s, _ := a.store.Get(r, "session")
	s.Values["theme"] = r.FormValue("theme")
	s.AddFlash("Saved.")
	if err := s.Save(r, w); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *gorillaApp) addToCart(w http.ResponseWriter, r *http.Request) {
	s, _ := a.store.Get(r, "session")
	items, _ := s.Values["cart"].([]Item)
	s.Values["cart"] = append(items, Item{Name: r.FormValue("item"), N: 1})
	if err := s.Save(r, w); err != nil { // without gob.Register([]Item{})
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *gorillaApp) login(w http.ResponseWriter, r *http.Request) {
	s, _ := a.store.Get(r, "session")
	s.Values["user"] = r.FormValue("user") // in a server-side store, this keeps the ID
	if r.FormValue("remember") == "on" {
		s.Options.MaxAge = 86400 * 30
	}
	if err := s.Save(r, w); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *gorillaApp) logout(w http.ResponseWriter, r *http.Request) {
	s, _ := a.store.Get(r, "session")
	s.Options.MaxAge = -1
	if err := s.Save(r, w); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *gorillaApp) moved(w http.ResponseWriter, r *http.Request) {
	s, _ := a.store.Get(r, "session")
	s.Flashes()
	_ = s.Save(r, w)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *gorillaApp) failing(w http.ResponseWriter, r *http.Request) {
	s, _ := a.store.Get(r, "session")
	s.Values["theme"] = r.FormValue("theme")
	_ = s.Save(r, w)
	http.Error(w, "failed", http.StatusInternalServerError)
}

func (a *gorillaApp) slow(w http.ResponseWriter, r *http.Request) {
	s, _ := a.store.Get(r, "session")
	a.wait()
	s.Values[r.FormValue("key")] = "x"
	_ = s.Save(r, w)
	w.WriteHeader(http.StatusNoContent)
}

func (a *gorillaApp) keys(w http.ResponseWriter, r *http.Request) {
	s, _ := a.store.Get(r, "session")
	_, _ = fmt.Fprintln(w, keysIn(s.Values))
}

// keysIn returns those of slow's keys that are set.
func keysIn(values map[any]any) []string {
	var keys []string
	for key := range values {
		if text, ok := key.(string); ok && len(text) == 1 {
			keys = append(keys, text)
		}
	}
	slices.Sort(keys)
	return keys
}

var (
	hashKey  = securecookie.GenerateRandomKey(32)
	blockKey = securecookie.GenerateRandomKey(32)
)

// gorillaFiles returns a store that keeps sessions in files, and a function
// that makes them unreadable.
func gorillaFiles(t *testing.T) (*sessions.FilesystemStore, func(down bool)) {
	t.Helper()
	dir := t.TempDir()
	return sessions.NewFilesystemStore(dir, hashKey, blockKey), func(down bool) {
		files, err := filepath.Glob(filepath.Join(dir, "session_*"))
		if err != nil || len(files) == 0 {
			t.Fatal("no session:", err)
		}
		for _, file := range files {
			if down { // a folder cannot be read as a file
				err = errorOf(os.Rename(file, filepath.Join(dir, "kept_"+filepath.Base(file))), os.Mkdir(file, 0o700))
			} else {
				err = errorOf(os.RemoveAll(file), os.Rename(filepath.Join(dir, "kept_"+filepath.Base(file)), file))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// errorOf returns the first error.
func errorOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func gorillaOnFiles(t *testing.T) site {
	t.Helper()
	store, down := gorillaFiles(t)
	app := &gorillaApp{store: store}
	return site{app.handler(), &app.probe, down}
}

func gorillaInCookies(t *testing.T) site {
	t.Helper()
	app := &gorillaApp{store: sessions.NewCookieStore(hashKey, blockKey)}
	return site{app.handler(), &app.probe, nil}
}

func newNetHTTP(t *testing.T) site {
	t.Helper()
	return newSite(t, func(m *core.Manager) (http.Handler, *probe) {
		app := &netHTTPApp{sessions: m}
		return app.handler(), &app.probe
	})
}

// ofGorilla has the differences that all libraries on gorilla's sessions share.
var ofGorilla = []difference{
	{"failing", failing, "200 dark []", "200 light []"},
	{"flash on its way", flashOnItsWay, "200 dark []", "200 dark [{success Saved.}]"},
	{"overlapping", overlapping, "200 [a]", "200 [a b]"},
	{"logout meanwhile", logoutMeanwhile, "200 ann []", "200 []"},
	{"login", login, "200 ann dark []", "200 []"},
	{"outage", outage, "200 [], 200 [a]", "503 Service Unavailable, 200 [a]"},
	{"own type", ownType, "500", "303"},
}

// What docs/coming-from/gorilla.md says is different.
func TestFromGorilla(t *testing.T) {
	compare(t, gorillaOnFiles, newNetHTTP, ofGorilla)
	compare(t, gorillaInCookies, newNetHTTP, []difference{
		{"cookie/logout", logout, "200 ann []", "200 []"},
	})
}
