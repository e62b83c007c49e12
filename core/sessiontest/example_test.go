package sessiontest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/sessiontest"
)

// t stands for a test's *testing.T. It prints the messages that would fail the test.
var t = printer{}

type printer struct{ testing.TB }

func (printer) Helper()                           {}
func (printer) Cleanup(func())                    {}
func (printer) Context() context.Context          { return context.Background() }
func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

var cart = core.NewKey[[]string]("cart")

func checkout(w http.ResponseWriter, r *http.Request) {
	s := httpadapter.Session(r)
	items, _ := cart.Get(s)
	cart.Delete(s)
	s.Flash("success", fmt.Sprintf("Bought %d things.", len(items)))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// Testing a handler behind the middleware takes four lines.
func Example() {
	st := sessiontest.New(t)
	app := httpadapter.Middleware(st.Manager)(http.HandlerFunc(checkout))

	alice := st.Login("alice", sessiontest.With(cart, []string{"hat", "scarf"}))
	alice.Do(app, alice.Request("POST", "/checkout", nil))
	alice.WantFlash("success", "Bought 2 things.")
	sessiontest.WantAbsent(alice, cart)

	alice.WantFlash("success", "Bought 3 things.") // this fails
	// Output:
	// sessiontest: alice: no flash success "Bought 3 things."; waiting: success "Bought 2 things."
	// Since the last request began: saved
}

// Testing a handler without the middleware.
func ExampleClient_Session() {
	alice := sessiontest.New(t).Login("alice", sessiontest.With(cart, []string{"hat"}))
	r := alice.Request("POST", "/checkout", nil)
	checkout(httptest.NewRecorder(), httpadapter.WithSession(r, alice.Session()))
	alice.WantFlash("success", "Bought 1 things.")
	sessiontest.WantAbsent(alice, cart)
	// Output:
}

// A test need not wait for a session to expire.
func ExampleSessions_Advance() {
	st := sessiontest.New(t)
	alice := st.Login("alice")
	st.Advance(29 * time.Minute)
	alice.WantUser("alice")
	st.Advance(2 * time.Minute)
	alice.WantAnonymous()
	// Output:
}
