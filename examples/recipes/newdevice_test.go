package recipes

import (
	"strconv"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/sessiontest"
)

func TestNewDevice(t *testing.T) {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	key := []byte("a secret of the application")
	for _, f := range mounted(routes{"POST /login": func(c call) (int, string) {
		return 200, strconv.FormatBool(isNewDevice(c.s, key, c.form("user")))
	}}) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			browsers := sessiontest.NewOn(t, core.ClientSide(sealed.Cookie(keys)))
			app := serve(t, f.app(browsers.Manager))
			client := browsers.Visitor()
			b, other := newBrowser(t, app, client.Jar()), newBrowser(t, app, browsers.Visitor().Jar())
			for _, login := range []struct {
				b    *browser
				user string
				want string
			}{{b, "ann", "true"}, {b, "ann", "false"}, {other, "ann", "true"}, {b, "bob", "true"}, {b, "ann", "false"}, {b, "bob", "false"}} {
				if got := login.b.post("/login", "user", login.user).body; got != login.want {
					t.Errorf("%s: new is %s, want %s", login.user, got, login.want)
				}
			}
			for i := range 10 { // others' logins push ann out
				b.post("/login", "user", strconv.Itoa(i))
			}
			if got := b.post("/login", "user", "ann").body; got != "true" {
				t.Error("the list has no end")
			}
			in(client, func(s *core.Session) {
				if users, _ := known.Get(s); len(users) != 10 || !s.IsRemembered() {
					t.Errorf("%d users are known, remembered %t", len(users), s.IsRemembered())
				}
			})
		})
	}
}
