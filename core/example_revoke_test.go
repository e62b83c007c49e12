package core_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

// On a page of devices, users see their sessions and end those that they do not
// recognise. Operators end anyone's.
func Example_revoke() {
	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{
		Describe: func(ex core.Exchange) string { return ex.RequestHeader("User-Agent") },
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) {
		r.Header.Set("User-Agent", r.URL.Query().Get("device"))
		httpadapter.Session(r).Login("ann")
	})
	mux.HandleFunc("POST /revoke-others", func(w http.ResponseWriter, r *http.Request) {
		if err := httpadapter.Session(r).RevokeOthers(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, r *http.Request) {
		infos, err := httpadapter.Session(r).List(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		for _, info := range infos {
			fmt.Fprintf(w, "%s (this one: %v). ", info.Label, info.Current)
		}
	})

	app := httpadapter.Middleware(sessions)(mux)
	type jar map[string]*http.Cookie // a client's cookies
	do := func(jar jar, method, path string) string {
		r := httptest.NewRequestWithContext(context.Background(), method, "https://example.com"+path, nil)
		for _, c := range jar {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			jar[c.Name] = c
		}
		return w.Body.String()
	}
	phone, laptop := jar{}, jar{}
	do(phone, http.MethodPost, "/login?device=phone")
	do(laptop, http.MethodPost, "/login?device=laptop")
	fmt.Printf("%q\n", do(laptop, http.MethodGet, "/devices"))

	do(laptop, http.MethodPost, "/revoke-others")
	fmt.Printf("phone: %q\n", do(phone, http.MethodGet, "/devices"))
	fmt.Printf("laptop: %q\n", do(laptop, http.MethodGet, "/devices"))

	// By an operator, or after a password reset:
	ctx := context.Background()
	fmt.Println(sessions.RevokeUser(ctx, "ann"))
	infos, err := sessions.List(ctx, "ann")
	fmt.Println(len(infos), err)
	fmt.Println(errors.Is(sessions.Revoke(ctx, core.ID{1}), core.ErrNotFound))
	// Output:
	// "phone (this one: false). laptop (this one: true). "
	// phone: ""
	// laptop: "laptop (this one: true). "
	// 1 <nil>
	// 0 <nil>
	// true
}
