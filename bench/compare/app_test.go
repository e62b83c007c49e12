package compare

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// library is one column: a session library on a backend, in an application of its own.
type library struct {
	name      string
	backend   string // "Redis" or "cookie"
	framework string
	modules   []string // whose versions the page names
	source    string   // the application's file
	start     func(e environment) (*app, error)

	// options are documented settings other than the defaults. A case that a library
	// fails runs again with those that are meant for it, and the page has both results.
	options []option
}

type option struct {
	name  string
	cases []string
}

// Options that several libraries have.
const (
	safeCookies = "safe cookie attributes"
	saveAlways  = "a save in every request"
)

// environment is what an application is configured with.
type environment struct {
	redis  string // "host:port" of a Redis server
	db     int
	keys   []string      // secret keys of 32 bytes, the newest first
	idle   time.Duration // zero for the library's default
	max    time.Duration // the absolute lifetime; zero for the library's default
	option string        // the name of an option that is on, or ""
	report func()        // takes that the library reports something by an error, a hook or its log
}

// timeout is for libraries that have one timeout only.
func (e environment) timeout() time.Duration { return max(e.idle, e.max) }

// app is an application that listens.
type app struct {
	env   environment
	serve func(net.Listener) error
	close func()
	gates gates

	// What can be done from outside a request; nil if the library documents no way.
	endID   func(ctx context.Context, id string) error
	endUser func(ctx context.Context, user string) error
	endAll  func(ctx context.Context) error
	count   func(ctx context.Context, user string) (int, error)
}

// request is one request and its response, whatever the framework.
type request interface {
	param(name string) string
	text(status int, body string) error
	redirect(to string) error

	// stream sends the header and the first line, and then what rest writes.
	stream(first string, rest func(line func(string))) error
}

// session is what the routes below need of a library. Each method is the call that the
// library documents for it.
type session interface {
	values
	save() error // nothing, where the library saves by itself
	flash(text string) error
	flashes() ([]string, error)
	login(user string) error
	logout() error
	user() string
	id() string
}

// values are a session's values.
type values interface {
	get(key string) string
	set(key, value string)
	count() int
	add() // one to the count
	point() (point, bool)
	setPoint(p point)
	shape() shape
	setShape(s shape)
}

// point is a struct that no application registers.
type point struct{ X, Y int }

// shape is an interface, and circle is registered wherever that helps.
type shape interface{ Area() float64 }

type circle struct{ Radius float64 }

func (c circle) Area() float64 { return 3 * c.Radius * c.Radius }

// late is for sessions that are changed in another way once the body has begun.
type late interface{ late() session }

// bag makes values from a library's calls for values of any type.
type bag struct {
	load  func(key string) any
	store func(key string, v any)
}

func (b bag) get(key string) string { v, _ := b.load(key).(string); return v }
func (b bag) set(key, value string) { b.store(key, value) }
func (b bag) count() int            { n, _ := b.load("n").(int); return n }
func (b bag) add()                  { b.store("n", b.count()+1) }
func (b bag) point() (point, bool)  { p, ok := b.load("point").(point); return p, ok }
func (b bag) setPoint(p point)      { b.store("point", p) }
func (b bag) shape() shape          { s, _ := b.load("shape").(shape); return s }
func (b bag) setShape(s shape)      { b.store("shape", s) }
func (b bag) user() string          { return b.get("user") }

// none is the error of what a library does not have; it is the reason.
type none string

func (n none) Error() string { return string(n) }

const page = "the page"

// route is what every application serves under path, for all methods. Its handlers are
// written as the libraries' documentation writes them: open the session, change it, save
// it, and then answer.
type route struct {
	path string
	run  func(a *app, q request, open func() (session, error)) error
}

var routes = []route{
	{"/plain", func(_ *app, q request, _ func() (session, error)) error { return q.text(200, page) }},
	{"/get", reading(func(q request, s session) string { return s.get(q.param("key")) })},
	{"/count", reading(func(_ request, s session) string { return strconv.Itoa(s.count()) })},
	{"/user", reading(func(_ request, s session) string { return s.user() })},
	{"/id", reading(func(_ request, s session) string { return s.id() })},
	{"/point", reading(func(_ request, s session) string { p, ok := s.point(); return fmt.Sprint(p, ok) })},
	{"/shape", reading(func(_ request, s session) string { return fmt.Sprintf("%T %v", s.shape(), s.shape()) })},
	{"/length", reading(func(_ request, s session) string { return strconv.Itoa(len(s.get("large"))) })},

	{"/put", writing(func(q request, s session) error { s.set(q.param("key"), q.param("value")); return nil })},
	{"/add", writing(func(_ request, s session) error { s.add(); return nil })},
	{"/put-point", writing(func(_ request, s session) error { s.setPoint(point{3, 4}); return nil })},
	{"/put-shape", writing(func(_ request, s session) error { s.setShape(circle{5}); return nil })},
	{"/put-large", writing(func(q request, s session) error {
		n, err := strconv.Atoi(q.param("bytes"))
		s.set("large", strings.Repeat("x", n))
		return err
	})},
	{"/login", writing(func(q request, s session) error { return s.login(q.param("user")) })},
	{"/logout", with(func(_ *app, q request, s session) error {
		if err := s.logout(); err != nil { // saves, where that is needed
			return err
		}
		return q.text(200, page)
	})},
	{"/forget", with(func(_ *app, q request, s session) error { // its author forgot to save
		s.set(q.param("key"), q.param("value"))
		return q.text(200, page)
	})},
	{"/twice", func(_ *app, q request, open func() (session, error)) error { // two helpers that do not know of each other
		for _, key := range []string{"first", "second"} {
			s, err := open()
			if err != nil {
				return err
			}
			s.set(key, "x")
			if err := s.save(); err != nil {
				return err
			}
		}
		return q.text(200, page)
	}},
	{"/fail", with(func(_ *app, q request, s session) error { // fails before it comes to saving
		s.set(q.param("key"), q.param("value"))
		return q.text(500, "the database is down")
	})},
	{"/panic", with(func(_ *app, q request, s session) error {
		s.set(q.param("key"), q.param("value"))
		panic("a mistake")
	})},

	{"/flash", with(func(_ *app, q request, s session) error {
		if err := s.flash(q.param("text")); err != nil {
			return err
		}
		if err := s.save(); err != nil {
			return err
		}
		return q.redirect("/flashes")
	})},
	{"/flashes", with(func(_ *app, q request, s session) error { return showFlashes(q, s, func() {}) })},
	{"/held-flashes", with(func(a *app, q request, s session) error {
		return showFlashes(q, s, func() { a.gates.pass(q.param("gate")) })
	})},

	{"/held-put", held(func(q request, s session) { s.set(q.param("key"), q.param("value")) })},
	{"/held-add", held(func(_ request, s session) { s.add() })},
	{"/held-get", with(func(a *app, q request, s session) error {
		value := s.get(q.param("key"))
		a.gates.pass(q.param("gate"))
		return q.text(200, value)
	})},

	{"/late", with(func(a *app, q request, s session) error {
		key, value, gate := q.param("key"), q.param("value"), q.param("gate")
		if l, ok := s.(late); ok {
			if s = l.late(); s == nil {
				return none("handlers return before the body begins, and no call changes a session after that")
			}
		}
		return q.stream("started", func(line func(string)) {
			a.gates.pass(gate)
			s.set(key, value)
			if err := s.save(); err != nil {
				a.env.report()
			}
			line(page)
		})
	})},
	{"/flush", with(func(_ *app, q request, s session) error {
		s.set(q.param("key"), q.param("value"))
		if err := s.save(); err != nil {
			return err
		}
		return q.stream("", func(line func(string)) { line(page) })
	})},

	{"/end", outside(func(a *app, q request) error {
		if a.endID == nil {
			return none("no call ends a session from outside its own requests")
		}
		return a.endID(context.Background(), q.param("id"))
	})},
	{"/end-user", outside(func(a *app, q request) error {
		if a.endUser == nil {
			return none("no call ends a user's sessions")
		}
		return a.endUser(context.Background(), q.param("user"))
	})},
	{"/end-all", outside(func(a *app, _ request) error {
		if a.endAll == nil {
			return none("no call ends all sessions")
		}
		return a.endAll(context.Background())
	})},
	{"/list", func(a *app, q request, _ func() (session, error)) error {
		if a.count == nil {
			return none("no call lists sessions")
		}
		n, err := a.count(context.Background(), q.param("user"))
		if err != nil {
			return err
		}
		return q.text(200, strconv.Itoa(n))
	}},
}

// answer runs a route and answers its errors.
func (a *app) answer(r route, q request, open func() (session, error)) error {
	err := r.run(a, q, open)
	var missing none
	switch {
	case err == nil:
		return nil
	case errors.As(err, &missing):
		return q.text(501, string(missing))
	default:
		return q.text(500, "error: "+err.Error())
	}
}

// with is a handler that opens its session at once.
func with(f func(*app, request, session) error) func(*app, request, func() (session, error)) error {
	return func(a *app, q request, open func() (session, error)) error {
		s, err := open()
		if err != nil {
			return err
		}
		return f(a, q, s)
	}
}

func reading(f func(request, session) string) func(*app, request, func() (session, error)) error {
	return with(func(a *app, q request, s session) error {
		text := f(q, s)
		if a.env.option == saveAlways {
			if err := s.save(); err != nil {
				return err
			}
		}
		return q.text(200, text)
	})
}

func writing(f func(request, session) error) func(*app, request, func() (session, error)) error {
	return with(func(_ *app, q request, s session) error {
		if err := f(q, s); err != nil {
			return err
		}
		if err := s.save(); err != nil {
			return err
		}
		return q.text(200, page)
	})
}

// held is a slow handler: it has read the session, waits at a gate, and then writes.
func held(f func(request, session)) func(*app, request, func() (session, error)) error {
	return with(func(a *app, q request, s session) error {
		_, _ = s.get("any"), s.count()
		a.gates.pass(q.param("gate"))
		f(q, s)
		if err := s.save(); err != nil {
			return err
		}
		return q.text(200, page)
	})
}

func outside(f func(*app, request) error) func(*app, request, func() (session, error)) error {
	return func(a *app, q request, _ func() (session, error)) error {
		if err := f(a, q); err != nil {
			return err
		}
		return q.text(200, page)
	}
}

// showFlashes shows the flashes, one a line, or what the parameter "as" says: an error
// page, or a redirect. It saves before it answers, as cookies have to go first.
func showFlashes(q request, s session, wait func()) error {
	list, err := s.flashes()
	if err != nil {
		return err
	}
	wait()
	if err := s.save(); err != nil {
		return err
	}
	switch q.param("as") {
	case "error":
		return q.text(500, "the template is broken")
	case "redirect":
		return q.redirect("/flashes")
	default:
		return q.text(200, strings.Join(list, "\n"))
	}
}

// gates hold requests until the driver lets them go.
type gates struct {
	mu  sync.Mutex
	all map[string]*gate
}

type gate struct {
	arrived chan struct{} // one value for each arrival
	open    chan struct{}
}

const patience = 30 * time.Second

func (g *gates) named(name string) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all == nil {
		g.all = map[string]*gate{}
	}
	if g.all[name] == nil {
		g.all[name] = &gate{arrived: make(chan struct{}, 100), open: make(chan struct{})}
	}
	return g.all[name]
}

// pass waits until the gate is open.
func (g *gates) pass(name string) {
	at := g.named(name)
	at.arrived <- struct{}{}
	select {
	case <-at.open:
	case <-time.After(patience):
	}
}

// arrived waits until n requests are at a gate, and reports whether they came.
func (g *gates) arrived(name string, n int) bool {
	for range n {
		select {
		case <-g.named(name).arrived:
		case <-time.After(patience):
			return false
		}
	}
	return true
}

// let lets the requests at a gate go.
func (g *gates) let(name string) { close(g.named(name).open) }
