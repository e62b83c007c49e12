package recipes

import (
	"net/http"
	"testing"

	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
)

func jobsFrameworks(jobs chan<- export) []framework {
	return shown(func(m *core.Manager) *echo.Echo { return jobsEcho(m, jobs) }, routes{
		"POST /export": func(c call) (int, string) {
			if c.s.UserID() == "" {
				return http.StatusSeeOther, "/login"
			}
			jobs <- export{c.s.UserID(), c.s.ID()}
			c.s.Flash("info", "We are working on it.")
			return http.StatusSeeOther, "/account"
		},
		"GET /account": func(c call) (int, string) { return http.StatusOK, asJSON(page(c.s)) },
	})
}

func TestJobs(t *testing.T) {
	for i, f := range jobsFrameworks(nil) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			jobs := make(chan export, 2)
			sessions := sessiontest.New(t)
			base := serve(t, jobsFrameworks(jobs)[i].app(sessions.Manager))
			phone, laptop := sessions.Login("ann"), sessions.Login("ann")
			onPhone, onLaptop := newBrowser(t, base, phone.Jar()), newBrowser(t, base, laptop.Jar())

			onPhone.post("/export").goes("/account")
			onPhone.get("/account").wants(200, `{"user":"ann","flashes":[{"kind":"info","text":"We are working on it."}]}`)
			onLaptop.post("/export").goes("/account")
			laptop.Session().Logout() // before its job is done
			laptop.WantAnonymous()
			close(jobs)
			work(t.Context(), sessions.Manager, jobs)

			// Its own message, and the one for the device that is gone.
			onPhone.get("/account").wants(200, `{"user":"ann","flashes":[
				{"kind":"success","text":"Your export is ready."},{"kind":"success","text":"Your export is ready."}]}`)
			onPhone.get("/account").wants(200, `{"user":"ann","flashes":[]}`)
			onLaptop.get("/account").wants(200, `{"user":"","flashes":[]}`)
			onLaptop.post("/export").goes("/login")
		})
	}
}
