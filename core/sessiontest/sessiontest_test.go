package sessiontest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/sessiontest"
)

type list struct {
	Names []string
	Seen  time.Time
	note  string // no codec can encode it
}

var (
	names  = core.NewKey[list]("names")
	visits = core.NewKey[int]("visits")
	notice = core.NewFlashKey[list]("notice")
)

// app has a handler for each path.
func app(st *sessiontest.Sessions, handlers map[string]func(*core.Session, http.ResponseWriter, *http.Request)) http.Handler {
	mux := http.NewServeMux()
	for path, f := range handlers {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { f(httpadapter.Session(r), w, r) })
	}
	return httpadapter.Middleware(st.Manager)(mux)
}

func clientSide(t *testing.T) core.Backend {
	t.Helper()
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	return core.ClientSide(sealed.Cookie(keys))
}

// each runs f with sessions in memory and in cookies.
func each(t *testing.T, f func(t *testing.T, st *sessiontest.Sessions)) {
	t.Run("memory", func(t *testing.T) { f(t, sessiontest.New(t)) })
	t.Run("cookie", func(t *testing.T) { f(t, sessiontest.NewOn(t, clientSide(t))) })
}

func TestHandlerBehindTheMiddleware(t *testing.T) {
	each(t, func(t *testing.T, st *sessiontest.Sessions) {
		h := app(st, map[string]func(*core.Session, http.ResponseWriter, *http.Request){
			"POST /visit": func(s *core.Session, w http.ResponseWriter, r *http.Request) {
				visits.Update(s, func(n int) int { return n + 1 })
				names.Delete(s)
				s.Flash("success", "Visit of "+s.UserID()+".")
				notice.Add(s, list{Names: []string{r.FormValue("q")}})
				http.Redirect(w, r, "/", http.StatusSeeOther)
			},
			"GET /": func(s *core.Session, w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprint(w, s.Flashes())
				notice.Take(s)
			},
			"POST /logout": func(s *core.Session, _ http.ResponseWriter, _ *http.Request) { s.Logout() },
		})
		alice := st.Login("alice", sessiontest.With(visits, 3), sessiontest.With(names, list{Names: []string{"a"}}))
		alice.WantUser("alice")
		alice.WantFlashes()
		sessiontest.Want(alice, names, list{Names: []string{"a"}, note: "not asked for"})

		if res := alice.Do(h, alice.Form("/visit", map[string][]string{"q": {"hat"}})); res.StatusCode != 303 {
			t.Errorf("status %d", res.StatusCode)
		}
		sessiontest.Want(alice, visits, 4)
		sessiontest.WantAbsent(alice, names)
		sessiontest.WantTyped(alice, notice, list{Names: []string{"hat"}, note: "not asked for"})
		alice.WantFlash("success", "Visit of alice.")
		alice.WantFlashes(core.Flash{Kind: "success", Text: "Visit of alice."})

		alice.Do(h, alice.Request("GET", "/", nil))
		alice.WantFlashes()
		alice.Do(h, alice.Request("POST", "/logout", nil))
		alice.WantAnonymous()
		sessiontest.WantAbsent(alice, visits)
	})
}

func TestHandlerWithoutTheMiddleware(t *testing.T) {
	each(t, func(t *testing.T, st *sessiontest.Sessions) {
		handler := func(_ http.ResponseWriter, r *http.Request) {
			s := httpadapter.Session(r)
			if s.IsNew() || s.UserID() != "alice" {
				t.Errorf("new: %v, user %q", s.IsNew(), s.UserID())
			}
			visits.Set(s, 1)
			s.Renew()
			s.Flashes()
		}
		alice := st.Login("alice", func(s *core.Session) { s.Flash("info", "Hello.") })
		handler(nil, httpadapter.WithSession(alice.Request("GET", "/", nil), alice.Session()))
		alice.End(303)
		sessiontest.Want(alice, visits, 1)
		alice.WantFlash("info", "Hello.") // a redirect does not show the flash

		handler(nil, httpadapter.WithSession(alice.Request("GET", "/", nil), alice.Session()))
		alice.WantFlashes()

		visits.Set(alice.Session(), 7)
		alice.End(500)
		sessiontest.Want(alice, visits, 1) // rolled back
		alice.End(200)                     // nothing has begun

		visits.Set(alice.Session(), 8)
		sessiontest.Want(alice, visits, 8)
	})
}

func TestTimeIsMoved(t *testing.T) {
	each(t, func(t *testing.T, st *sessiontest.Sessions) {
		alice, bob := st.Login("alice"), st.Login("bob", func(s *core.Session) { s.Remember(true) })
		began := st.Now()
		st.Advance(29 * time.Minute)
		alice.WantUser("alice") // looking does not count as activity
		st.Advance(2 * time.Minute)
		alice.WantAnonymous()
		bob.WantUser("bob")
		if passed := st.Now().Sub(began); passed < 31*time.Minute || passed > 32*time.Minute {
			t.Errorf("%v have passed", passed)
		}
		st.Advance(31 * 24 * time.Hour)
		bob.WantAnonymous()
		if n := len(bob.Request("GET", "/", nil).Cookies()); n != 0 {
			t.Errorf("a browser drops a cookie after its Max-Age, yet %d are sent", n)
		}
	})
}

func TestClockOfTheConfig(t *testing.T) {
	day := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	st := sessiontest.New(t, func(c *core.Config) { c.Now = func() time.Time { return day } })
	st.Advance(time.Hour)
	if got := st.Login("alice").Session().CreatedAt(); !got.Equal(day.Add(time.Hour)) {
		t.Errorf("created at %v", got)
	}
}

func TestTwoDevices(t *testing.T) {
	st := sessiontest.New(t)
	phone, laptop, visitor := st.Login("alice"), st.Login("alice"), st.Visitor()
	if err := laptop.Session().RevokeOthers(t.Context()); err != nil {
		t.Fatal(err)
	}
	phone.WantAnonymous()
	laptop.WantUser("alice")
	visitor.WantAnonymous()
	if n := len(visitor.Request("GET", "/", nil).Cookies()); n != 0 {
		t.Errorf("a visitor has %d cookies", n)
	}
	sessiontest.Want(st.Visitor(sessiontest.With(visits, 2)), visits, 2)
}

// A failure tells which of a user's devices it is about, and which visitor.
func TestFailuresSayWhichDevice(t *testing.T) {
	for want, which := range map[string]int{"alice: ": 0, "alice (2): ": 1, "bob: ": 2, "the visitor: ": 3, "the visitor (2): ": 4} {
		text := failed(t, func(tb testing.TB) {
			st := sessiontest.New(tb)
			clients := []*sessiontest.Client{st.Login("alice"), st.Login("alice"), st.Login("bob"), st.Visitor(), st.Visitor()}
			clients[which].WantUser("carol")
		})
		wants(t, text, "sessiontest: "+want)
	}
}

func TestRealServer(t *testing.T) {
	st := sessiontest.New(t)
	server := httptest.NewServer(app(st, map[string]func(*core.Session, http.ResponseWriter, *http.Request){
		"/login": func(s *core.Session, w http.ResponseWriter, r *http.Request) {
			s.Login("alice")
			http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark"})
			http.Redirect(w, r, "/home", http.StatusFound)
		},
		"/home": func(s *core.Session, _ http.ResponseWriter, r *http.Request) {
			if k, err := r.Cookie("theme"); err != nil || k.Value != "dark" {
				t.Errorf("theme: %v, %v", k, err)
			}
			s.Flash("info", "Hello, "+s.UserID())
		},
	}))
	defer server.Close()
	visitor := st.Visitor()
	browser := http.Client{Jar: visitor.Jar()}
	res, err := browser.Do(must(http.NewRequestWithContext(t.Context(), "GET", server.URL+"/login", nil)))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	visitor.WantUser("alice")
	visitor.WantFlash("info", "Hello, alice")
}

func must(r *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return r
}

func TestFailuresSayWhatIsThere(t *testing.T) {
	for name, test := range map[string]struct {
		f    func(c *sessiontest.Client)
		want string
	}{
		"user":            {func(c *sessiontest.Client) { c.WantUser("bob") }, `sessiontest: alice: "alice" is logged in, want "bob"`},
		"anonymous":       {func(c *sessiontest.Client) { c.WantAnonymous() }, `alice: "alice" is logged in, want no user`},
		"flash":           {func(c *sessiontest.Client) { c.WantFlash("info", "Bye.") }, `no flash info "Bye."; waiting: info "Hello.", error "No."`},
		"flash kind":      {func(c *sessiontest.Client) { c.WantFlash("error", "Hello.") }, `no flash error "Hello."`},
		"flashes":         {func(c *sessiontest.Client) { c.WantFlashes(core.Flash{Kind: "info", Text: "Hello."}) }, `waiting: info "Hello.", error "No.", want info "Hello."`},
		"no flashes":      {func(c *sessiontest.Client) { c.WantFlashes() }, `waiting: info "Hello.", error "No.", want none`},
		"value":           {func(c *sessiontest.Client) { sessiontest.Want(c, visits, 4) }, `value "visits" is 3, want 4`},
		"absent value":    {func(c *sessiontest.Client) { sessiontest.Want(c, core.NewKey[int]("n"), 4) }, `no value "n", want 4; keys: visits`},
		"value's type":    {func(c *sessiontest.Client) { sessiontest.Want(c, core.NewKey[string]("visits"), "3") }, `session value "visits": decode`},
		"present value":   {func(c *sessiontest.Client) { sessiontest.WantAbsent(c, visits) }, `value "visits" is 3, want none`},
		"typed flash":     {func(c *sessiontest.Client) { sessiontest.WantTyped(c, notice, list{}) }, `no typed flash of this key is waiting`},
		"uncommitted":     {func(c *sessiontest.Client) { c.Session().Set("f", func() {}); c.WantUser("alice") }, `alice: the session could not be committed: session value "f": encode func()`},
		"uncommitted end": {func(c *sessiontest.Client) { c.Session().Set("f", func() {}) }, `alice: the session could not be committed`},
	} {
		t.Run(name, func(t *testing.T) {
			wants(t, failed(t, func(tb testing.TB) {
				test.f(sessiontest.New(tb).Login("alice", sessiontest.With(visits, 3), func(s *core.Session) {
					s.Flash("info", "Hello.")
					s.Flash("error", "No.")
				}))
			}), test.want)
		})
	}
	wants(t, failed(t, func(tb testing.TB) {
		sessiontest.New(tb, func(c *core.Config) { c.SessionLimit = -1 })
	}), "Config.SessionLimit is -1")
	wants(t, failed(t, func(tb testing.TB) {
		c := sessiontest.New(tb).Visitor()
		c.WantUser("alice")
		c.WantFlash("info", "")
	}), `the visitor: no user is logged in, want "alice"`, "no flashes waiting")
}

func TestFailuresSayWhatHappened(t *testing.T) {
	wants(t, failed(t, func(tb testing.TB) {
		st := sessiontest.New(tb)
		h := app(st, map[string]func(*core.Session, http.ResponseWriter, *http.Request){
			"/": func(s *core.Session, w http.ResponseWriter, _ *http.Request) {
				visits.Set(s, 1)
				w.WriteHeader(500)
			},
		})
		alice := st.Login("alice")
		alice.Do(h, alice.Request("GET", "/", nil))
		sessiontest.Want(alice, visits, 1)
	}), `no value "visits", want 1; keys: none`, "Since the last request began: rolled back, status 500")

	wants(t, failed(t, func(tb testing.TB) {
		st := sessiontest.New(tb)
		alice := st.Login("alice")
		st.Advance(time.Hour)
		alice.WantUser("alice")
	}), "no user is logged in", "time moved by 1h0m0s; rejected, unknown")
}

func TestObserverIsTold(t *testing.T) {
	var kinds []core.EventKind
	st := sessiontest.New(t, func(c *core.Config) {
		c.Observer = func(_ context.Context, e core.Event) { kinds = append(kinds, e.Kind) }
	})
	st.Login("alice")
	if fmt.Sprint(kinds) != "[absent login finished]" {
		t.Errorf("told %v", kinds)
	}
}

func TestLateWriteFailsTheTest(t *testing.T) {
	text := failed(t, func(tb testing.TB) {
		st := sessiontest.New(tb)
		late, done := make(chan struct{}), make(chan struct{})
		h := app(st, map[string]func(*core.Session, http.ResponseWriter, *http.Request){
			"/": func(s *core.Session, _ http.ResponseWriter, _ *http.Request) {
				go func() {
					defer close(done)
					<-late
					visits.Set(s, 1)
				}()
			},
		})
		alice := st.Login("alice")
		alice.Do(h, alice.Request("GET", "/", nil))
		close(late)
		<-done
	})
	wants(t, text, "sessiontest_test.go:", `core: set "visits": too late`, "Manager.Update")
}

func TestWriteAfterTheHeaderFailsTheTest(t *testing.T) {
	text := failed(t, func(tb testing.TB) {
		st := sessiontest.New(tb)
		h := app(st, map[string]func(*core.Session, http.ResponseWriter, *http.Request){
			"/": func(s *core.Session, w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprint(w, "hello")
				visits.Set(s, 1) // needs a cookie
			},
		})
		visitor := st.Visitor()
		visitor.Do(h, visitor.Request("GET", "/", nil))
	})
	wants(t, text, "too late", "before the first byte of the response")
}

func TestChangeInPlaceFailsTheTest(t *testing.T) {
	inPlace := func(s *core.Session) {
		v, _ := names.Get(s)
		v.Names[0] = "b"
	}
	behind := failed(t, func(tb testing.TB) {
		st := sessiontest.New(tb)
		h := app(st, map[string]func(*core.Session, http.ResponseWriter, *http.Request){
			"/": func(s *core.Session, _ http.ResponseWriter, _ *http.Request) { inPlace(s) },
		})
		alice := st.Login("alice", sessiontest.With(names, list{Names: []string{"a"}}))
		alice.Do(h, alice.Request("GET", "/", nil))
	})
	without := failed(t, func(tb testing.TB) {
		inPlace(sessiontest.New(tb).Login("alice", sessiontest.With(names, list{Names: []string{"a"}})).Session())
	})
	set := failed(t, func(tb testing.TB) {
		s := sessiontest.New(tb).Login("alice", sessiontest.With(names, list{Names: []string{"a"}})).Session()
		v, _ := names.Get(s)
		v.Names[0] = "b"
		names.Set(s, v)
	})
	wants(t, behind, `"names" was changed in place and not Set`)
	wants(t, without, `"names" was changed in place and not Set`)
	wants(t, set)
	if n := strings.Count(behind, "changed in place"); n != 1 {
		t.Errorf("reported %d times", n)
	}
}

func TestStrictModeCanBeLeftOut(t *testing.T) {
	wants(t, failed(t, func(tb testing.TB) {
		st := sessiontest.New(tb, func(c *core.Config) { c.Strict = false })
		alice := st.Login("alice")
		s := alice.Session()
		alice.End(200)
		s.Set("late", 1)
	}))
}
