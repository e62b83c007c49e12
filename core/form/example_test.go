package form_test

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/form"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

type Signup struct {
	Email    string `form:"email"`
	Password string `form:"password" session:"-"` // never kept
}

var (
	signup     = form.New[Signup]("signup")
	signupPage = template.Must(template.New("signup").Parse(
		`<input name="email" value="{{.Value "email"}}">{{with .Error "email"}} {{.}}{{end}}` + "\n"))
)

func getSignup(w http.ResponseWriter, r *http.Request) {
	_ = signupPage.Execute(w, signup.Take(httpadapter.Session(r)))
}

func postSignup(w http.ResponseWriter, r *http.Request) {
	s := httpadapter.Session(r)
	in := Signup{Email: r.FormValue("email"), Password: r.FormValue("password")}
	var errs form.Errors
	if !strings.Contains(in.Email, "@") {
		errs.Add("email", "That is no address.")
	}
	if len(errs) > 0 {
		signup.Fail(s, in, errs)
		http.Redirect(w, r, "/signup", http.StatusSeeOther)
		return
	}
	s.Login(in.Email)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// The old input and its errors are shown once.
func Example() {
	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /signup", getSignup)
	mux.HandleFunc("POST /signup", postSignup)
	h := httpadapter.Middleware(sessions)(mux)

	w := httptest.NewRecorder()
	body := url.Values{"email": {"ann"}, "password": {"hunter2"}}.Encode()
	r := httptest.NewRequestWithContext(context.Background(), "POST", "https://example.com/signup", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.ServeHTTP(w, r)
	cookie := w.Header().Get("Set-Cookie")
	for range 2 {
		r := httptest.NewRequestWithContext(context.Background(), "GET", "https://example.com/signup", nil)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Print(w.Body)
	}
	// Output:
	// <input name="email" value="ann"> That is no address.
	// <input name="email" value="">
}
