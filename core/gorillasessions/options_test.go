package gorillasessions

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// attributes returns the attributes of the one session cookie in the header.
func attributes(t *testing.T, h http.Header) string {
	t.Helper()
	lines := h["Set-Cookie"]
	if len(lines) != 1 {
		t.Fatalf("%d cookies, want one: %q", len(lines), lines)
	}
	_, attributes, _ := strings.Cut(lines[0], "; ")
	return attributes
}

func TestStoreOptions(t *testing.T) {
	const safe = "Path=/; HttpOnly; Secure; SameSite=Lax"
	for name, c := range map[string]struct {
		with    bool
		store   *sessions.Options
		session *sessions.Options // nil: as handed out
		want    string
	}{
		"none":                    {false, nil, nil, safe},
		"the session's alone":     {false, nil, &sessions.Options{Path: "/app", MaxAge: 60, SameSite: http.SameSiteStrictMode}, safe},
		"behind the middleware":   {true, &sessions.Options{Path: "/store"}, &sessions.Options{Path: "/app"}, safe},
		"the store's":             {false, &sessions.Options{Path: "/", Domain: "example.com"}, nil, "Path=/; Domain=example.com; SameSite=Lax; HttpOnly; Secure"},
		"the session's":           {false, &sessions.Options{Domain: "example.com"}, &sessions.Options{Path: "/app", MaxAge: 60}, "Path=/app; Max-Age=60; SameSite=Lax; HttpOnly; Secure"},
		"strict":                  {false, new(sessions.Options), &sessions.Options{SameSite: http.SameSiteStrictMode}, "SameSite=Strict; HttpOnly; Secure"},
		"none and partitioned":    {false, new(sessions.Options), &sessions.Options{SameSite: http.SameSiteNoneMode, Partitioned: true}, "SameSite=None; HttpOnly; Secure; Partitioned"},
		"the session's are taken": {false, &sessions.Options{Path: "/"}, new(sessions.Options), "SameSite=Lax; HttpOnly; Secure"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVisitor(t, backends()["memory"](), c.with, nil)
			v.store.Options = c.store
			w := v.edit("app", func(s *sessions.Session) {
				s.Values["k"] = 1
				if c.session != nil {
					s.Options = c.session
				}
			})
			if got := attributes(t, w.Header()); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

func TestStoreOptionsDoNotChangeTheStores(t *testing.T) {
	v := newVisitor(t, backends()["cookie"](), false, nil)
	v.store.Options = &sessions.Options{Path: "/"}
	v.edit("a", func(s *sessions.Session) { s.Values["k"], s.Options.Path = 1, "/elsewhere" })
	if v.store.Options.Path != "/" {
		t.Error("a session has changed the store's options")
	}
	// What deletes one session's values is not what the cookie should be like.
	v.edit("b", func(s *sessions.Session) { s.Values["k"] = 2 })
	w := v.edit("a", func(s *sessions.Session) { s.Options = &sessions.Options{MaxAge: -1} })
	if got := attributes(t, w.Header()); got != "Path=/; SameSite=Lax; HttpOnly; Secure" {
		t.Error(got)
	}
	v.look("b", func(s *sessions.Session) { want(t, s, "k", 2) })
	// Nor do nil options hurt.
	v.edit("b", func(s *sessions.Session) { s.Values["k"], s.Options = 3, nil })
}

func TestStoreOptionsThatBrowsersRefuse(t *testing.T) {
	for _, o := range []sessions.Options{
		{}, {Path: "/app"}, {Path: "/", Domain: "example.com"}, {Path: "/", SameSite: http.SameSiteNoneMode},
	} {
		v := newVisitor(t, backends()["memory"](), false, func(c *core.Config) {
			if c.Cookie.Name = "__Host-session"; o.SameSite != 0 {
				c.Cookie.Name, c.InsecureAllowHTTP = "session", true
			}
		})
		v.store.Options = &o
		v.serve(func(w http.ResponseWriter, r *http.Request) {
			s := v.get(r, "app")
			s.Values["k"] = 1
			if err := s.Save(r, w); err == nil || !strings.Contains(err.Error(), "change Options") {
				t.Errorf("%+v: %v", o, err)
			}
			if lines := w.Header()["Set-Cookie"]; lines != nil {
				t.Errorf("%+v: %q", o, lines)
			}
		})
	}
}

// A session that needs several cookies, and then one, in each way.
func TestE2StoreSplitCookies(t *testing.T) {
	for _, options := range []*sessions.Options{nil, {Path: "/"}} {
		for _, way := range ways {
			v := newVisitor(t, backends()["cookie"](), way.with, func(c *core.Config) { c.Cookie.MaxParts = 5 })
			v.store.Options = options
			large := strings.Repeat("grüße ", 900)
			w := v.edit("app", func(s *sessions.Session) { s.Values["k"] = large })
			if len(w.Header()["Set-Cookie"]) < 2 {
				t.Fatalf("one cookie holds %d bytes", len(large))
			}
			v.edit("app", func(s *sessions.Session) {
				want(t, s, "k", large)
				s.Values["k"] = "small"
			})
			if len(v.cookies) != 1 {
				t.Errorf("E2: stale parts are not deleted: %v", v.cookies)
			}
			v.look("app", func(s *sessions.Session) { want(t, s, "k", "small") })
		}
	}
}
