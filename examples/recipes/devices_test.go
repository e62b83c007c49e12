package recipes

import (
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
)

func TestDevices(t *testing.T) {
	for _, f := range mounted(routes{
		"GET /devices": func(c call) (int, string) {
			data, err := devices(c, c.s)
			if err != nil {
				return core.ErrorResponseFor(err).Status, ""
			}
			var page strings.Builder
			if err := devicesPage.Execute(&page, data); err != nil {
				return 500, err.Error()
			}
			return 200, page.String()
		},
		"POST /devices/end": func(c call) (int, string) {
			if err := endDevice(c, c.s, c.form("id")); err != nil {
				return core.ErrorResponseFor(err).Status, ""
			}
			return 303, "/devices"
		},
		"POST /devices/end-all": func(c call) (int, string) {
			if err := endAll(c, c.s); err != nil {
				return core.ErrorResponseFor(err).Status, ""
			}
			return 303, "/devices"
		},
	}) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			sessions := sessiontest.New(t, func(c *core.Config) {
				c.Describe = func(ex core.Exchange) string { return ex.RequestHeader("User-Agent") }
			})
			here, phone, bob := sessions.Login("ann"), sessions.Login("ann"), sessions.Login("bob")
			b := newBrowser(t, serve(t, f.app(sessions.Manager)), here.Jar())
			in(phone, func(s *core.Session) { s.Set("k", "v") })
			page := b.get("/devices").body
			if strings.Count(page, "<li>") != 2 || strings.Count(page, "(this one)") != 1 || !strings.Contains(page, idOf(phone).String()) {
				t.Errorf("the page is\n%s", page)
			}
			for _, id := range []string{idOf(bob).String(), "no ID", "", core.ID{1}.String()} {
				b.post("/devices/end", "id", id).goes("/devices")
				here.WantFlash("info", "That device is signed out already.")
			}
			bob.WantUser("bob")
			b.post("/devices/end", "id", idOf(phone).String()).goes("/devices")
			phone.WantAnonymous()
			here.WantUser("ann")
			if page := b.get("/devices").body; !strings.Contains(page, `<p role="status">Signed out.</p>`) || strings.Count(page, "<li>") != 1 {
				t.Errorf("afterwards the page is\n%s", page)
			}
			other := sessions.Login("ann")
			b.post("/devices/end-all").goes("/devices")
			other.WantAnonymous()
			here.WantAnonymous()
			here.WantFlash("success", "You are signed out everywhere.")
		})
	}
}

// A label is what a client has sent.
func TestDevicesEscapeLabels(t *testing.T) {
	var page strings.Builder
	if err := devicesPage.Execute(&page, map[string]any{"Devices": []core.Info{{Label: "<script>"}}}); err != nil || strings.Contains(page.String(), "<script>") {
		t.Errorf("%v\n%s", err, page.String())
	}
}
