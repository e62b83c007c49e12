package core_test

import (
	"context"
	"net/http"
	"net/http/httptest"
)

// browser is the client of the examples: it keeps cookies from one request to
// the next, and follows no redirects.
type browser struct {
	app     http.Handler
	cookies map[string]string
}

func newBrowser(app http.Handler) *browser {
	return &browser{app: app, cookies: map[string]string{}}
}

// do makes a request and returns the response's body.
func (b *browser) do(method, path string) string {
	r := httptest.NewRequestWithContext(context.Background(), method, "https://example.com"+path, nil)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.app.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return w.Body.String()
}

func (b *browser) get(path string) string { return b.do(http.MethodGet, path) }
func (b *browser) post(path string)       { b.do(http.MethodPost, path) }
