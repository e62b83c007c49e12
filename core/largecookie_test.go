package core_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// One event, from 3,000 characters on, names what to raise in proxies and servers.
func TestE2LargeCookiesAreTold(t *testing.T) {
	w := inCookies(t)
	c := newClient(t, w.m)
	size, before := 0, 0
	for n := 2000; size < 3200; n += 10 {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(rand.Uint32())
		}
		x := c.do(func(s *core.Session) { s.Set("k", data) })
		before = size
		size = len(x.setCookie[0][:strings.IndexByte(x.setCookie[0], ';')])
		if told := w.events.count(core.EventLargeCookie); (told == 1) != (size >= 3000) {
			t.Fatalf("%d events after a cookie of %d characters, and of %d before", told, size, before)
		}
	}
	for _, e := range w.events.all {
		if e.Kind == core.EventLargeCookie && (!strings.Contains(e.Detail, "proxy_buffer_size") || !strings.Contains(e.Detail, "ReadBufferSize")) {
			t.Errorf("it does not say what to raise: %s", e.Detail)
		}
	}
	c.do(func(s *core.Session) { s.Logout() })
	if n := w.events.count(core.EventLargeCookie); n != 1 {
		t.Errorf("%d events", n)
	}
}

// Small tokens are told of only to servers that accept next to nothing.
func TestE2HeadLimits(t *testing.T) {
	for _, c := range []struct {
		w     *world
		limit int
		want  int
	}{
		{server(t), 4096, 0},
		{server(t), 1024, 1},
		{inCookies(t), 4096, 1},
		{inCookies(t), 8192, 0},
		{inCookies(t, func(c *core.Config) { c.Cookie.MaxParts = 2 }), 8192, 1},
		{inCookies(t, func(c *core.Config) { c.Cookie.MaxParts = 2 }), 16 << 10, 0},
	} {
		for range 3 {
			c.w.m.CheckHeadLimit(t.Context(), c.limit, "a setting")
		}
		if n := c.w.events.count(core.EventLargeCookie); n != c.want {
			t.Errorf("%d bytes: %d events, want %d", c.limit, n, c.want)
		}
	}
}
