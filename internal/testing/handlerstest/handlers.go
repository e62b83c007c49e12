// Package handlerstest tests an application's handlers with packages form and
// sessiontest, in each framework. It has the handlers' work and the tests; each
// adapter says how its framework reads and answers a request.
package handlerstest

import (
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/form"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sessiontest"
)

// Doer lets a client send a request to an application.
type Doer = func(*sessiontest.Client, *http.Request) *http.Response

// Apps are applications in one framework, behind its adapter's middleware.
type Apps struct {
	// Signup has GET /signup, which executes Page with what SignupForm.Take
	// returns, and POST /signup, which binds a Signup and goes where Submit says.
	Signup func(m *core.Manager) Doer

	// Cart has POST /cart, which answers with the status of Add for the field
	// "item", GET /in-place with InPlace, and GET /late with Keep.
	Cart func(m *core.Manager) Doer

	// Nested is the framework's prefix for the names of fields in a nested
	// struct, such as "Home.".
	Nested string
}

// Run runs all tests.
func Run(t *testing.T, a Apps) {
	t.Run("form", func(t *testing.T) { testForm(t, a) })
	t.Run("behind the middleware", func(t *testing.T) { testHandlers(t, a) })
	t.Run("strict mode", func(t *testing.T) { testStrictMode(t, a) })
}

// Item is the form of a POST to /cart, for a handler without the middleware.
// Afterwards, WantItem checks the result.
func Item() url.Values { return url.Values{"item": {"hat"}} }

// WantItem fails the test unless Item was added.
func WantItem(c *sessiontest.Client) {
	c.WantFlash("success", "Added hat.")
	sessiontest.Want(c, cart, []string{"hat"})
}

// Signup is what the form is bound to.
type Signup struct {
	Name     string   `form:"name"`
	Email    string   `form:"email"`
	Age      int      `form:"age"`
	Colours  []string `form:"colour"`
	Home     Home
	Password string `form:"password"`
	Answer   string `form:"answer" session:"-"`
}

// Home is the nested struct in a Signup.
type Home struct {
	City string `form:"city"`
	Code string `form:"code" session:"-"`
}

// SignupForm carries a Signup across the redirect.
var SignupForm = form.New[Signup]("signup")

// Submit is what the handler of POST /signup does with the bound form. It returns
// where to go.
func Submit(s *core.Session, in Signup) (location string) {
	if errs := check(in); len(errs) > 0 {
		SignupForm.Fail(s, in, errs)
		return "/signup"
	}
	s.Login(in.Email)
	s.Flash("success", "Welcome, "+in.Name+".")
	return "/"
}

func check(in Signup) (errs form.Errors) {
	if !strings.Contains(in.Email, "@") {
		errs.Add("email", "That is no address.")
	}
	if in.Home.City == "" {
		errs.Add("city", "Where do you live?")
	}
	if len(in.Password) < 20 {
		errs.Add("password", "Too short.")
	}
	if len(errs) > 0 {
		errs.Add("", "Please look again.")
	}
	return errs
}

// Page shows the form.
var Page = template.Must(template.New("").Parse(`{{range .General}}<p>{{.}}</p>{{end -}}
<input name="name" value="{{.Value "name"}}">{{.Error "name"}}
<input name="email" value="{{.Value "email"}}">{{.Error "email"}}
<input name="age" value="{{.Value "age"}}">
<option{{if .Is "colour" "red"}} selected{{end}}>red<option{{if .Is "colour" "blue"}} selected{{end}}>blue
<input name="city" value="{{.Value "city"}}">{{.Error "city"}}
<input name="password" value="{{.Value "password"}}">{{.Error "password"}}
<input name="answer" value="{{.Value "answer"}}"><input name="code" value="{{.Value "code"}}">
`))

const (
	emptyPage = `<input name="name" value="">
<input name="email" value="">
<input name="age" value="">
<option>red<option>blue
<input name="city" value="">
<input name="password" value="">
<input name="answer" value=""><input name="code" value="">
`
	failedPage = `<p>Please look again.</p><input name="name" value="&lt;Ann&gt;">
<input name="email" value="ann">That is no address.
<input name="age" value="30">
<option selected>red<option>blue
<input name="city" value="Bonn">
<input name="password" value="">Too short.
<input name="answer" value=""><input name="code" value="">
`
)

func (a Apps) entered() url.Values {
	return url.Values{
		"name": {"<Ann>"}, "email": {"ann"}, "age": {"30"}, "colour": {"red", "green"}, a.Nested + "city": {"Bonn"},
		"password": {"geheim-1"}, "answer": {"geheim-2"}, a.Nested + "code": {"geheim-3"},
	}
}

// dump keeps everything that a store is given.
type dump struct {
	core.Store
	all strings.Builder
}

func (d *dump) Unwrap() core.Store { return d.Store }

func (d *dump) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	d.all.Write(e.Data)
	return d.Store.Save(ctx, id, e, base)
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A form with errors is shown again, once, and without secrets.
func testForm(t *testing.T, a Apps) {
	t.Helper()
	d := &dump{Store: memstore.New(memstore.Config{})}
	st := sessiontest.NewOn(t, core.ServerSide(d))
	do := a.Signup(st.Manager)
	ann := st.Visitor()
	page := func() string { return body(t, do(ann, ann.Request("GET", "/signup", nil))) }
	if got := page(); got != emptyPage {
		t.Errorf("a new form is\n%s", got)
	}
	res := do(ann, ann.Form("/signup", a.entered()))
	if got := body(t, res); res.StatusCode != 303 || strings.Contains(got, "geheim") {
		t.Errorf("the answer is %d %q", res.StatusCode, got)
	}
	if got := page(); got != failedPage {
		t.Errorf("the form is\n%s, want\n%s", got, failedPage)
	}
	if got := page(); got != emptyPage {
		t.Errorf("after reload the form is\n%s", got)
	}
	if all := d.all.String(); !strings.Contains(all, "Bonn") || strings.Contains(all, "geheim") {
		t.Errorf("the store has %q", all)
	}

	right := a.entered()
	right.Set("email", "ann@example.com")
	right.Set("password", "a sentence is long enough")
	do(ann, ann.Form("/signup", right))
	ann.WantUser("ann@example.com")
	ann.WantFlash("success", "Welcome, <Ann>.")
	if got := page(); got != emptyPage {
		t.Errorf("after success the form is\n%s", got)
	}
}

// Handlers are tested in two or three lines, behind the middleware.
func testHandlers(t *testing.T, a Apps) {
	t.Helper()
	st := sessiontest.New(t)
	do := a.Cart(st.Manager)
	alice := st.Login("alice", sessiontest.With(cart, []string{"hat"}))
	do(alice, alice.Form("/cart", url.Values{"item": {"scarf"}}))
	alice.WantFlash("success", "Added scarf.")
	sessiontest.Want(alice, cart, []string{"hat", "scarf"})

	st.Advance(31 * time.Minute)
	alice.WantAnonymous()
	res := do(alice, alice.Form("/cart", url.Values{"item": {"scarf"}}))
	if res.StatusCode != 401 {
		t.Errorf("status %d", res.StatusCode)
	}
	sessiontest.WantAbsent(alice, cart)
}

var cart = core.NewKey[[]string]("cart")

// Add is what the handler of POST /cart does.
func Add(s *core.Session, item string) (status int) {
	if s.UserID() == "" {
		return 401
	}
	cart.Update(s, func(items []string) []string { return append(items, item) })
	s.Flash("success", "Added "+item+".")
	return 303
}

// A panic of strict mode would be lost in a middleware that recovers, or end the
// process.
func testStrictMode(t *testing.T, a Apps) {
	t.Helper()
	r := &recorder{TB: t}
	st := sessiontest.New(r)
	do := a.Cart(st.Manager)
	alice := st.Login("alice", sessiontest.With(cart, []string{"hat"}))
	do(alice, alice.Request("GET", "/in-place", nil))
	if len(r.failures) != 1 || !strings.Contains(r.failures[0], `"cart" was changed in place`) {
		t.Errorf("a change in place: the test failed with %q", r.failures)
	}
	r.failures = nil
	do(alice, alice.Request("GET", "/late", nil))
	late()
	if len(r.failures) != 1 || !strings.Contains(r.failures[0], `set "cart": too late`) {
		t.Errorf("a late write: the test failed with %q", r.failures)
	}
}

// InPlace is wrong: it changes what Get returned.
func InPlace(s *core.Session) {
	items, _ := cart.Get(s)
	items[0] = "cap"
}

var late func()

// Keep is wrong: it leaves a write to the session for later.
func Keep(s *core.Session) { late = func() { cart.Set(s, nil) } }

// recorder is a test that fails on purpose.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
