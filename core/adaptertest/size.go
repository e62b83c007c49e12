package adaptertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// sizeCases are about sessions that are large, and too large.
var sizeCases = []testCase{
	{
		name: "E2_SEC24_too_large_is_an_error_and_nothing_is_lost",
		why:  "A session beyond the limit must not be cut off in silence.",
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
		name: "E2_SEC29_every_size_is_kept_or_refused",
		why:  "Whatever the size, the session is there at the next request or the client is told that it is not.",
		run:  everySize,
	},
	{
		name: "E2_SEC36_shrinking_deletes_stale_parts",
		why:  "A part that is left over would be mixed with the next large session.",
		run:  shrinking,
	},
	{
		name: "E2_SEC36_parts_are_atomic",
		why:  "Parts of different sessions, or too few of them, are no session.",
		run:  mixedParts,
	},
	{
		name: "E2_SEC36_logout_deletes_all_parts",
		why:  "Nothing of a large session stays with the client.",
		run: func(h *harness) {
			c := h.open(setup{routes: sizeRoutes()}).client()
			c.post("/fill?key=a&size=7000").wants(200, "filled")
			c.post("/logout").wants(200, "out")
			if header := c.cookieHeader(); header != "" {
				h.Errorf("left after the logout: %.100s", header)
			}
		},
	},
}

// fill returns a string of that size that does not repeat itself.
func fill(size int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz"
	random := rand.New(rand.NewPCG(1, uint64(size))) //nolint:gosec // the same text each time
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

// headRoom is what servers accept of a request's head by default, at least:
// beyond it, a refusal by the server itself is no fault of the adapter.
const headRoom = 3500

func everySize(h *harness) {
	s := h.open(setup{routes: sizeRoutes()})
	for _, size := range []int{1, 100, 2900, 2950, 3000, 3010, 3020, 3030, 3040, 3050, 3100, 4096, 6000, 9000, 14000, 15000, 20000, 60000, 70000} {
		c := s.client()
		c.set("k", "v")
		switch r := c.post(fmt.Sprintf("/fill?key=a&size=%d", size)); r.status {
		case 200:
			got := c.get(fmt.Sprintf("/filled?key=a&size=%d", size))
			if tooMuch := got.status == 431 && len(c.cookieHeader()) > headRoom; !tooMuch {
				got.wants(200, "whole")
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
		return // this server takes no such heads
	}
	r.wants(200, "deleted")
	if got := c.cookieHeader(); strings.Contains(got, cookieName+"-") || len(got) > 1000 {
		h.Errorf("stale parts are left: %.100s", got)
	}
	c.has("k", "v")
}

func mixedParts(h *harness) {
	s := h.open(setup{routes: sizeRoutes()})
	a, b := s.client(), s.client()
	a.post("/fill?key=a&size=7000").wants(200, "filled")
	b.post("/fill?key=a&size=7000").wants(200, "filled")
	if !h.clientSide() {
		return // one cookie, whatever the size
	}
	mixed, short := a.twin(), a.twin()
	mixed.jar[cookieName+"-1"] = b.jar[cookieName+"-1"]
	delete(short.jar, cookieName+"-2")
	for what, c := range map[string]*client{"mixed": mixed, "short": short} {
		if r := c.get("/filled?key=a&size=7000"); r.status != 431 && r.body != "1 bytes" { // absent
			h.Errorf("%s parts: %d %q", what, r.status, r.body)
		}
	}
}
