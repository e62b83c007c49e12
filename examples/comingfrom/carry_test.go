package comingfrom_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	scsmem "github.com/alexedwards/scs/v2/memstore"
	ginredis "github.com/gin-contrib/sessions/redis"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/gofiber/fiber/v2/middleware/session"
	session3 "github.com/gofiber/fiber/v3/middleware/session"
	"github.com/gorilla/sessions"
	"github.com/rbcervilla/redisstore/v9"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// move is an application before and after it moves to Satchel, which keeps sessions in after.
type move struct {
	name string
	make func(t *testing.T, after core.Backend) (before http.Handler, now site)
}

// now returns the new application on m.
func now(t *testing.T, m *core.Manager, err error, app func(*core.Manager) (http.Handler, *probe)) site {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	handler, p := app(m)
	return site{handler: handler, probe: p}
}

func nowNetHTTP(m *core.Manager) (http.Handler, *probe) {
	app := &netHTTPApp{sessions: m}
	return app.handler(), &app.probe
}

func nowEcho(m *core.Manager) (http.Handler, *probe) {
	app := &echoApp{sessions: m}
	return app.handler(), &app.probe
}

func nowGin(m *core.Manager) (http.Handler, *probe) {
	app := &ginApp{sessions: m}
	return app.handler(), &app.probe
}

func nowFiber(m *core.Manager) (http.Handler, *probe) {
	app := &fiberApp{sessions: m}
	return app.handler(), &app.probe
}

func nowFiber3(m *core.Manager) (http.Handler, *probe) {
	app := &fiber3App{sessions: m}
	return app.handler(), &app.probe
}

// moves are those that the pages tell of, whose old stores need no server.
var moves = []move{
	{"gorilla/cookies", func(t *testing.T, after core.Backend) (http.Handler, site) {
		old := gorillaStore()
		m, err := fromStore(old, after)
		return (&gorillaApp{store: old}).handler(), now(t, m, err, nowNetHTTP)
	}},
	{"gorilla/files", func(t *testing.T, after core.Backend) (http.Handler, site) {
		old := sessions.NewFilesystemStore(t.TempDir(), hashKey, blockKey)
		m, err := fromStore(old, after)
		return (&gorillaApp{store: old}).handler(), now(t, m, err, nowNetHTTP)
	}},
	{"echo-contrib", func(t *testing.T, after core.Backend) (http.Handler, site) {
		old := gorillaStore()
		m, err := fromStore(old, after)
		return (&echoContribApp{store: old}).handler(), now(t, m, err, nowEcho)
	}},
	{"gin-contrib", func(t *testing.T, after core.Backend) (http.Handler, site) {
		old := ginStore()
		m, err := fromStore(old, after)
		return (&ginContribApp{store: old}).handler(), now(t, m, err, nowGin)
	}},
	{"scs", func(t *testing.T, after core.Backend) (http.Handler, site) {
		old := withOwnStore(scsByDefault)
		m, err := fromSCS(old, after)
		return (&scsApp{sessions: old}).handler(), now(t, m, err, nowNetHTTP)
	}},
	{"Fiber v2", func(t *testing.T, after core.Backend) (http.Handler, site) {
		old := fiberStore(new(fiberMemory))
		m, err := fromFiber(old, after)
		return (&fiberSessionApp{store: old}).handler(), now(t, m, err, nowFiber)
	}},
	{"Fiber v3", func(t *testing.T, after core.Backend) (http.Handler, site) {
		old := session3.NewStore(session3.Config{Storage: new(fiberMemory3), IdleTimeout: 7 * 24 * time.Hour, AbsoluteTimeout: 30 * 24 * time.Hour})
		m, err := fromFiber3(old, after)
		return (&fiberSession3App{store: old}).handler(), now(t, m, err, nowFiber3)
	}},
}

// onRedis are those whose old stores are in Redis.
var onRedis = []move{
	{"gorilla/redisstore", func(t *testing.T, after core.Backend) (http.Handler, site) {
		client := redisClient(t)
		store, err := redisstore.NewRedisStore(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		store.Options(sessions.Options{Path: "/", MaxAge: 86400})
		m, err := fromRedisstore(client, after)
		return (&gorillaApp{store: store}).handler(), now(t, m, err, nowNetHTTP)
	}},
	{"gin-contrib/redis", func(t *testing.T, after core.Backend) (http.Handler, site) {
		store, err := ginredis.NewStore(2, "tcp", redistest.Shared(t).Addr(), "", "", hashKey, blockKey)
		if err != nil {
			t.Fatal(err)
		}
		m, err := fromStore(store, after)
		return (&ginContribApp{store: store}).handler(), now(t, m, err, nowGin)
	}},
	{"Fiber v2/its own memory", func(t *testing.T, after core.Backend) (http.Handler, site) {
		old := session.New()
		m, err := fromFiber(old, after)
		return (&fiberSessionApp{store: old}).handler(), now(t, m, err, nowFiber)
	}},
	{"Fiber v3/its own memory", func(t *testing.T, after core.Backend) (http.Handler, site) {
		old := session3.NewStore()
		m, err := fromFiber3(old, after)
		return (&fiberSession3App{store: old}).handler(), now(t, m, err, nowFiber3)
	}},
}

// These have goroutines, which must not begin in a bubble that they would not leave.
var scsByDefault, scsWithoutPersist = scs.New(), scsManager()

// withOwnStore returns a manager like old.
func withOwnStore(old *scs.SessionManager) *scs.SessionManager {
	manager := *old
	manager.Store = scsmem.NewWithCleanupInterval(0)
	return &manager
}

func redisClient(t *testing.T) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func inMemory(t *testing.T) core.Backend {
	t.Helper()
	memory := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = memory.Close() })
	return core.ServerSide(memory)
}

func inRedis(t *testing.T) core.Backend {
	t.Helper()
	return core.ServerSide(goredisstore.New(redisClient(t), goredisstore.Config{Prefix: redistest.UniquePrefix(t)}))
}

// loggedIn returns a browser whose user has logged in with the old application.
func loggedIn(t *testing.T, before http.Handler) browser {
	t.Helper()
	b := newBrowser(t, site{handler: before})
	b.post("/theme", "theme", "dark")
	b.post("/login", "user", "ann")
	b.get("/") // shows the flash
	return b
}

// Whoever is logged in with the old application goes on with the new one, whatever its
// requests do to each other and which answers arrive.
func TestK1K2UsersAreCarriedOver(t *testing.T) {
	for _, v := range append(moves, onRedis...) {
		t.Run(v.name, func(t *testing.T) {
			before, now := v.make(t, inRedis(t))

			b := loggedIn(t, before)
			b.site = now
			for range 2 {
				if got := b.get("/"); got != "200 ann dark []" {
					t.Errorf("the new application shows %q", got)
				}
			}
			stale := b.Request(http.MethodGet, "/", nil)
			b.post("/logout")
			if got := b.get("/"); got != "200 []" {
				t.Errorf("after the logout it shows %q", got)
			}
			if got := newBrowser(t, now).do(stale); got != "200 []" {
				t.Errorf("with the cookie from before the logout it shows %q", got)
			}

			// Six requests with the old cookie, of which each has begun before one is answered.
			b = loggedIn(t, before)
			b.site = now
			answers := overlapped(b, "a", "b", "c", "d", "e", "f")
			if got := strings.Join(answers, ","); got != strings.Repeat(",200 ann", 6)[1:] {
				t.Errorf("six overlapping requests are answered with %q", got)
			}
			if got := b.get("/keys") + b.get("/"); got != "200 [a b c d e f]200 ann dark []" {
				t.Errorf("then it shows %q", got)
			}

			// The same at random.
			b = loggedIn(t, before)
			b.site = now
			requests := make([]*http.Request, 6)
			for i := range requests {
				requests[i] = b.Request(http.MethodGet, "/", nil)
			}
			var all sync.WaitGroup
			for _, r := range requests {
				all.Go(func() {
					if got := newBrowser(t, now).do(r); got != "200 ann dark []" {
						t.Errorf("one of six requests shows %q", got)
					}
				})
			}
			all.Wait()

			// Their answers are lost, and so are more.
			for range 2 {
				lost := b.Request(http.MethodGet, "/", nil)
				if got := newBrowser(t, now).do(lost); got != "200 ann dark []" {
					t.Errorf("after lost answers it shows %q", got)
				}
			}
			for range 2 {
				if got := b.get("/"); got != "200 ann dark []" {
					t.Errorf("and then %q", got)
				}
			}
		})
	}
}

// overlapped sends a request for each key, of which each waits for the next.
func overlapped(b browser, keys ...string) (answers []string) {
	if len(keys) == 0 {
		return nil
	}
	b.probe.meanwhile = func() { answers = overlapped(b, keys[1:]...) }
	return append([]string{b.post("/slow", "key", keys[0])}, answers...)
}

// After half an hour and a restart of the browser, those are logged in who were with the
// old application, before they have moved and after it.
func TestT3UsersStayLoggedInAsBefore(t *testing.T) {
	for _, v := range append(moves,
		move{"gorilla/until the browser closes", func(t *testing.T, after core.Backend) (http.Handler, site) {
			old := sessions.NewCookieStore(hashKey, blockKey)
			old.MaxAge(0)
			m, err := fromStore(old, after)
			return (&gorillaApp{store: old}).handler(), now(t, m, err, nowNetHTTP)
		}},
		move{"scs/until the browser closes", func(t *testing.T, after core.Backend) (http.Handler, site) {
			old := withOwnStore(scsWithoutPersist)
			m, err := fromSCS(old, after)
			return (&scsApp{sessions: old}).handler(), now(t, m, err, nowNetHTTP)
		}},
		move{"Fiber v2/until the browser closes", func(t *testing.T, after core.Backend) (http.Handler, site) {
			old := session.New(session.Config{Storage: new(fiberMemory), CookieSessionOnly: true})
			m, err := fromFiber(old, after)
			return (&fiberSessionApp{store: old}).handler(), now(t, m, err, nowFiber)
		}},
	) {
		t.Run(v.name, func(t *testing.T) {
			v.make(t, inMemory(t)) // starts what the frameworks start once, outside the bubble
			synctest.Test(t, func(t *testing.T) {
				before, now := v.make(t, inMemory(t))
				later := func(b browser) browser {
					time.Sleep(31 * time.Minute)
					return b.restarted()
				}
				kept := strings.HasPrefix(later(loggedIn(t, before)).get("/"), "200 ann")
				if kept == strings.Contains(v.name, "until the browser closes") {
					t.Fatalf("the old application has kept the user: %v", kept)
				}
				b := later(loggedIn(t, before))
				b.site = now
				for _, when := range []string{"with the old cookie", "with the new one", "once more"} {
					if got := strings.HasPrefix(b.get("/"), "200 ann"); got != kept {
						t.Errorf("%s: logged in %v, want %v", when, got, kept)
					}
					b = later(b)
				}
			})
		})
	}
}

// The trap: gorilla's logout does not revoke the cookie, not even for Satchel.
func TestCookiesOfGorillaSurviveItsLogout(t *testing.T) {
	before, now := moves[0].make(t, inMemory(t))
	b := loggedIn(t, before)
	copied := b.Request(http.MethodGet, "/", nil)
	b.post("/logout")
	if got := newBrowser(t, now).do(copied); got != "200 ann dark []" {
		t.Errorf("with the cookie from before gorilla's logout it shows %q", got)
	}
}

// A session that has moved is empty for the old application.
func TestMovedSessionsAreEmptyForTheOldApplication(t *testing.T) {
	for _, v := range moves {
		if v.name == "gorilla/cookies" || v.name == "echo-contrib" || v.name == "gin-contrib" {
			continue // the cookie is the session
		}
		before, now := v.make(t, inMemory(t))
		b := loggedIn(t, before)
		copied := b.Request(http.MethodGet, "/", nil)
		b.site = now
		if got := b.get("/"); got != "200 ann dark []" {
			t.Errorf("%s: the new application shows %q", v.name, got)
		}
		if got := newBrowser(t, site{handler: before}).do(copied); strings.Contains(got, "ann") || !strings.HasPrefix(got, "200") {
			t.Errorf("%s: the old application shows %q of a session that has moved", v.name, got)
		}
	}
}

// newManager returns the Manager of an application that cannot read the old
// one's sessions.
func newManager(t *testing.T) *core.Manager {
	t.Helper()
	m, err := core.New(inMemory(t), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A cookie of a library that Satchel is not told of is not a session, and stays
// as it is: the new application logs nobody out of the old one.
func TestUnreadableCookiesAreNoSession(t *testing.T) {
	m := newManager(t)
	old := scs.New()
	old.Cookie.Name = "__Host-session"
	for name, before := range map[string]http.Handler{
		"scs":   (&scsApp{sessions: old}).handler(),
		"fiber": (&fiberSessionApp{store: session.New(session.Config{KeyLookup: "cookie:__Host-session"})}).handler(),
	} {
		b := newBrowser(t, site{handler: before})
		b.post("/login", "user", "ann")
		b.handler = (&netHTTPApp{sessions: m}).handler()
		res := b.Do(b.handler, b.Request(http.MethodGet, "/", nil))
		if res.StatusCode != http.StatusOK || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d, Set-Cookie %q", name, res.StatusCode, res.Header.Get("Set-Cookie"))
		}
		if got := b.get("/"); got != "200 []" {
			t.Errorf("%s: the new application shows %q", name, got)
		}
		b.handler = before
		if got := b.get("/"); got != "200 ann" {
			t.Errorf("%s: back in the old one, it shows %q", name, got)
		}
	}
}

// A session from a cookie ends when the cookie of gorilla's would have, though it is used.
func TestT1SessionsFromCookiesEndAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, now := moves[0].make(t, inMemory(t))
		b := loggedIn(t, before)
		b.site = now
		for day := range 9 { // the MaxAge is a week
			if got := strings.HasPrefix(b.get("/"), "200 ann"); got != (day < 7) {
				t.Errorf("on day %d: logged in %v", day, got)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

// In "ready", programs on Fiber and on Satchel take turns on one session.
func TestF1FiberReadsWhatSatchelWrote(t *testing.T) {
	for _, v := range moves[len(moves)-2:] {
		t.Run(v.name, func(t *testing.T) {
			var before http.Handler
			var store sessions.Store
			if v.name == "Fiber v2" {
				storage := new(fiberMemory)
				before = (&fiberSessionApp{store: fiberStore(storage)}).handler()
				store = gorillastore.FiberV2(gorillastore.FiberConfig{Storage: storage})
			} else {
				storage := new(fiberMemory3)
				before = (&fiberSession3App{store: session3.NewStore(session3.Config{Storage: storage})}).handler()
				store = gorillastore.FiberV3(gorillastore.FiberConfig{Storage: storage})
			}
			config := core.Config{Cookie: core.Cookie{Name: "session_id"}}
			ready := core.Migrating(inMemory(t), gorillastore.From(store, gorillastore.FromConfig{UserKey: "user"}))
			m, err := core.New(ready, config)
			if err != nil {
				t.Fatal(err)
			}
			b := loggedIn(t, before)
			b.handler = program(m, func(w http.ResponseWriter, s *core.Session) {
				theme.Set(s, "light")
				s.Flash("", "Saved.")
				s.Flash("error", "Not sent.")
				s.Set("n", 3)
				_, _ = fmt.Fprintln(w, s.UserID(), s.PeekFlashes())
			})
			if got := b.get("/"); got != "200 ann [{ Saved.} {error Not sent.}]" {
				t.Errorf("Satchel shows %q", got)
			}
			b.handler = before
			if got := b.get("/"); got != "200 ann light" {
				t.Errorf("Fiber shows %q", got)
			}
			b.post("/login", "user", "bob")
			b.handler = program(m, func(w http.ResponseWriter, s *core.Session) {
				_, _ = fmt.Fprintln(w, s.UserID(), s.Flashes())
			})
			if got := b.get("/"); got != "200 bob [{ Saved.} {error Not sent.}]" {
				t.Errorf("then Satchel shows %q", got)
			}
		})
	}
}

// A program on Fiber's middleware logs out who has moved, unless "ready" comes between.
func TestFiberBesideEachStep(t *testing.T) {
	old := fiberStore(new(fiberMemory))
	before := (&fiberSessionApp{store: old}).handler()
	after := inMemory(t)
	step := func(m *core.Manager, err error) site { return now(t, m, err, nowFiber) }
	moving := step(fromFiber(old, after))
	store := gorillastore.From(gorillastore.FiberV2(gorillastore.FiberConfig{Storage: old.Storage}), gorillastore.FromConfig{UserKey: "user"})
	ready := step(core.New(core.Migrating(after, store), likeFiber(old)))

	for _, test := range []struct {
		name  string
		steps []site
		want  string
	}{
		{"moving, the old program, moving", []site{moving, {handler: before}, moving}, "200 ann dark [],200,200 []"},
		{"ready, the old program, ready", []site{ready, {handler: before}, ready}, "200 ann dark [],200 ann dark,200 ann dark []"},
		{"ready, moving", []site{ready, moving}, "200 ann dark [],200 ann dark []"},
		{"back by way of ready", []site{moving, ready, {handler: before}}, "200 ann dark [],200 ann dark [],200 ann dark"},
	} {
		b := loggedIn(t, before)
		var got []string
		for _, s := range test.steps {
			b.site = s
			got = append(got, b.get("/"))
		}
		if got := strings.Join(got, ","); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// What comes from Fiber ends after Fiber's Expiration, as before, and so does a new login.
func TestT1SessionsFromFiberEndAfterItsExpiration(t *testing.T) {
	make := func(t *testing.T) (http.Handler, site) {
		old := session.New(session.Config{Storage: new(fiberMemory), Expiration: 24 * time.Hour})
		m, err := fromFiber(old, inMemory(t))
		return (&fiberSessionApp{store: old}).handler(), now(t, m, err, nowFiber)
	}
	make(t) // starts what Fiber starts once, outside the bubble
	synctest.Test(t, func(t *testing.T) {
		for after, want := range map[time.Duration]bool{23 * time.Hour: true, 25 * time.Hour: false} {
			before, now := make(t)
			moved := loggedIn(t, before)
			moved.site = now
			moved.get("/")
			again, remembered := newBrowser(t, now), newBrowser(t, now)
			again.post("/login", "user", "ann")
			remembered.post("/login", "user", "ann", "remember", "on")
			time.Sleep(after)
			for name, b := range map[string]browser{"moved": moved, "logged in": again, "remembered": remembered, "remembered, restarted": remembered.restarted()} {
				if got := strings.HasPrefix(b.get("/"), "200 ann"); got != want {
					t.Errorf("%s: after %v logged in %v", name, after, got)
				}
			}
		}
	})
}

// CartLine is a type that no other test gives to gob.
type CartLine struct {
	Name string
	N    int
}

// In "ready", the old application and the new one fill one cart.
func TestK1FiberAndSatchelFillOneCart(t *testing.T) {
	old := fiberStore(new(fiberMemory))
	old.RegisterType([]CartLine{})
	before := fiber.New()
	before.Get("/", func(c *fiber.Ctx) error {
		s, err := old.Get(c)
		if err != nil {
			return err
		}
		cart, _ := s.Get("cart").([]CartLine)
		cart = append(cart, CartLine{Name: c.Query("item"), N: 1})
		s.Set("cart", cart)
		if err := s.Save(); err != nil {
			return err
		}
		return c.SendString(fmt.Sprintln(cart))
	})
	from := gorillastore.From(gorillastore.FiberV2(gorillastore.FiberConfig{Storage: old.Storage}), gorillastore.FromConfig{UserKey: "user"})
	m, err := core.New(core.Migrating(inMemory(t), from), core.Config{Cookie: core.Cookie{Name: "session_id"}})
	if err != nil {
		t.Fatal(err)
	}
	cart := core.NewKey[[]CartLine]("cart")
	b := newBrowser(t, site{handler: adaptor.FiberApp(before)})
	b.get("/?item=hat")
	b.handler = program(m, func(_ http.ResponseWriter, s *core.Session) {
		cart.Update(s, func(items []CartLine) []CartLine { return append(items, CartLine{Name: "coat", N: 1}) })
	})
	b.get("/")
	b.handler = adaptor.FiberApp(before)
	if got := b.get("/?item=tie"); got != "200 [{hat 1} {coat 1} {tie 1}]" {
		t.Errorf("Fiber shows %q", got)
	}
}

func TestT1FiberAbsoluteTimeoutCounts(t *testing.T) {
	make := func(t *testing.T) (http.Handler, site) {
		old := session3.NewStore(session3.Config{Storage: new(fiberMemory3), AbsoluteTimeout: time.Hour})
		m, err := fromFiber3(old, inMemory(t))
		return (&fiberSession3App{store: old}).handler(), now(t, m, err, nowFiber3)
	}
	make(t) // starts what Fiber starts once, outside the bubble
	synctest.Test(t, func(t *testing.T) {
		for after, want := range map[time.Duration]string{59 * time.Minute: "200 ann dark []", 61 * time.Minute: "200 []"} {
			before, now := make(t)
			kept := loggedIn(t, before).Request(http.MethodGet, "/", nil)
			time.Sleep(after) // the storage of this test forgets nothing
			if got := newBrowser(t, now).do(kept); got != want {
				t.Errorf("after %v: %q, want %q", after, got, want)
			}
		}
	})
}
