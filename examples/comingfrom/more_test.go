package comingfrom_test

import (
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/session"

	"github.com/satchel-go/satchel/core/sessiontest"
)

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

// What docs/coming-from/README.md says of tests.
func TestSetTheme(t *testing.T) {
	st := sessiontest.New(t)
	app := (&netHTTPApp{sessions: st.Manager}).handler()
	ann := st.Login("ann")

	ann.Do(app, ann.Form("/theme", map[string][]string{"theme": {"dark"}}))

	ann.WantFlash("success", "Saved.")
	sessiontest.Want(ann, theme, "dark")
}
