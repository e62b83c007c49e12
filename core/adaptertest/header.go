package adaptertest

import (
	"regexp"
	"slices"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// headerCases are about what the response header says (promise C7).
var headerCases = []testCase{
	{
		name:   "C7_SEC25_golden_Set_Cookie",
		why:    "The defaults are safe: Secure, HttpOnly, SameSite=Lax, only this host, only until the browser closes.",
		cookie: "it is about attributes",
		run: func(h *harness) {
			s := h.open(setup{})
			r := s.client().post("/set?value=v").sets()
			golden(h, r.ours()[0], `__Host-session=[^;]+; Path=/; HttpOnly; Secure; SameSite=Lax`)
		},
	},
	{
		name:   "C7_SEC28_options_are_emitted",
		why:    "An option that does not reach the header protects nobody.",
		cookie: "it is about attributes",
		run:    optionMatrix,
	},
	{
		name:   "C7_SEC15_deletion_matches_the_cookie",
		why:    "Browsers delete by name, domain and path: with any of them different, the cookie would stay.",
		cookie: "it is about attributes",
		run: func(h *harness) {
			s := h.open(setup{core: func(c *core.Config) {
				c.Cookie = core.Cookie{Name: "__Secure-session", Domain: "example.com", Path: "/app"}
			}})
			r := s.client().post("/set?value=v")
			line := r.header.Get("Set-Cookie")
			_, token, _ := parseSetCookie(line)
			golden(h, line, `__Secure-session=[^;]+; Path=/app; Domain=example.com; HttpOnly; Secure; SameSite=Lax`)
			gone := s.raw("POST /logout HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\nCookie: __Secure-session=" + token + "\r\n\r\n")
			golden(h, gone.header.Get("Set-Cookie"),
				`__Secure-session=; Path=/app; Domain=example.com; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax`)
		},
	},
	{
		name: "C7_SEC37_never_cacheable",
		why:  "A shared cache that keeps a Set-Cookie hands one user's session to the next.",
		run:  cacheable,
	},
	{
		name: "C7_Vary_is_merged",
		why:  "The handler's own Vary must stay, and Cookie must not appear twice.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{get("/vary", func(r Request) error {
				r.SetHeader("Vary", r.RequestHeader("X-Vary"))
				value(r.Session(), "k")
				return r.Text(200, "")
			})}})
			c := s.client()
			for vary, want := range map[string]string{
				"Accept-Encoding": "Accept-Encoding, " + h.vary(), strings.ToLower(h.vary()): strings.ToLower(h.vary()), "*": "*",
				"Origin, " + h.vary(): "Origin, " + h.vary(),
			} {
				if got := strings.Join(c.get("/vary", "X-Vary", vary).header.Values("Vary"), ", "); got != want {
					h.Errorf("the handler's Vary %q became %q, want %q", vary, got, want)
				}
			}
		},
	},
	{
		name: "C7_the_apps_own_cookies_stay",
		why:  "We may replace only our own Set-Cookie line.",
		run:  appCookies,
	},
	{
		name:   "C7_several_Managers_in_one_app",
		why:    "A shop may keep the visitor's cart and the administrator's login apart.",
		cookie: "the Managers differ by their cookies",
		run:    severalManagers,
	},
	{
		name: "C7_SEC38_Secure_cookie_over_plain_HTTP_is_reported_once",
		why:  "Most browsers will not send the cookie back, and developers search long for the reason.",
		run: func(h *harness) {
			proxied := h.open(setup{})
			proxied.client().post("/set?value=v", "X-Forwarded-Proto", "https").sets()
			proxied.client().post("/set?value=v", "Forwarded", "for=1.2.3.4;proto=https").sets()
			h.wantEvents(0, core.EventInsecure, "")
			for range 3 {
				proxied.client().post("/set?value=v").sets()
			}
			h.wantEvents(1, core.EventInsecure, "")
		},
	},
}

func golden(h *harness, line, pattern string) {
	h.Helper()
	if !regexp.MustCompile("^" + pattern + "$").MatchString(line) {
		h.Errorf("Set-Cookie is\n%s, want\n%s", line, pattern)
	}
}

func optionMatrix(h *harness) {
	for _, o := range []struct {
		edit func(*core.Config)
		want string
	}{
		{func(c *core.Config) { c.InsecureAllowHTTP = true }, `session=[^;]+; Path=/; HttpOnly; SameSite=Lax`},
		{func(c *core.Config) { c.Cookie.SameSite = core.SameSiteStrict }, `__Host-session=[^;]+; Path=/; HttpOnly; Secure; SameSite=Strict`},
		{func(c *core.Config) { c.Cookie.SameSite, c.Cookie.Partitioned = core.SameSiteNone, true }, `__Host-session=[^;]+; Path=/; HttpOnly; Secure; SameSite=None; Partitioned`},
		{func(c *core.Config) { c.Cookie.Domain = "example.com" }, `__Secure-session=[^;]+; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax`},
		{func(c *core.Config) { c.Cookie.Path = "/a" }, `__Secure-session=[^;]+; Path=/a; HttpOnly; Secure; SameSite=Lax`},
		{func(c *core.Config) { c.Cookie.Name = "sid" }, `sid=[^;]+; Path=/; HttpOnly; Secure; SameSite=Lax`},
	} {
		s := h.open(setup{core: o.edit})
		r := s.client().post("/set?value=v").wants(200, "set")
		golden(h, r.header.Get("Set-Cookie"), o.want)
	}
}

func cacheable(h *harness) {
	public := func(r Request) { r.SetHeader("Cache-Control", "public, max-age=600") }
	s := h.open(setup{routes: []Route{
		get("/public-set", func(r Request) error { public(r); r.Session().Set("k", "v"); return r.Text(200, "") }),
		get("/public-get", func(r Request) error { public(r); return r.Text(200, value(r.Session(), "k")) }),
		get("/public", func(r Request) error { public(r); return r.Text(200, "") }),
	}})
	c := s.client()
	for target, want := range map[string][2]string{
		"/public":     {"public, max-age=600", ""},
		"/public-get": {"public, max-age=600", h.vary()},
		"/public-set": {"no-store", h.vary()},
	} {
		r := c.get(target)
		if got := [2]string{r.header.Get("Cache-Control"), r.header.Get("Vary")}; got != want {
			h.Errorf("%s: Cache-Control and Vary are %q, want %q", target, got, want)
		}
	}
	if r := c.post("/logout"); r.header.Get("Cache-Control") != "no-store" {
		h.Errorf("a deletion is cacheable: %q", r.header.Get("Cache-Control"))
	}
}

func appCookies(h *harness) {
	s := h.open(setup{routes: []Route{post("/app", func(r Request) error {
		r.SetCookie("before", "1")
		s := r.Session()
		s.Set("k", r.Param("value"))
		if err := s.Commit(r.Context()); err != nil {
			return err
		}
		r.SetCookie("between", "2")
		s.Renew()
		return r.Redirect(303, "/get")
	})}})
	r := s.client().post("/app?value=v").wantsStatus(303).sets()
	var names []string
	if h.inHeader() {
		names = append(names, cookieName) // in another header
	}
	for _, line := range r.header.Values("Set-Cookie") {
		name, _, _ := parseSetCookie(line)
		names = append(names, name)
	}
	slices.Sort(names)
	if want := []string{cookieName, "before", "between"}; !slices.Equal(names, want) {
		h.Errorf("cookies %q, want %q", names, want)
	}
}

func severalManagers(h *harness) {
	shop := h.manager(func(c *core.Config) { c.Cookie.Name = "__Host-shop-session" })
	admin := h.manager(func(c *core.Config) { c.Cookie.Name = "__Host-admin-session" })
	show := func(r Request) error {
		return r.Text(200, value(r.SessionOf(shop), "k")+" "+value(r.SessionOf(admin), "k")+" "+value(r.Session(), "k"))
	}
	s := h.serve(Config{Managers: []*core.Manager{shop, admin}, Routes: []Route{
		get("/show", show),
		post("/shop", func(r Request) error { r.SessionOf(shop).Set("k", "cart"); return show(r) }),
		post("/both", func(r Request) error {
			r.SessionOf(shop).Set("k", "cart2")
			r.SessionOf(admin).Set("k", "login")
			return show(r)
		}),
		post("/out", func(r Request) error { r.SessionOf(admin).Logout(); return show(r) }),
	}})
	c := s.client()
	c.post("/shop").wants(200, "cart - -")
	c.get("/show").wants(200, "cart - -")
	if r := c.post("/both").wants(200, "cart2 login login"); len(r.header.Values("Set-Cookie")) < 1 {
		h.Errorf("no cookie")
	}
	c.get("/show").wants(200, "cart2 login login") // the innermost is the admin's
	c.post("/out").wants(200, "cart2 - -")
	c.get("/show").wants(200, "cart2 - -")
}
