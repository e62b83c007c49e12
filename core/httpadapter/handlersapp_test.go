package httpadapter_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/sessiontest"
)

const cityField, codeField = "city", "code"

type doer = func(*sessiontest.Client, *http.Request) *http.Response

func served(st *sessiontest.Sessions, mux *http.ServeMux) doer {
	h := httpadapter.Middleware(st.Manager)(mux)
	return func(c *sessiontest.Client, r *http.Request) *http.Response { return c.Do(h, r) }
}

func signupApp(st *sessiontest.Sessions) doer {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /signup", func(w http.ResponseWriter, r *http.Request) {
		_ = signupPage.Execute(w, signupForm.Take(httpadapter.Session(r)))
	})
	mux.HandleFunc("POST /signup", func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		age, _ := strconv.Atoi(r.FormValue("age"))
		in := signup{
			Name: r.FormValue("name"), Email: r.FormValue("email"), Age: age, Colours: r.Form["colour"],
			Home:     home{City: r.FormValue("city"), Code: r.FormValue("code")},
			Password: r.FormValue("password"), Answer: r.FormValue("answer"),
		}
		if errs := check(in); len(errs) > 0 {
			signupForm.Fail(s, in, errs)
			http.Redirect(w, r, "/signup", http.StatusSeeOther)
			return
		}
		s.Login(in.Email)
		s.Flash("success", "Welcome, "+in.Name+".")
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	return served(st, mux)
}

func addToCart(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(add(httpadapter.Session(r), r.FormValue("item")))
}

func cartApp(st *sessiontest.Sessions) doer {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cart", addToCart)
	mux.HandleFunc("/in-place", func(_ http.ResponseWriter, r *http.Request) { inPlace(httpadapter.Session(r)) })
	mux.HandleFunc("/late", func(_ http.ResponseWriter, r *http.Request) { keep(httpadapter.Session(r)) })
	return served(st, mux)
}

// Without the middleware, the handler's session is the client's.
func TestHandlerWithoutTheMiddleware(t *testing.T) {
	alice := sessiontest.New(t).Login("alice")
	r := alice.Form("/cart", map[string][]string{"item": {"hat"}})
	addToCart(httptest.NewRecorder(), httpadapter.WithSession(r, alice.Session()))
	alice.WantFlash("success", "Added hat.")
	sessiontest.Want(alice, cart, []string{"hat"})
}
