package sessiontest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sessiontest"
)

// Clients of an application whose tokens travel in headers are as logged in as browsers.
func TestTokensInHeaders(t *testing.T) {
	for _, carrier := range []core.Carrier{core.Bearer, core.Header("X-Session"), core.Bearer.AnswerIn("X-Token")} {
		st := sessiontest.New(t, func(c *core.Config) { c.Carrier = carrier })
		h := app(st, map[string]func(*core.Session, http.ResponseWriter, *http.Request){
			"/": func(s *core.Session, _ http.ResponseWriter, _ *http.Request) {
				visits.Update(s, func(n int) int { return n + 1 })
			},
			"/out": func(s *core.Session, _ http.ResponseWriter, _ *http.Request) { s.Logout() },
		})
		alice := st.Login("alice")
		for range 2 {
			if r := alice.Request("GET", "/", nil); r.Header.Get(carrier.String()) == "" || r.Header.Get("Cookie") != "" {
				t.Errorf("%s: the request has %v", carrier, r.Header)
			}
			alice.Do(h, alice.Request("GET", "/", nil))
		}
		alice.WantUser("alice")
		sessiontest.Want(alice, visits, 2)
		alice.Do(h, alice.Request("GET", "/out", nil))
		if r := alice.Request("GET", "/", nil); r.Header.Get(carrier.String()) != "" {
			t.Errorf("%s: after the logout, the request has %v", carrier, r.Header)
		}
		alice.WantUser("")
	}
}

// Two Managers on one store have a browser and a phone of one user, each with a clock of
// its own.
func TestTwoManagersOnOneStore(t *testing.T) {
	b := core.ServerSide(memstore.New(memstore.Config{}))
	web := sessiontest.NewOn(t, b)
	mobile := sessiontest.NewOn(t, b, func(c *core.Config) { c.Carrier = core.Bearer })
	alice, phone := web.Login("alice"), mobile.Login("alice")
	if r := alice.Request("GET", "/", nil); r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") == "" {
		t.Errorf("the browser's request has %v", r.Header)
	}
	if r := phone.Request("GET", "/", nil); r.Header.Get("Authorization") == "" || r.Header.Get("Cookie") != "" {
		t.Errorf("the phone's request has %v", r.Header)
	}
	if n, err := web.Manager.RevokeUser(t.Context(), "alice"); n != 2 || err != nil {
		t.Errorf("the browsers' Manager has ended %d sessions: %v", n, err)
	}
	alice.WantAnonymous()
	phone.WantAnonymous()

	alice, phone = web.Login("alice"), mobile.Login("alice")
	web.Advance(31 * time.Minute)
	alice.WantAnonymous()
	phone.WantUser("alice")
}
