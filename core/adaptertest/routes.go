package adaptertest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// absent is the answer of /get and /flashes if there is nothing.
const absent = "-"

var counter = core.NewKey[int]("counter")

// standardRoutes are the handlers that most cases need.
func standardRoutes() []Route {
	return []Route{
		get("/plain", func(r Request) error { return r.Text(200, "plain") }).outside(),
		get("/blank", func(r Request) error { return r.Text(200, "blank") }),
		get("/get", func(r Request) error { return r.Text(200, value(r.Session(), key(r))) }),
		post("/set", func(r Request) error {
			r.Session().Set(key(r), r.Param("value"))
			return r.Text(status(r), "set")
		}),
		post("/delete", func(r Request) error { r.Session().Delete(key(r)); return r.Text(200, "deleted") }),
		post("/clear", func(r Request) error { r.Session().Clear(); return r.Text(200, "cleared") }),
		post("/incr", func(r Request) error {
			s := r.Session()
			counter.Update(s, func(n int) int { return n + 1 })
			if err := s.Commit(r.Context()); err != nil {
				return err
			}
			n, _ := counter.Get(s)
			return r.Text(200, strconv.Itoa(n))
		}),
		post("/flash", func(r Request) error {
			r.Session().Flash(r.Param("kind"), r.Param("text"))
			return answer(r, "flashed")
		}),
		get("/flashes", func(r Request) error {
			found := r.Session().Flashes(kinds(r)...)
			return answer(r, texts(found))
		}),
		get("/peek", func(r Request) error { return r.Text(200, texts(r.Session().PeekFlashes(kinds(r)...))) }),
		post("/login", func(r Request) error {
			s := r.Session()
			s.Login(r.Param("user"))
			if r.Param("remember") != "" {
				s.Remember(true)
			}
			return r.Text(status(r), "in")
		}),
		post("/logout", func(r Request) error {
			s := r.Session()
			s.Logout()
			if text := r.Param("flash"); text != "" {
				s.Flash("info", text)
			}
			return answer(r, "out")
		}),
		post("/renew", func(r Request) error { r.Session().Renew(); return r.Text(200, "renewed") }),
		get("/who", func(r Request) error { return r.Text(200, who(r.Session())) }),
		get("/id", func(r Request) error { return r.Text(200, r.Session().ID().String()) }),
	}
}

func get(path string, f func(Request) error) Route {
	return Route{Method: "GET", Path: path, Handler: f}
}

func post(path string, f func(Request) error) Route {
	return Route{Method: "POST", Path: path, Handler: f}
}

// outside puts the route outside the session middleware.
func (r Route) outside() Route {
	r.Plain = true
	return r
}

// key returns the parameter key, by default "k".
func key(r Request) string {
	if k := r.Param("key"); k != "" {
		return k
	}
	return "k"
}

// status returns the parameter status, by default 200.
func status(r Request) int {
	if n, err := strconv.Atoi(r.Param("status")); err == nil {
		return n
	}
	return http.StatusOK
}

// kinds returns the parameter kind as a list, empty if there is none.
func kinds(r Request) []string {
	if k := r.Param("kind"); k != "" {
		return []string{k}
	}
	return nil
}

// answer redirects to the parameter to, or sends text with the requested status.
func answer(r Request, text string) error {
	if to := r.Param("to"); to != "" {
		return r.Redirect(http.StatusSeeOther, to)
	}
	if s := status(r); s == 204 || s == 205 || s == 304 {
		return r.Status(s)
	}
	return r.Text(status(r), text)
}

func value(s *core.Session, key string) string {
	v, ok := core.Get[string](s, key)
	if !ok {
		return absent
	}
	return v
}

// texts formats flashes as kind:text, with bars between them.
func texts(flashes []core.Flash) string {
	if len(flashes) == 0 {
		return absent
	}
	parts := make([]string, len(flashes))
	for i, f := range flashes {
		parts[i] = f.Kind + ":" + f.Text
	}
	return strings.Join(parts, "|")
}

// who writes the session's identity.
func who(s *core.Session) string {
	return fmt.Sprintf("user=%s new=%v ended=%v", s.UserID(), s.IsNew(), s.Ended())
}

// set stores a value and checks that the response set the cookie.
func (c *client) set(key, v string) {
	c.Helper()
	c.post(query("/set", "key", key, "value", v)).wants(200, "set")
}

// has checks a value; absent means that there is none.
func (c *client) has(key, want string) {
	c.Helper()
	if r := c.get(query("/get", "key", key)); r.status != 200 || r.body != want {
		c.Errorf("session value %q is %d %.100q, want %.100q", key, r.status, r.body, want)
	}
}

// login logs in and checks that the response set the cookie.
func (c *client) login(user string) {
	c.Helper()
	c.post(query("/login", "user", user)).wants(200, "in").sets()
}

// id returns the session's public ID.
func (c *client) id() core.ID {
	c.Helper()
	id, err := core.ParseID(c.get("/id").body)
	if err != nil {
		c.Fatalf("the session has no ID: %v", err)
	}
	return id
}

// tick is how long after a timeout cases look.
const tick = time.Second
