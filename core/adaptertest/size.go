package adaptertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// sizeCases are about sessions that are large or too large.
var sizeCases = []testCase{
	{
		name: "E2_SEC24_too_large_is_an_error_and_nothing_is_lost",
		why:  "A session beyond the limit must not be truncated silently.",
		run: func(h *harness) {
			s := h.open(setup{routes: sizeRoutes()})
			c := s.client()
			c.set("k", "v")
			c.post("/fill?key=huge&size=1000000").refusal(500, internalErrorBody)
			c.has("k", "v")
			c.has("huge", absent)
			var size *core.SizeError
			for _, e := range h.events.list() {
				if errors.As(e.Err, &size) {
					break
				}
			}
			if size == nil || size.Key != "huge" || size.Bytes < 1000000 || size.Total < size.Bytes || size.Limit <= 0 {
				h.Errorf("the error does not say what is too large: %v", size)
			}
		},
	},
	{
		name: "E2_AD29_SEC29_every_size_is_kept_or_refused",
		why:  "Whatever the size, either the next request has the session or this one fails with an error.",
		run:  everySize,
	},
	{
		name:   "E2_SEC36_shrinking_deletes_stale_parts",
		why:    "A leftover part would be mixed up with the next large session.",
		cookie: "only cookies are split",
		run:    shrinking,
	},
	{
		name:   "E2_one_cookie_by_default",
		why:    "Several cookies pass through no proxy and server as these are configured by default; clients may have them all the same.",
		cookie: "only cookies are split",
		run:    oneCookie,
	},
	{
		name: "E2_SEC36_logout_deletes_all_parts",
		why:  "After a logout, nothing of a large session stays with the client.",
		run: func(h *harness) {
			c := h.open(setup{routes: sizeRoutes()}).client()
			c.post("/fill?key=a&size=7000").wants(200, "filled")
			c.post("/logout").wants(200, "out")
			if header := c.lines(); header != "" {
				h.Errorf("left after the logout: %.100s", header)
			}
		},
	},
}

// fill returns a string of this size without repetition.
func fill(size int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz"
	random := rand.New(rand.NewPCG(1, uint64(size))) //nolint:gosec // the same text every time
	b := make([]byte, size)
	for i := range b {
		b[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(b)
}

func sizeRoutes() []Route {
	size := func(r Request) (n int) {
		_, _ = fmt.Sscan(r.Param("size"), &n) // zero otherwise
		return n
	}
	return []Route{
		post("/fill", func(r Request) error {
			r.Session().Set(key(r), fill(size(r)))
			return r.Text(200, "filled")
		}),
		get("/filled", func(r Request) error {
			v := value(r.Session(), key(r))
			if v == fill(size(r)) {
				return r.Text(200, "whole")
			}
			return r.Text(200, fmt.Sprintf("%d bytes", len(v)))
		}),
	}
}

// headRoom is how large a request's head every server accepts by default. Beyond
// it, a refusal by the server itself is not the adapter's fault.
const headRoom = 3500

func everySize(h *harness) {
	s := h.open(setup{routes: sizeRoutes()})
	for _, size := range []int{1, 100, 2900, 2950, 3000, 3010, 3020, 3030, 3040, 3050, 3100, 4096, 6000, 9000, 14000, 15000, 20000, 60000, 70000} {
		c := s.client()
		c.set("k", "v")
		switch r := c.post(fmt.Sprintf("/fill?key=a&size=%d", size)); r.status {
		case 200:
			for range 3 { // the second one touches, and the third brings that along
				got := c.get(fmt.Sprintf("/filled?key=a&size=%d", size))
				if tooMuch := got.status == 431 && len(c.lines()) > headRoom; !tooMuch {
					got.wants(200, "whole")
				}
				h.clock.advance(10 * time.Minute)
			}
		case 500:
			r.refusal(500, internalErrorBody)
			c.has("k", "v")
			if size < 10000 {
				h.Errorf("%d bytes are refused", size)
			}
		default:
			h.Errorf("%d bytes: status %d", size, r.status)
		}
	}
}

// oneCookie checks the default of Cookie.MaxParts, and what becomes of cookies that
// were split when it was larger.
func oneCookie(h *harness) {
	byDefault := h.open(setup{routes: sizeRoutes(), core: func(c *core.Config) { c.Cookie.MaxParts = 0 }})
	c := byDefault.client()
	c.set("k", "v")
	if r := c.post("/fill?key=a&size=7000"); h.clientSide() {
		r.refusal(500, internalErrorBody)
		c.has("k", "v")
	} else {
		r.wants(200, "filled")
	}
	split := h.open(setup{routes: sizeRoutes()})
	for _, target := range []string{"/delete?key=a", "/logout"} {
		c := split.client()
		c.set("k", "v")
		c.post("/fill?key=a&size=7000").wants(200, "filled")
		c = c.on(byDefault)
		r := c.get("/filled?key=a&size=7000")
		if r.status == 431 {
			return // this server does not accept such heads
		}
		r.wants(200, "whole")
		c.post(target).wantsStatus(200)
		delete(c.jar, cookieName+copySuffix)
		if got := c.cookieHeader(); strings.Contains(got, cookieName+"-") {
			h.Errorf("%s leaves parts: %.100s", target, got)
		}
		c.get("/get").wantsStatus(200)
	}
	const told = 1 // for the first cookie of more than 3,000 characters, and not again
	if n := h.events.count(core.EventLargeCookie, ""); h.clientSide() && n < told {
		h.Errorf("no event tells that a cookie is large")
	}
}

func shrinking(h *harness) {
	c := h.open(setup{routes: sizeRoutes()}).client()
	c.set("k", "v")
	r := c.post("/fill?key=a&size=7000").wants(200, "filled")
	if !h.clientSide() {
		r.setsNothing()
		c.has("k", "v")
		return
	}
	if n := len(r.ours()); n < 2 {
		h.Errorf("7,000 bytes take %d cookies, want more", n)
	}
	if r = c.post("/delete?key=a"); r.status == 431 {
		return // this server does not accept such heads
	}
	r.wants(200, "deleted")
	if got := c.cookieHeader(); strings.Contains(got, cookieName+"-") || len(got) > 1000 {
		h.Errorf("stale parts are left: %.100s", got)
	}
	c.has("k", "v")
}
