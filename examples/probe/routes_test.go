package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

func quiet(context.Context, core.Event) {}

func TestValues(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, framework, store string) {
		c := newClient(t, serve(t, framework, store, sealed.GenerateKey()))
		const empty = `{"found":false,"value":"","new":true,"id":"","user":""}`
		c.wants("GET /healthz", 200, `{}`)
		c.wants("GET /blank", 200, `{}`)
		c.wants("GET /get?key=k", 200, empty)
		c.wants("POST /set?key=k&value=v&delay=1", 200, `{}`)
		id := c.id("GET /get?key=k")
		stored := func(found bool, value string) string {
			return fmt.Sprintf(`{"found":%v,"value":%q,"new":false,"id":%q,"user":""}`, found, value, id)
		}
		c.wants("GET /get?key=k", 200, stored(true, "v"))
		c.wants("POST /set?key=k&value=w&status=404", 404, `{}`)
		c.wants("GET /get?key=k", 200, stored(true, "w"))
		c.wants("POST /set?key=k&value=x&status=503", 503, `{}`)
		c.wants("GET /get?key=k", 200, stored(true, "w")) // C4
		c.wants("POST /set?key=k&value=&status=204", 204, "")
		c.wants("GET /get?key=k", 200, stored(true, ""))
		if r := c.send("POST /set", "key=form&value=a+b%2Fc"); r.status != 200 {
			t.Errorf("parameters in a form: %d %s", r.status, r.body)
		}
		c.wants("GET /get?key=form", 200, stored(true, "a b/c"))

		c.wants("POST /incr?key=n", 200, `{"value":1}`)
		c.wants("POST /incr?key=n&delay=1", 200, `{"value":2}`)
		c.wants("GET /get?key=n", 200, stored(true, "2"))
		c.wants("POST /delete?key=n", 200, `{}`)
		c.wants("GET /get?key=n", 200, stored(false, ""))
		c.wants("POST /clear", 200, `{}`)
		c.wants("GET /get?key=k", 200, stored(false, ""))
	})
}

func TestFlashes(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, framework, store string) {
		c := newClient(t, serve(t, framework, store, sealed.GenerateKey()))
		const saved, bad = `{"kind":"success","text":"Saved."}`, `{"kind":"error","text":"Bad."}`
		const both = "[" + saved + "," + bad + "]"
		c.wants("GET /flashes", 200, `[]`)
		c.wants("POST /flash?kind=success&text=Saved.", 204, "")
		if r := c.wants("POST /flash?kind=error&text=Bad.&to=/page", 303, ""); r.location != "/page" {
			t.Errorf("POST /flash redirects to %q, want /page", r.location)
		}
		c.wants("GET /flashes?peek=1", 200, both)
		c.wants("GET /flashes?keep=1", 200, both)
		if r := c.wants("GET /flashes?to=/page", 303, ""); r.location != "/page" {
			t.Errorf("GET /flashes redirects to %q, want /page", r.location)
		}
		c.wants("GET /flashes?status=500", 500, both)
		c.wants("GET /flashes?status=204", 204, "")
		c.wants("GET /flashes?kind=error&status=422", 422, "["+bad+"]")
		c.wants("GET /flashes", 200, "["+saved+"]")
		c.wants("GET /flashes", 200, `[]`)

		c.wants("POST /flash?kind=info&text=%3Cscript%3E", 204, "")
		for _, want := range []string{"<ul>\n<li class=\"info\">&lt;script&gt;</li>\n</ul>", "<ul>\n</ul>"} {
			if r := c.wants("GET /page", 200, ""); r.kind != "text/html" || !strings.Contains(r.body, want) {
				t.Errorf("GET /page: %s %s, want %s", r.kind, r.body, want)
			}
		}
	})
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, framework, store string) {
		c := newClient(t, serve(t, framework, store, sealed.GenerateKey()))
		c.wants("POST /set?key=k&value=v", 200, `{}`)
		id := c.id("GET /get?key=k")
		in := fmt.Sprintf(`{"id":%q}`, id)
		c.wants("POST /login?user=ann", 200, in)
		c.wants("GET /get?key=k", 200, fmt.Sprintf(`{"found":true,"value":"v","new":false,"id":%q,"user":"ann"}`, id))
		c.wants("POST /renew", 200, in)
		c.wants("POST /login?user=ann&remember=1", 200, in)
		c.wants("GET /get?key=k", 200, fmt.Sprintf(`{"found":true,"value":"v","new":false,"id":%q,"user":"ann"}`, id))
		if next := c.id("POST /logout?flash=Bye."); next == "" || next == id {
			t.Errorf("after a logout with a flash the id is %q, want a new one; it was %q", next, id)
		}
		c.wants("GET /flashes", 200, `[{"kind":"info","text":"Bye."}]`) // I3
		if next := c.id("POST /login?user=bob"); next == id {
			t.Errorf("a session that had ended is back: %q", next)
		}
		c.wants("POST /logout", 200, `{"id":""}`)
		c.wants("GET /get?key=k", 200, `{"found":false,"value":"","new":true,"id":"","user":""}`)
		if onServer(store) {
			c.wants("GET /sessions", 200, `[]`)
		} else {
			c.refused("GET /sessions", 501, "not supported")
		}

		c.wants("POST /login?user=eve", 200, "")
		c.wants("POST /revoke-all", 200, `{}`)
		c.wants("GET /get?key=k", 200, `{"found":false,"value":"","new":true,"id":"","user":""}`)
	})
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	for framework := range frameworks {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			url := serve(t, framework, "memory:", sealed.GenerateKey())
			ann, phone, bob := newClient(t, url), newClient(t, url), newClient(t, url)
			annID, phoneID, bobID := ann.id("POST /login?user=ann"), phone.id("POST /login?user=ann"), bob.id("POST /login?user=bob")
			list := listed(t, ann)
			if len(list) != 2 || list[annID].current != "true" || list[phoneID].current != "false" {
				t.Errorf("ann's sessions are %v, want %q (current) and %q", list, annID, phoneID)
			}
			ann.refused("POST /revoke?id="+bobID, 404, "not found")
			bob.wants("POST /revoke?id="+bobID, 200, `{}`)
			bob.wants("GET /sessions", 200, `[]`)
			ann.wants("POST /revoke?id="+phoneID, 200, `{}`)
			phone.wants("GET /sessions", 200, `[]`)
			ann.refused("POST /revoke?id="+phoneID, 404, "not found")

			phone.id("POST /login?user=ann")
			ann.wants("POST /revoke-others", 200, `{}`)
			phone.wants("GET /sessions", 200, `[]`)
			phone.refused("POST /revoke-others", 404, "not found")
			if list := listed(t, ann); len(list) != 1 {
				t.Errorf("ann's sessions are %v, want the one", list)
			}
			bob.wants("POST /revoke-user?user=ann", 200, `{}`)
			ann.wants("GET /sessions", 200, `[]`)
		})
	}
}

type listing struct{ user, current string }

// listed reads GET /sessions and checks that all its members are there.
func listed(t *testing.T, c *client) map[string]listing {
	t.Helper()
	var list []map[string]any
	c.into("GET /sessions", &list)
	found := map[string]listing{}
	for _, s := range list {
		for _, name := range []string{"created", "last_seen", "expires"} {
			text, _ := s[name].(string)
			if when, err := time.Parse(time.RFC3339Nano, text); err != nil || time.Until(when).Abs() > time.Hour {
				t.Errorf("%s is %q, want a time around now", name, text)
			}
		}
		if _, ok := s["label"]; !ok || len(s) != 7 {
			t.Errorf("a session is listed as %v", s)
		}
		found[fmt.Sprint(s["id"])] = listing{fmt.Sprint(s["user"]), fmt.Sprint(s["current"])}
	}
	return found
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	for framework := range frameworks {
		c := newClient(t, serve(t, framework, "cookie:", sealed.GenerateKey()))
		id := c.id("POST /login?user=ann")
		c.refused("GET /sessions", 501, "not supported")
		c.refused("POST /revoke?id="+id, 501, "not supported")
		c.refused("POST /revoke-others", 501, "not supported")
		c.refused("POST /revoke-user?user=ann", 501, "not supported")
	}
}

func TestBadParameters(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, framework, store string) {
		c := newClient(t, serve(t, framework, store, sealed.GenerateKey()))
		for _, test := range []struct{ request, name string }{
			{"GET /get", "key"},
			{"POST /set?value=v", "key"},
			{"POST /set?key=k&delay=soon", "delay"},
			{"POST /set?key=k&delay=-1", "delay"},
			{"POST /set?key=k&status=99", "status"},
			{"POST /set?key=k&status=101", "status"},
			{"POST /incr", "key"},
			{"POST /incr?key=k&delay=x", "delay"},
			{"POST /delete", "key"},
			{"POST /flash?text=t", "kind"},
			{"POST /flash?kind=k", "text"},
			{"POST /flash?kind=k&text=t&to=//elsewhere.example", "to"},
			{"POST /flash?kind=k&text=t&to=http://elsewhere.example", "to"},
			{"GET /flashes?peek=maybe", "peek"},
			{"GET /flashes?status=x", "status"},
			{"POST /login", "user"},
			{"POST /login?user=u&remember=x", "remember"},
			{"POST /revoke", "id"},
			{"POST /revoke?id=x", "id"},
			{"POST /revoke-user", "user"},
			{"GET /stream?n=0", "n"},
			{"GET /stream?n=x", "n"},
			{"GET /panic", "key"},
			{"GET /late", "key"},
		} {
			c.refused(test.request, 400, fmt.Sprintf("parameter %q: want ", test.name))
		}
		c.wants("GET /get?key=k", 200, `{"found":false,"value":"","new":true,"id":"","user":""}`)
		c.wants("POST /set?key=text&value=v", 200, `{}`)
		c.refused("POST /incr?key=text", 400, `"text"`)
	})
}

func TestStreamsAndPanics(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, framework, store string) {
		c := newClient(t, serve(t, framework, store, sealed.GenerateKey()))
		data, at := events(c, "GET /stream?n=3&delay=100&key=k&value=v", func() {})
		if got := strings.Join(data, " "); got != `{"n":1} {"n":2} {"n":3}` {
			t.Errorf("GET /stream sends %s", got)
		} else if gap := at[2].Sub(at[0]); gap < 100*time.Millisecond {
			t.Errorf("GET /stream sends all within %v: it does not flush", gap)
		}
		value := func(key string) string {
			var v struct{ Value string }
			c.into("GET /get?key="+key, &v)
			return v.Value
		}
		if got := value("k"); got != "v" {
			t.Errorf("GET /stream has set %q, want v", got)
		}
		c.wants("GET /panic?key=p&value=v", 500, "")
		if got := value("p"); got != "" {
			t.Errorf("GET /panic has set %q: want nothing (C4)", got)
		}
		c.wants("GET /late?key=l&value=v", 200, `{"started":true}`)
		// Fiber sends nothing before the handler has returned.
		want := ""
		if onServer(store) || strings.HasPrefix(framework, "fiber") {
			want = "v"
		}
		if got := value("l"); got != want {
			t.Errorf("GET /late has set %q, want %q (C6)", got, want)
		}
		for _, path := range []string{"/get?key=k", "/flashes", "/page", "/healthz"} {
			if r := c.wants("HEAD "+path, 200, ""); r.body != "" {
				t.Errorf("HEAD %s has a body", path)
			}
		}
	})
}
