package httpadapter_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/internal/testing/handlerstest"
)

func TestHandlers(t *testing.T) {
	handlerstest.Run(t, handlerstest.Apps{Signup: signupApp, Cart: cartApp})
}

func served(m *core.Manager, mux *http.ServeMux) handlerstest.Doer {
	h := httpadapter.Middleware(m)(mux)
	return func(c *sessiontest.Client, r *http.Request) *http.Response { return c.Do(h, r) }
}

func signupApp(m *core.Manager) handlerstest.Doer {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /signup", func(w http.ResponseWriter, r *http.Request) {
		_ = handlerstest.Page.Execute(w, handlerstest.SignupForm.Take(httpadapter.Session(r)))
	})
	mux.HandleFunc("POST /signup", func(w http.ResponseWriter, r *http.Request) {
		age, _ := strconv.Atoi(r.FormValue("age"))
		in := handlerstest.Signup{
			Name: r.FormValue("name"), Email: r.FormValue("email"), Age: age, Colours: r.Form["colour"],
			Home:     handlerstest.Home{City: r.FormValue("city"), Code: r.FormValue("code")},
			Password: r.FormValue("password"), Answer: r.FormValue("answer"),
		}
		http.Redirect(w, r, handlerstest.Submit(httpadapter.Session(r), in), http.StatusSeeOther)
	})
	return served(m, mux)
}

func addToCart(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(handlerstest.Add(httpadapter.Session(r), r.FormValue("item")))
}

func cartApp(m *core.Manager) handlerstest.Doer {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cart", addToCart)
	mux.HandleFunc("/in-place", func(_ http.ResponseWriter, r *http.Request) { handlerstest.InPlace(httpadapter.Session(r)) })
	mux.HandleFunc("/late", func(_ http.ResponseWriter, r *http.Request) { handlerstest.Keep(httpadapter.Session(r)) })
	return served(m, mux)
}

// Without the middleware, the handler gets the client's session.
func TestHandlerWithoutTheMiddleware(t *testing.T) {
	alice := sessiontest.New(t).Login("alice")
	r := alice.Form("/cart", handlerstest.Item())
	addToCart(httptest.NewRecorder(), httpadapter.WithSession(r, alice.Session()))
	handlerstest.WantItem(alice)
}
