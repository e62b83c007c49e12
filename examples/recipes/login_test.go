package recipes

import (
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core/sessiontest"
)

func TestLogin(t *testing.T) {
	users.set("ann", "correct horse")
	for _, f := range frameworks(loginNetHTTP, loginEcho, loginGin, loginFiber) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, serve(t, f.app(sessiontest.New(t).Manager)), nil)

			b.get("/account?tab=2").goes("/login")
			for _, other := range [][]string{ // none of these is somebody who goes there
				{"GET", "Accept", "image/avif,*/*;q=0.8", "Sec-Fetch-Mode", "no-cors"},
				{"GET", "Accept", "application/json"},
				{"GET", "Accept", "text/html", "Sec-Fetch-Mode", "cors"},
				{"HEAD", "Accept", "text/html"},
			} {
				res := b.send(other[0], "/account?icon=1", "", "", other[1:]...)
				if len(res.header.Values("Set-Cookie")) > 0 {
					t.Errorf("%q changes the session", other)
				}
			}
			before := b.token()
			b.post("/login", "name", "ann", "password", "battery staple").goes("/login")
			b.get("/login").wants(200, `{"user":"","flashes":[{"kind":"error","text":"Wrong name or password."}]}`)
			b.get("/login").wants(200, `{"user":"","flashes":[]}`)

			b.post("/login", "name", "ann", "password", "correct horse").goes("/account?tab=2")
			loggedIn := b.token()
			if before == "" || before == loggedIn {
				t.Error("the token is the same before and after the login")
			}
			account := b.get("/account?tab=2")
			account.wants(200, `{"user":"ann","flashes":[{"kind":"success","text":"Welcome, ann."}]}`)
			if got := account.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control is %q", got)
			}
			b.get("/account").wants(200, `{"user":"ann","flashes":[]}`)
			b.post("/login", "name", "ann", "password", "correct horse").goes("/account") // once is enough
			b.get("/account")

			b.post("/logout").goes("/login")
			b.get("/login").wants(200, `{"user":"","flashes":[{"kind":"info","text":"Signed out."}]}`)
			b.get("/account").goes("/login")

			thief := newBrowser(t, b.base, nil)
			thief.send("GET", "/account", "", "", "Cookie", "__Host-session="+loggedIn).goes("/login")
		})
	}
}

func TestLoginRemember(t *testing.T) {
	users.set("ann", "correct horse")
	for _, f := range frameworks(loginNetHTTP, loginEcho, loginGin, loginFiber) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			base := serve(t, f.app(sessiontest.New(t).Manager))
			for remember, want := range map[string]bool{"": false, "on": true} {
				res := newBrowser(t, base, nil).post("/login", "name", "ann", "password", "correct horse", "remember", remember)
				res.goes("/account")
				if got := strings.Contains(res.header.Get("Set-Cookie"), "Max-Age="); got != want {
					t.Errorf("remember %q: the cookie outlives the browser: %v", remember, got)
				}
			}
		})
	}
}

// TestLoginStaysHere shows that a link such as https://us//evil.example does
// not lead to another site once its reader has logged in.
func TestLoginStaysHere(t *testing.T) {
	users.set("ann", "correct horse")
	for _, f := range frameworks(loginNetHTTP, loginEcho, loginGin, loginFiber) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, serve(t, f.app(sessiontest.New(t).Manager)), nil)
			for _, path := range []string{"//evil.example/account", "/%5Cevil.example"} {
				b.get(path) // whatever the framework does with it
				b.post("/login", "name", "ann", "password", "correct horse").goes("/account")
			}
		})
	}
	s := sessiontest.New(t).Visitor().Session()
	for page, want := range map[string]bool{
		"//evil.example": false, `/\evil.example`: false, "https://evil.example": false, "": false,
		"/\t/evil.example": false, "/\n/evil.example": false, "/\r\\evil.example": false, // browsers drop these characters
		"/account": true, "/search?next=//evil.example": true,
	} {
		comeBack(s, "GET", "text/html", "navigate", page)
		if _, got := returnTo.Get(s); got != want {
			t.Errorf("comes back to %q: %v, want %v", page, got, want)
		}
		returnTo.Delete(s)
	}
}
