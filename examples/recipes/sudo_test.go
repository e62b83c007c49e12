package recipes

import (
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
)

func TestSudo(t *testing.T) {
	for _, page := range []string{"/danger", "//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example"} {
		sessions := sessiontest.New(t)
		for _, f := range mounted(routes{
			"POST /danger": func(c call) (int, string) {
				if !confirmed(c.s, page, sessions.Now()) {
					return 303, "/confirm"
				}
				return 200, "done"
			},
			"POST /confirm": func(c call) (int, string) { return 303, confirm(c.s, c.form("password")) },
		}) {
			t.Run(f.name+" "+page, func(t *testing.T) {
				ann := "sudo in " + f.name
				users.set(ann, "secret")
				client := sessions.Visitor()
				b := newBrowser(t, serve(t, f.app(sessions.Manager)), client.Jar())
				b.post("/danger").goes("/confirm")
				b.post("/confirm", "password", "secret").goes("/login") // nobody is logged in

				in(client, func(s *core.Session) { s.Login(ann); s.Remember(true) })
				if res := b.post("/danger"); res.status != 200 {
					t.Errorf("just after the login: %d", res.status)
				}
				sessions.Advance(10 * time.Minute)
				b.post("/danger").goes("/confirm")
				b.post("/confirm", "password", "guess").goes("/confirm")
				b.post("/danger").goes("/confirm")
				want := "/account"
				if page == "/danger" {
					want = page
				}
				before := b.token()
				b.post("/confirm", "password", "secret").goes(want)
				if b.post("/danger").status != 200 || b.token() == before {
					t.Error("not confirmed, or with the old token")
				}
				in(client, func(s *core.Session) {
					if !s.IsRemembered() || s.UserID() != ann {
						t.Errorf("confirming changed the session: user %q, remembered %t", s.UserID(), s.IsRemembered())
					}
				})
			})
		}
	}
}
