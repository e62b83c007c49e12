package comingfrom_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gin-contrib/sessions/memstore"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/session"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	satchelmem "github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/ginadapter"
)

// With Satchel, there is nothing to save.
func TestForgottenSave(t *testing.T) {
	store := sessions.NewCookieStore(hashKey, blockKey)
	old := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "session")
		s.Values["theme"] = "dark"
	})
	nobody := sessiontest.New(t).Visitor()
	if res := nobody.Do(old, nobody.Request(http.MethodGet, "/", nil)); len(res.Cookies()) != 0 {
		t.Errorf("gorilla has saved: %v", res.Cookies())
	}
	st := sessiontest.New(t)
	visitor := st.Visitor()
	visitor.Do((&netHTTPApp{sessions: st.Manager}).handler(), visitor.Form("/theme", nil))
	sessiontest.Want(visitor, theme, "")
}

// A change after the response has begun is lost in gin-contrib without an
// error, and an event in Satchel.
func TestLateSave(t *testing.T) {
	old := &ginContribApp{store: memstore.NewStore(hashKey, blockKey)}
	b := newBrowser(t, site{handler: old.handler()})
	if got := b.post("/late"); got != "200 done" {
		t.Errorf("gin-contrib: %q", got)
	}
	if got := b.get("/"); got != "200 []" {
		t.Errorf("gin-contrib has kept it: %q", got)
	}

	var late error
	memory := satchelmem.New(satchelmem.Config{})
	t.Cleanup(func() { _ = memory.Close() })
	m, err := core.New(core.ServerSide(memory), core.Config{Observer: func(_ context.Context, e core.Event) {
		if e.Kind == core.EventTooLate {
			late = e.Err
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	g := gin.New()
	g.Use(ginadapter.Middleware(m))
	g.POST("/late", func(c *gin.Context) {
		c.String(http.StatusOK, "done")
		theme.Set(ginadapter.Session(c), "dark")
	})
	newBrowser(t, site{handler: g}).post("/late")
	if !errors.Is(late, core.ErrTooLate) {
		t.Errorf("Satchel reports %v", late)
	}
}

// A session of Fiber's middleware is empty after its Save.
func TestFiberSessionAfterSave(t *testing.T) {
	store, app := session.New(), fiber.New()
	app.Get("/", func(c *fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			return err
		}
		s.Set("theme", "dark")
		if err := s.Save(); err != nil {
			return err
		}
		if got := s.Get("theme"); got != nil {
			t.Errorf("after Save there is still %v", got)
		}
		return nil
	})
	visitor := sessiontest.New(t).Visitor()
	sessiontest.DoFiber(visitor, app, visitor.Request(http.MethodGet, "/", nil))
}

// The idle timeout and Remember, with the defaults of Config.
func TestTimeouts(t *testing.T) {
	st := sessiontest.New(t)
	app := site{handler: (&netHTTPApp{sessions: st.Manager}).handler()}
	ann, bob := browser{st.Visitor(), t, app, map[string]*http.Cookie{}}, browser{st.Visitor(), t, app, map[string]*http.Cookie{}}
	ann.post("/login", "user", "ann")
	bob.post("/login", "user", "bob", "remember", "on")
	st.Advance(31 * time.Minute)
	ann.WantAnonymous()
	bob.WantUser("bob")
	st.Advance(14 * 24 * time.Hour)
	bob.WantAnonymous()
}

// What docs/coming-from/README.md says of tests.
func TestSetTheme(t *testing.T) {
	st := sessiontest.New(t)
	app := (&netHTTPApp{sessions: st.Manager}).handler()
	ann := st.Login("ann")

	ann.Do(app, ann.Form("/theme", map[string][]string{"theme": {"dark"}}))

	ann.WantFlash("success", "Saved.")
	sessiontest.Want(ann, theme, "dark")
}
