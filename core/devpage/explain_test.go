package devpage_test

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

var articles = regexp.MustCompile(`(?s)<article>.*?</article>`)

// newest returns the text of the newest entry.
func (a *app) newest() string {
	a.Helper()
	return html.UnescapeString(articles.FindString(a.show("")))
}

// wants checks what the newest entry says.
func (a *app) wants(parts ...string) {
	a.Helper()
	text := a.newest()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			a.Errorf("the page does not say %q:\n%s", part, text)
		}
	}
}

// idOf returns the ID of user's only session.
func (a *app) idOf(user string) core.ID {
	a.Helper()
	list, err := a.m.List(a.Context(), user)
	if err != nil || len(list) != 1 {
		a.Fatal(list, err)
	}
	return list[0].ID
}

// clock returns the present as the page shows it; in, a later time.
func (a *app) clock() string { return a.in(0) }

func (a *app) in(d time.Duration) string { return a.now.Add(d).Local().Format("2006-01-02 15:04:05") }

// does is an application whose paths say what to do to the session.
func does(s *core.Session, _ http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/login":
		s.Login("ann")
	case "/logout":
		s.Logout()
	case "/renew":
		s.Renew()
	case "/read":
		s.Keys()
	case "/set":
		s.Set("cart", "hat")
	}
}

// TestWhatBecameOfASessionThatMoves: a migration leaves the page with no less to say.
func TestWhatBecameOfASessionThatMoves(t *testing.T) {
	var a *app
	memory := func() core.Backend {
		return core.ServerSide(memstore.New(memstore.Config{Now: func() time.Time { return a.now }, SweepInterval: -1}))
	}
	from, to := memory(), memory()
	a = newApp(t, from, does)
	guest := a.do("/set")
	a = newApp(t, core.Migrating(from, to), does)
	a.do("/read", guest)
	a.wants(">/read<", ">Moved<", a.clock(), "it has no user", "is UserKey the key")
	if text := a.show(""); strings.Contains(text, "Outside of requests") {
		t.Errorf("the move is outside of requests:\n%s", text)
	}
	cookie, clock := a.do("/login"), a.clock()
	a.do("/logout", cookie)
	a.do("/read", cookie)
	a.wants(">Ended at "+clock+"<", "its own request logged it out")
}

// TestWhatBecameOfTheSession: the page explains a cookie that the store does not
// know by what it has seen of its session.
func TestWhatBecameOfTheSession(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(a *app, store *memstore.Store, cookie string)
		want []string // CLOCK stands for the time of end, SEEN for 20 minutes later
	}{
		"logout": {func(a *app, _ *memstore.Store, cookie string) { a.do("/logout", cookie) }, []string{">Ended at CLOCK<", "its own request logged it out"}},
		"revoked": {func(a *app, _ *memstore.Store, _ string) {
			if _, err := a.m.RevokeUser(a.Context(), "ann"); err != nil {
				a.Fatal(err)
			}
		}, []string{">Ended at CLOCK<", ": it was revoked at CLOCK"}},
		"all revoked": {func(a *app, _ *memstore.Store, _ string) {
			if err := a.m.RevokeAll(a.Context()); err != nil {
				a.Fatal(err)
			}
		}, []string{">Ended at CLOCK<", "RevokeAll ended every session"}},
		"logout before all were revoked": {func(a *app, _ *memstore.Store, cookie string) {
			a.do("/logout", cookie)
			if err := a.m.RevokeAll(a.Context()); err != nil {
				a.Fatal(err)
			}
		}, []string{"its own request logged it out"}},
		"limit":   {func(a *app, _ *memstore.Store, _ string) { a.do("/login") }, []string{">Ended at CLOCK<", "to make room for a newer login"}},
		"check":   {func(a *app, _ *memstore.Store, cookie string) { a.do("/check", cookie) }, []string{">Ended at CLOCK<", "it was revoked by Config.Check"}},
		"renewed": {func(a *app, _ *memstore.Store, cookie string) { a.do("/renew", cookie) }, []string{">Old token<", "replaced the session's token at CLOCK"}},
		"expired": {func(a *app, _ *memstore.Store, cookie string) {
			a.now = a.now.Add(10 * time.Minute)
			a.do("/read", cookie)
			a.now = a.now.Add(10 * time.Minute)
			a.do("/read", cookie)
			a.now = a.now.Add(time.Hour)
		}, []string{">Expired at SEEN + 30m<", "It was last seen at SEEN."}},
		"lost": {func(a *app, store *memstore.Store, _ string) {
			if err := store.DeleteAll(a.Context()); err != nil {
				a.Fatal(err)
			}
		}, []string{">Lost, or a wrong token<", "last seen at"}},
	} {
		t.Run(name, func(t *testing.T) {
			var a *app
			store := memstore.New(memstore.Config{Now: func() time.Time { return a.now }, SweepInterval: -1})
			checked := ""
			a = newApp(t, core.ServerSide(store), does, func(c *core.Config) {
				c.SessionLimit = 1
				c.Check = func(_ context.Context, s *core.Session) error {
					if s.ID().String() == checked {
						return errors.New("no such user")
					}
					return nil
				}
			})
			a.do("/", "session="+strings.Repeat("A", 64))
			a.wants(">Unknown session<")
			cookie := a.do("/login")
			if name == "check" {
				checked = a.idOf("ann").String()
			}
			a.now = a.now.Add(10 * time.Minute)
			clock, seen, expired := a.clock(), a.in(20*time.Minute), a.in(50*time.Minute)
			test.end(a, store, cookie)
			a.now = a.now.Add(10 * time.Minute)
			a.do("/", cookie)
			for i := range test.want {
				test.want[i] = strings.NewReplacer("CLOCK", clock, "SEEN + 30m", expired, "SEEN", seen).Replace(test.want[i])
			}
			a.wants(test.want...)
			a.wants(">200<", ">warning<")
		})
	}
}

// TestExpiredByItself: a session whose record is in the cookie says when it ended,
// even to a process that has not seen it before.
func TestExpiredByItself(t *testing.T) {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	b := core.ClientSide(sealed.Cookie(keys))
	cookie := newApp(t, b, does).do("/login")
	a := newApp(t, b, does)
	ended := a.now.Add(30 * time.Minute).Local().Format("2006-01-02 15:04")
	a.now = a.now.Add(12 * time.Hour)
	a.do("/", cookie)
	a.wants(">Expired at " + ended)
	if strings.Contains(a.newest(), "last seen") {
		t.Error("the page says when it last saw a session that it never saw")
	}
	a.wants("no touch came with it, in the cookie session-touch", "its touches are missing")
}

// TestLoginAfterAllWereRevoked: RevokeAll did not end sessions that began later.
func TestLoginAfterAllWereRevoked(t *testing.T) {
	store := memstore.New(memstore.Config{})
	defer func() { _ = store.Close() }() // it never fails
	a := newApp(t, core.ServerSide(store), does)
	if err := a.m.RevokeAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.now = a.now.Add(time.Minute)
	cookie := a.do("/login")
	if err := store.DeleteAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.do("/", cookie)
	a.wants(">Lost, or a wrong token<")
}

// TestOldTokenOfALogin: the browser did not keep the cookie of the login.
func TestOldTokenOfALogin(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), func(s *core.Session, w http.ResponseWriter, r *http.Request) {
		if does(s, w, r); r.URL.Path == "/visit" {
			s.Set("k", "v")
		}
	})
	visitor := a.do("/visit")
	a.do("/login", visitor)
	at := a.clock()
	a.now = a.now.Add(20 * time.Minute)
	a.do("/", visitor)
	a.wants(">Old token<", "Login or Renew replaced the session's token at "+at)
}

// TestRequestUnderWay: the page can be read while a request waits.
func TestRequestUnderWay(t *testing.T) {
	var a *app
	a = newApp(t, core.ServerSide(memstore.New(memstore.Config{})), func(s *core.Session, _ http.ResponseWriter, _ *http.Request) {
		s.Keys()
		a.wants("not finished", "No cookie")
	})
	a.do("/")
	a.wants(">200<")
	if n := strings.Count(a.newest(), "<li"); n != 1 {
		t.Errorf("%d notes of a request that did nothing", n)
	}
}

// TestOwnRequestsUnderAPrefix: wherever the page is mounted, its own requests are
// not shown and leave nothing behind.
func TestOwnRequestsUnderAPrefix(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), idle)
	a.h = httpadapter.Middleware(a.m)(http.StripPrefix("/debug", http.StripPrefix("/sessions", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Keys()
		a.page.ServeHTTP(w, r)
	}))))
	for range 2 {
		if body := a.show(""); !strings.Contains(body, "0 of 0 shown") {
			t.Errorf("the page shows its own requests:\n%s", body)
		}
		if entries, requests, _, _ := a.page.Size(); entries != 0 || requests != 0 {
			t.Errorf("%d entries and %d requests are left of its own", entries, requests)
		}
	}
}

// TestEventsOfTwoManagers: the page keeps the sessions of two Managers apart, and
// also what happened outside of requests.
func TestEventsOfTwoManagers(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), idle)
	id := core.ID{1}
	a.page.Tell("one", core.Event{Kind: core.EventRevoked, ID: id, Time: a.now, User: "ann"})
	a.page.Tell("two", core.Event{Kind: core.EventRevoked, ID: core.ID{2}, Time: a.now, User: "bob"})
	a.page.Tell("two", core.Event{Kind: core.EventRejected, Reason: core.ReasonUnknown, Claimed: id, Time: a.now, Request: core.Request{Number: 9, Path: "/"}})
	a.wants(">Unknown session<")
	if body := a.show("?q=ann"); strings.Count(body, "<article>") != 1 || strings.Contains(body, "bob") || strings.Contains(body, "Unknown session") {
		t.Errorf("ann's entries:\n%s", body)
	}
}

// TestEventsOfLaterReleases: the page also shows events that it has no words for.
func TestEventsOfLaterReleases(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), idle)
	a.page.Tell("m", core.Event{Kind: "teleported", Reason: "why not", Request: core.Request{Number: 1}})
	a.wants(">teleported<", "why not", "(path unknown)")
	a.page.Tell("m", core.Event{Kind: core.EventRejected, Reason: "why not", Detail: "details", Err: errors.New("trouble"), Request: core.Request{Number: 2}})
	a.wants(">Cookie refused<", ">details<", "Error: trouble")
}

// TestTextsAreCutAndCopied: texts do not fill the memory, are not cut within a
// character, and do not change with the framework's buffers.
func TestTextsAreCutAndCopied(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), idle)
	long := "x" + strings.Repeat("ü", 1000)
	for i := range 100 {
		user := long[:1+2*i]
		a.page.Tell("m", core.Event{
			Kind: core.EventFailed, ID: core.ID{byte(i + 1)}, User: user, Detail: long, Err: errors.New(long),
			Request: core.Request{Number: 1, Method: long, Path: long},
		})
	}
	if body := a.show(""); !utf8.ValidString(body) || strings.Contains(body, long[:400]) || strings.ContainsRune(body, utf8.RuneError) {
		t.Error("a text is too long, or cut within a character")
	}
	if most, _ := a.page.Most(); most > 24 {
		t.Errorf("an entry has %d users, sessions or notes", most)
	}

	path, user := []byte("/cart"), []byte("ann")
	lent := func(b []byte) string { return unsafe.String(&b[0], len(b)) }
	a.page.Tell("m", core.Event{Kind: core.EventLogin, ID: core.ID{200}, User: lent(user), Request: core.Request{Number: 2, Method: "GET", Path: lent(path)}})
	r := a.request("/")
	own := []byte("/own")
	r.RequestURI, r.URL.Path = "", lent(own)
	a.page.ServeHTTP(httptest.NewRecorder(), r)
	copy(path, "/evil")
	copy(user, "bob")
	copy(own, "/bin")
	a.wants(">/cart<", ">ann<")
	a.page.Tell("m", core.Event{Kind: core.EventSaved, Request: core.Request{Number: 3, Path: "/own"}})
	a.wants(">/cart<")
}

// TestPathsOfItsOwnAreBounded: asking for the page under many paths does not fill
// its memory.
func TestPathsOfItsOwnAreBounded(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{})), idle)
	for i := range 100 {
		a.page.ServeHTTP(httptest.NewRecorder(), a.request("/debug/"+strings.Repeat("x", i)))
	}
	if _, own := a.page.Most(); own > 8 {
		t.Errorf("%d paths", own)
	}
}

// TestHeaderCarrier: where tokens travel in a header, the page speaks of headers.
func TestHeaderCarrier(t *testing.T) {
	a := newApp(t, core.ServerSide(memstore.New(memstore.Config{SweepInterval: -1})), does, func(c *core.Config) { c.Carrier = core.Bearer })
	send := func(target string, lines ...string) string {
		r := a.request(target)
		r.Header["Authorization"] = lines
		w := httptest.NewRecorder()
		a.h.ServeHTTP(w, r)
		return w.Header().Get("Session-Token")
	}
	send("/read")
	a.wants(">No token<", "Access-Control-Allow-Headers")
	token := "Bearer " + send("/login")
	send("/read", token)
	a.wants("The token is that of a live session.")
	send("/read", token, token)
	a.wants(">Two tokens<", "two lines")
	send("/read", "Bearer?")
	a.wants(">No token<")
	send("/read", "Bearer \"x\"")
	a.wants(">Not our token<", "without quotes")
	send("/read", "Bearer "+strings.Repeat("A", 64))
	a.wants(">Unknown session<")
	send("/logout", token)
	send("/read", token)
	a.wants(">Ended at", "The token belongs to a session that has ended")
	if strings.Contains(strings.ToLower(a.show("")), "cookie") {
		t.Errorf("the page speaks of cookies:\n%s", a.show(""))
	}
}

// unreadable is a store with values that only another program can read.
type unreadable struct{ core.Store }

func (unreadable) Load(context.Context, core.ID) (core.Entry, error) {
	return core.Entry{}, errors.New(`a value has a type that this program has not given to gob.Register: "main.Cart"`)
}

// A program's own mistake is not to be looked for in the store or the network.
func TestWhatToDoWhenTheProgramCannotReadASession(t *testing.T) {
	for name, carrier := range map[string]core.Carrier{"cookie": {}, "header": core.Bearer} {
		a := newApp(t, core.ServerSide(unreadable{memstore.New(memstore.Config{})}), does, func(c *core.Config) { c.Carrier = carrier })
		r, token := a.request("/read"), strings.Repeat("B", 64)
		r.Header.Set("Cookie", "session="+token)
		r.Header.Set("Authorization", "Bearer "+token)
		a.h.ServeHTTP(httptest.NewRecorder(), r)
		a.wants("not given to gob.Register", "names a type or a setting, change the program")
		if text := a.newest(); strings.Index(text, "change the program") > strings.Index(text, "Otherwise look at the store") {
			t.Errorf("%s: the store comes first:\n%s", name, text)
		}
	}
}
