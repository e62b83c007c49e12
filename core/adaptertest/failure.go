package adaptertest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// failureCases are about errors, and about records that cannot be read.
var failureCases = []testCase{
	{
		name: "E1_value_of_another_type",
		why:  "A release that changes the type of a value must neither lose it unasked nor keep those who have an old one out.",
		run:  anotherType,
	},
	{
		name: "E1_SEC67_no_token_in_errors_and_events",
		why:  "Many people read logs, and a token there is enough to take over the session.",
		run:  canary,
	},
	{
		name: "E1_request_is_known",
		why:  "An event or a description that names another request is misleading.",
		run:  requestIsKnown,
	},
	{
		name: "E1_errors_branch_by_sentinel",
		why:  "Handlers must be able to tell what went wrong without parsing error texts.",
		run:  sentinels,
	},
	{
		name: "E3_corrupt_record_is_no_session",
		why:  "Damaged bytes must neither cause a panic nor lock the user out.",
		run: func(h *harness) {
			damageRecords(h, core.ReasonCorrupt, func(data []byte) [][]byte {
				garbage := [][]byte{nil, {}, {0}, {1}, []byte("garbage"), data[:len(data)-1], data[:len(data)/2], make([]byte, 100)}
				return append(garbage, append(slices.Clip(data), 0))
			})
		},
	},
	{
		name: "E3_newer_version_is_no_session_and_stays",
		why:  "During a rollback of a release, old servers must not destroy what new ones wrote.",
		run: func(h *harness) {
			damageRecords(h, core.ReasonNewer, func(data []byte) [][]byte {
				newer := append([]byte(nil), data...)
				newer[0] += 7
				return [][]byte{newer}
			})
		},
	},
}

// mixUp makes the store answer every load with ann's entry.
func (h *harness) mixUp(ann *client) {
	h.Helper()
	var anns core.Entry
	h.faults.corrupt(func(e core.Entry) core.Entry { anns = e; return e })
	ann.has("k", "ann's")
	h.faults.corrupt(func(core.Entry) core.Entry { return anns })
}

// damageRecords makes the store return damaged records. It checks that they are
// not sessions, that an event reports them, and that nothing is overwritten.
func damageRecords(h *harness, reason core.Reason, damage func([]byte) [][]byte) {
	s := h.open(setup{})
	c := s.client()
	c.set("k", "v")
	if h.clientSide() {
		for _, bad := range damage([]byte(c.token())) { // authenticated, so a damaged one counts as foreign
			r := s.rawGet("/get", h.line(string(bad)))
			if r.err == nil && r.status != 400 { // the server itself may refuse control characters
				r.wants(200, absent).setsNothing()
			}
		}
		c.has("k", "v")
		return
	}
	if h.store == nil {
		c.has("k", "v") // the backend decides what a record looks like
		return
	}
	var variants [][]byte
	h.faults.corrupt(func(e core.Entry) core.Entry { variants = damage(e.Data); return e })
	c.has("k", "v")
	for i, bad := range variants {
		h.faults.corrupt(func(e core.Entry) core.Entry { e.Data = bad; return e })
		twin := c.twin()
		twin.get("/get").wants(200, absent).setsNothing()
		twin.post("/set?value=new").wants(200, "set").sets()
		h.faults.corrupt(nil)
		h.wantEvents(2*(i+1), core.EventRejected, reason)
		twin.has("k", "new")
	}
	c.has("k", "v") // as it was
}

// requestIsKnown keeps the adapter's description of one request and compares it
// after another request, because frameworks reuse their buffers.
func requestIsKnown(h *harness) {
	type seen struct {
		method, path, ip, agent, header, line, absent string
		secure                                        bool
	}
	described := make(chan seen, 1)
	describe := func(ex core.Exchange) string {
		d := seen{
			method: ex.Method(), path: ex.RequestPath(), ip: ex.RemoteIP(), secure: ex.Secure(),
			agent: ex.RequestHeader("User-Agent"), header: ex.RequestHeader("x-one"), absent: ex.RequestHeader("X-Absent"),
		}
		if lines := ex.RequestHeaderLines("X-One"); len(lines) == 1 {
			d.line = lines[0]
		}
		described <- d
		return d.agent
	}
	login := func(r Request) error { r.Session().Login("ann"); return r.Text(200, "in") }
	s := h.open(setup{
		core:   func(c *core.Config) { c.Describe = describe },
		routes: []Route{post("/first", login), post("/other", login)},
	})
	c := s.client() // one connection, and so one buffer, where all that differs is in the same places
	c.set("k", "v") // or the others would be longer, by the cookie
	<-described
	c.post("/first", "User-Agent", "first", "X-One", "1").wants(200, "in")
	first := <-described
	for range 5 {
		c.post("/other", "User-Agent", "other", "X-One", "2").wants(200, "in")
		<-described
	}
	if want := (seen{method: "POST", path: "/first", ip: "127.0.0.1", agent: "first", header: "1", line: "1"}); first != want {
		h.Errorf("the request is described as\n%+v, want\n%+v", first, want)
	}
	paths := map[core.EventKind][]string{}
	for _, e := range h.events.list() {
		paths[e.Kind] = append(paths[e.Kind], e.Request.Method+" "+e.Request.Path)
	}
	if got := paths[core.EventLogin]; !slices.Equal(got, []string{"POST /first", "POST /other", "POST /other", "POST /other", "POST /other", "POST /other"}) {
		h.Errorf("users logged in by %q", got)
	}
}

func canary(h *harness) {
	var failures []error
	s := h.open(setup{
		app: func(c *Config) {
			c.OnError = func(r Request, err error) error {
				failures = append(failures, err)
				return r.Text(core.ErrorResponseFor(err).Status, "error")
			}
		},
		routes: []Route{get("/print", func(r Request) error {
			s := r.Session()
			return r.Text(200, fmt.Sprintf("%v %+v %#v %s", s, s, s, s))
		})},
	})
	c := s.client()
	c.set("k", "v4lue-c4n4ry")
	c.login("ann")
	token := c.token()
	secrets := []string{token, token[len(token)-20:], "v4lue-c4n4ry"}
	var said strings.Builder
	said.WriteString(c.get("/print").body)
	for _, o := range []op{opLoad, opSave, opTouch, opDelete} {
		h.faults.down(o)
		c.get("/get")
		c.twin().post("/set?value=x")
		c.twin().post("/renew")
		h.faults.up()
	}
	s.with(flip(token, 30)).get("/get")
	c.get("/sessions")
	c.post("/logout")
	s.with(token).get("/get")
	for _, err := range failures {
		fmt.Fprintf(&said, "%v %+v %#v", err, err, err)
	}
	for _, e := range h.events.list() {
		fmt.Fprintf(&said, "%v %+v %#v %v", e, e, e, e.Err)
	}
	for _, secret := range secrets {
		if strings.Contains(said.String(), secret) {
			h.Errorf("errors or events contain a token or a value")
		}
	}
}

func sentinels(h *harness) {
	s := h.open(setup{routes: []Route{post("/errors", func(r Request) error {
		s := r.Session()
		if _, err := core.Lookup[int](s, "absent"); !errors.Is(err, core.ErrNotFound) {
			return r.Text(200, fmt.Sprintf("Lookup of an absent key: %v", err))
		}
		var failure *core.ValueError
		if _, err := core.Lookup[int](s, "k"); !errors.As(err, &failure) || failure.Key != "k" {
			return r.Text(200, fmt.Sprintf("Lookup of another type: %v", err))
		}
		s.Set("big", strings.Repeat("x", 100<<10))
		var size *core.SizeError
		err := s.Commit(r.Context())
		if !errors.Is(err, core.ErrTooLarge) || !errors.As(err, &size) || size.Key != "big" || size.Total <= size.Limit {
			return r.Text(200, fmt.Sprintf("Commit of a session that is too large: %v", err))
		}
		return r.Text(200, "as promised")
	})}})
	c := s.client()
	c.set("k", "a string")
	c.post("/errors").wants(200, "as promised")
	c.has("k", "a string")
}

// anotherType lets handlers meet a text where their key has a number.
func anotherType(h *harness) {
	route := func(path string, options ...core.KeyOption) Route {
		number := core.NewKey[int]("counter", options...)
		return post(path, func(r Request) error {
			s := r.Session()
			if user := r.Param("user"); user != "" {
				s.Login(user)
			}
			number.Update(s, func(n int) int { return n + 1 })
			if text := r.Param("set"); text != "" {
				number.Set(s, 100)
			}
			if err := s.Commit(r.Context()); err != nil {
				return err
			}
			n, err := number.Lookup(s)
			if err != nil {
				return err
			}
			return r.Text(200, strconv.Itoa(n))
		})
	}
	s := h.open(setup{routes: []Route{
		route("/refuse"), route("/replace", core.ReplaceUnreadable), route("/convert", core.ReadOld(strconv.Atoi)),
	}})
	withText := func() *client {
		c := s.client()
		c.set("counter", "41")
		return c
	}
	c := withText()
	for _, target := range []string{"/refuse", "/refuse?user=ann"} {
		c.post(target).wantsStatus(500).setsNothing()
		c.has("counter", "41")
	}
	c.is("user= new=false ended=false")
	c.post("/refuse?set=1").wants(200, "100")
	c.post("/refuse").wants(200, "101")
	withText().post("/replace?user=ann").wants(200, "1")
	h.wantEvents(1, core.EventReplaced, "")
	c = withText()
	c.post("/convert").wants(200, "42")
	c.post("/refuse").wants(200, "43")
	h.wantEvents(1, core.EventReplaced, "")
}
