package adaptertest

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core"
)

// securityCookieCases cover rows of the security checklist about the Cookie
// header, as far as the promises do not cover them.
var securityCookieCases = []testCase{
	{
		name:   "L2_AD1_SEC31_any_duplicate_is_refused",
		why:    "Neither the order of two cookies, nor their lines, nor their being parts shows which one was planted.",
		cookie: "it is about the lines of Cookie",
		run:    duplicates,
	},
	{
		name:   "SEC32_look_alike_headers_carry_nothing",
		why:    "Proxies clean the Cookie header, but no other header that might be taken for it behind them.",
		cookie: "it is about the header Cookie",
		run: func(h *harness) {
			s := h.open(setup{})
			c := s.client()
			c.set("k", "v")
			ours := ": " + cookieName + "=" + c.token()
			for _, name := range []string{"cookie", "COOKIE"} {
				s.rawGet("/get", name+ours).wants(200, "v").setsNothing()
			}
			for _, name := range []string{"Coo\u212aie", "Cookie2", "Cookies", "X-Cookie", "Set-Cookie", "Cookie ", "_Cookie", "Cookie\x00"} {
				if r := s.rawGet("/get", name+ours); r.err == nil && r.status != 400 { // a server may refuse such a name
					r.wants(200, absent).setsNothing()
				}
			}
		},
	},
	{
		name:   "SEC35_tiny_cookies_cost_no_memory",
		why:    "Parsing three thousand cookies to find one would let a client use up a multiple of its header's memory.",
		cookie: "it is about other cookies",
		run:    tinyCookies,
		alone:  true,
	},
	{
		name:   "E2_SEC36_versions_are_not_mixed",
		why:    "Parts of an older and a newer version of one session are not a session, and leftover parts of a longer one do no harm.",
		cookie: "only cookies are split",
		run:    mixedVersions,
	},
	{
		name: "E3_SEC40_nothing_opens_but_what_was_sealed",
		why:  "A cookie that does not open is not a session and is not decoded: there is no second, weaker way in.",
		run:  forgeries,
	},
	{
		name:   "SEC41_cookies_of_one_site_do_not_stand_for_each_other",
		why:    "If two Managers share a backend and its keys, the token of one must be worthless under the name of the other.",
		cookie: "the Managers differ by their cookies",
		run:    swappedNames,
	},
}

func duplicates(h *harness) {
	s := h.open(setup{routes: sizeRoutes()})
	a, b := s.client(), s.client()
	a.set("k", "a")
	b.set("k", "b")
	ours := func(value string) string { return cookieName + "=" + value }
	x, y, empty := ours(a.token()), ours(b.token()), ours("")
	for _, list := range [][]string{
		{x, y}, {y, x}, {x, x, y}, {x, y, x}, {y, x, x}, {x, empty}, {empty, x}, {x, ours(flip(a.token(), 9))}, {x, ours(`"` + a.token() + `"`)},
	} {
		s.rawGet("/get", "Cookie: "+strings.Join(list, "; ")).wants(200, absent).setsNothing()
		s.rawGet("/get", "Cookie: "+strings.Join(list, ";")).wants(200, absent).setsNothing()
		lines := make([]string, len(list))
		for i, pair := range list {
			lines[i] = "Cookie: theme=dark; " + pair
		}
		s.rawGet("/get", lines...).wants(200, absent).setsNothing()
	}
	h.wantEvents(27, core.EventRejected, core.ReasonDuplicate)
	s.rawGet("/get", "Cookie: a=b", "cookie: "+x, "COOKIE: c=d").wants(200, "a")
	a.post("/fill?key=a&size=7000").wants(200, "filled")
	header := a.cookieHeader()
	if !h.clientSide() {
		s.rawGet("/filled?key=a&size=7000", "Cookie: "+header, "Cookie: "+header).wants(200, "whole")
		return
	}
	part := cookieName + "-1=" + a.jar[cookieName+"-1"]
	other := cookieName + "-1=" + flip(a.jar[cookieName+"-1"], 100)
	for line, want := range map[string]string{
		header: "whole", header + "; " + part: "whole", header + "; " + other: "1 bytes", other + "; " + header: "1 bytes",
		header + "; " + cookieName + "-1=": "1 bytes",
	} {
		if r := s.rawGet("/filled?key=a&size=7000", "Cookie: "+line); r.status != 431 {
			r.wants(200, want).setsNothing()
		}
	}
}

func tinyCookies(h *harness) {
	s := h.open(setup{})
	c := s.client()
	c.set("k", "v")
	ours := cookieName + "=" + c.token()
	parts := make([]string, 100)
	for i := range parts {
		parts[i] = fmt.Sprintf("%s-%d=x", cookieName, i+1)
	}
	for what, extra := range map[string]string{
		"3,000 tiny cookies":  strings.Repeat("; a=b", 3000),
		"3,000 empty cookies": strings.Repeat("; ;=", 3000),
		"100 parts":           "; " + strings.Join(parts, "; "),
		"look-alikes":         strings.Repeat("; "+cookieName+"0=x", 500),
	} {
		plain := s.cost(h, ours+"; a="+strings.Repeat("b", len(extra)-len("; a=")))
		if got := s.cost(h, ours+extra); got > plain+maxExtraCost {
			h.Errorf("%s: %d bytes per request, %d for one cookie of that length", what, got, plain)
		}
	}
	c.has("k", "v")
}

// maxExtraCost is how much more a request may allocate for a header with many
// cookies than for one cookie of the same length. Parsing them all would take a
// multiple.
const maxExtraCost = 32 << 10

// cost returns how many bytes the process allocates for a request.
func (s *site) cost(h *harness, cookies string) int {
	const requests, tries = 20, 5
	line := "Cookie: " + cookies
	least := int(^uint(0) >> 1)
	for range tries { // something else may be allocating
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range requests {
			if r := s.rawGet("/get", line); r.status != 431 { // the server's own limit
				r.wants(200, "v")
			}
		}
		runtime.ReadMemStats(&after)
		least = min(least, int(after.TotalAlloc-before.TotalAlloc)/requests)
	}
	if h.Failed() {
		h.Fatalf("no session among other cookies")
	}
	return least
}

func mixedVersions(h *harness) {
	s := h.open(setup{routes: sizeRoutes()})
	c := s.client()
	c.post("/fill?key=a&size=7000").wants(200, "filled")
	older := c.twin()
	get := func(c *client, key, want string) {
		if r := c.get("/filled?size=7000&key=" + key); r.status != 431 { // the server's own limit
			r.wants(200, want)
		}
	}
	if r := c.post("/delete?key=a"); r.status == 431 {
		return
	}
	c.post("/fill?key=b&size=7000").wants(200, "filled")
	if !h.clientSide() {
		if header := c.cookieHeader(); strings.Contains(header, cookieName+"-") || header != older.cookieHeader() {
			h.Errorf("a session on the server has parts with the client: %.300s", header)
		}
		get(c, "b", "whole")
		return
	}
	n := len(c.jar)
	if n < 2 || n != len(older.jar) {
		h.Fatalf("7,000 bytes take %d cookies, and then %d", len(older.jar), n)
	}
	for mask := 1; mask < 1<<n-1; mask++ { // every mixture
		mixed := c.twin()
		for i := range n {
			if mask&(1<<i) != 0 {
				mixed.jar[partName(i)] = older.jar[partName(i)]
			}
		}
		get(mixed, "a", "1 bytes") // absent
		get(mixed, "b", "1 bytes")
	}
	for i := range n { // too few parts
		short := c.twin()
		delete(short.jar, partName(i))
		get(short, "b", "1 bytes")
	}
	longer := c.twin()
	longer.post("/fill?key=a&size=4000").wants(200, "filled")
	left := c.twin()
	for i := n; i < len(longer.jar); i++ {
		left.jar[partName(i)] = longer.jar[partName(i)]
	}
	if len(left.jar) == n {
		h.Errorf("11,000 bytes take no more cookies than 7,000")
	}
	get(left, "b", "whole")
}

func partName(i int) string {
	if i == 0 {
		return cookieName
	}
	return fmt.Sprintf("%s-%d", cookieName, i)
}

// countingCodec counts what it decodes.
type countingCodec struct {
	core.Codec
	decoded atomic.Int64
}

// Decode implements [core.Codec].
func (c *countingCodec) Decode(data []byte, v any) error {
	c.decoded.Add(1)
	return c.Codec.Decode(data, v)
}

func forgeries(h *harness) {
	codec := &countingCodec{Codec: core.JSON()}
	s := h.open(setup{core: func(c *core.Config) { c.Codec = codec }})
	c := s.client()
	c.set("k", "v")
	token := c.token()
	before := codec.decoded.Load()
	c.has("k", "v")
	if codec.decoded.Load() == before {
		h.Errorf("the codec is never called, so the case shows nothing")
	}
	before = codec.decoded.Load()
	forger := s.client()
	for _, forged := range append(unsealed(h), damaged(token)...) {
		forger.jar[cookieName] = forged
		if r := forger.get("/get").setsNothing(); r.body != absent {
			h.Errorf("%.60q of %d characters passes for a session: %d %q", forged, len(forged), r.status, r.body)
		}
	}
	if n := codec.decoded.Load() - before; n != 0 {
		h.Errorf("%d values were decoded from cookies that were never sealed", n)
	}
	c.has("k", "v")
}

// unsealed returns a session in every form except sealed.
func unsealed(h *harness) (tokens []string) {
	now := h.clock.Now()
	record := core.Record{
		ID: core.ID{1}, User: "root", CreatedAt: now, AuthenticatedAt: now, SavedAt: now, Deadline: now.Add(time.Hour), Expires: now.Add(time.Hour),
	}
	r := record.WithContent(func(yield func(string, []byte) bool) { yield("k", []byte(`"forged"`)) }, nil)
	plain, err := r.MarshalBinary()
	if err != nil {
		h.Fatalf("marshal: %v", err)
	}
	values := map[string]string{"k": "forged", "user": "root"}
	jsoned, err := json.Marshal(values)
	if err != nil {
		h.Fatalf("JSON: %v", err)
	}
	var gobbed bytes.Buffer
	if err := gob.NewEncoder(&gobbed).Encode(map[any]any{"k": "forged", "user": "root"}); err != nil {
		h.Fatalf("gob: %v", err)
	}
	for _, content := range [][]byte{plain, append([]byte{1, 0, 0, 0, 0}, plain...), jsoned, gobbed.Bytes(), []byte(fmt.Sprintf("%d|%s|", now.Unix(), jsoned))} {
		for _, encoding := range []*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding, base64.StdEncoding, base64.RawStdEncoding} {
			tokens = append(tokens, encoding.EncodeToString(content))
		}
	}
	return append(tokens, "root", "user=root", strings.Repeat("A", 64), strings.Repeat("_", 64))
}

// damaged returns a token's prefixes, and the token with each of its bits flipped.
func damaged(token string) (tokens []string) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range len(token) {
		if i > 0 {
			tokens = append(tokens, token[:i])
		}
		value := strings.IndexByte(alphabet, token[i])
		for bit := 0; bit < 6 && value >= 0; bit++ {
			tokens = append(tokens, token[:i]+string(alphabet[value^1<<bit])+token[i+1:])
		}
	}
	return tokens
}

func swappedNames(h *harness) {
	one := h.manager(func(c *core.Config) { c.Cookie.Name = "__Host-one" })
	two := h.manager(func(c *core.Config) { c.Cookie.Name = "__Host-two" })
	both := func(r Request) error {
		return r.Text(200, value(r.SessionOf(one), "k")+" "+value(r.SessionOf(two), "k"))
	}
	s := h.serve(Config{Managers: []*core.Manager{one, two}, Routes: []Route{
		get("/both", both),
		post("/set-both", func(r Request) error {
			r.SessionOf(one).Set("k", "one")
			r.SessionOf(two).Set("k", "two")
			return both(r)
		}),
	}})
	c := s.client()
	c.post("/set-both").wants(200, "one two")
	c.get("/both").wants(200, "one two")
	a, b := c.jar["__Host-one"], c.jar["__Host-two"]
	for cookies, want := range map[string]string{
		"__Host-one=" + b + "; __Host-two=" + a: "- -",
		"__Host-one=" + a + "; __Host-two=" + a: "one -",
		"__Host-one=" + b + "; __Host-two=" + b: "- two",
		"__Host-two=" + b + "; __Host-one=" + a: "one two",
		"__Host-two=" + a:                       "- -",
	} {
		r := s.rawGet("/both", "Cookie: "+cookies).wants(200, want)
		if lines := r.header.Values("Set-Cookie"); len(lines) != 0 {
			h.Errorf("Set-Cookie %q, want none", lines)
		}
	}
	c.get("/both").wants(200, "one two")
}
