package fiberadapter

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

// Proxies write names small, and DisableHeaderNormalizing leaves them so.
func TestF1HeaderNamesInAnyCase(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	app := fiber.New(fiber.Config{DisableHeaderNormalizing: true})
	app.Use(Middleware(m))
	app.Get("/", func(c *fiber.Ctx) error {
		Session(c).Flashes()
		return nil
	})
	for _, name := range []string{"sec-purpose", "Sec-Purpose", "X-SEC-PURPOSE"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header[name] = []string{"prefetch"}
		res, err := app.Test(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close() // only the header matters
		if vary := res.Header.Get("Vary"); vary != "Cookie, Sec-Purpose" {
			t.Errorf("F1: after %s, Vary is %q", name, vary)
		}
	}
}

// After fasthttp's TimeoutError another response is sent. It has the cookie, and a
// server error rolls back, but not what a Commit has stored before.
func TestC6TimeoutError(t *testing.T) {
	for _, status := range []int{408, 503} {
		for _, commits := range []bool{true, false} {
			var seen adapterunit.Events
			m, _ := adapterunit.ServerSide(t, core.Config{Observer: seen.Observe})
			r := serve(t, func(c *fiber.Ctx) error {
				s := Session(c)
				s.Set("k", "v")
				if commits {
					if err := s.Commit(c.UserContext()); err != nil {
						t.Error(err)
					}
					s.Set("k", "w")
				}
				c.Context().TimeoutErrorWithCode("too slow", status)
				return nil
			}, "", Middleware(m))
			r.Wants(t, status, "too slow")
			want := 1
			if status == 503 && !commits {
				want = 0
			}
			lines, created, late := len(r.Header["Set-Cookie"]), seen.Count(core.EventCreated), seen.Count(core.EventTooLate)
			if lines != want || created != want || late != 0 || seen.Count(core.EventRolledBack) == 0 != (status == 408) {
				t.Errorf("%d, commits %t: %d cookies, %d sessions created, %d events tell of a late change", status, commits, lines, created, late)
			}
		}
	}
}
