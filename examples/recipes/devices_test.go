package recipes

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/ginadapter"
)

func devicesApp(m *core.Manager) *gin.Engine {
	g := gin.New()
	g.Use(ginadapter.Middleware(m))
	devices(g)
	return g
}

func TestDevices(t *testing.T) {
	sessions := sessiontest.New(t, func(c *core.Config) {
		c.Describe = func(ex core.Exchange) string { return ex.RequestHeader("User-Agent") }
	})
	here, phone, bob := sessions.Login("ann"), sessions.Login("ann"), sessions.Login("bob")
	b := newBrowser(t, serve(t, devicesApp(sessions.Manager)), here.Jar())
	in(phone, func(s *core.Session) { s.Set("k", "v") })
	page := b.get("/devices").body
	if strings.Count(page, "<li>") != 2 || strings.Count(page, "(this one)") != 1 || !strings.Contains(page, idOf(phone).String()) || strings.Contains(page, "other devices") {
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
	b.post("/devices/end-all").goes("/login")
	other.WantAnonymous()
	here.WantAnonymous()
	bob.WantUser("bob")
}

// In cookies there is no list: the page shows that, and that what it cannot end stays.
func TestDevicesInCookies(t *testing.T) {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	sessions := sessiontest.NewOn(t, core.ClientSide(sealed.Cookie(keys)))
	here, phone := sessions.Login("ann"), sessions.Login("ann")
	b := newBrowser(t, serve(t, devicesApp(sessions.Manager)), here.Jar())
	if page := b.get("/devices"); page.status != http.StatusOK || !strings.Contains(page.body, "other devices") || strings.Contains(page.body, "everywhere") {
		t.Errorf("the page is %d\n%s", page.status, page.body)
	}
	b.post("/devices/end", "id", idOf(phone).String()).goes("/devices")
	here.WantFlash("warning", "That device can only sign out by itself.")
	phone.WantUser("ann")
	if r := b.post("/devices/end-all"); r.status != http.StatusInternalServerError || r.body == "" {
		t.Errorf("signing out everywhere: %d %q", r.status, r.body)
	}
}

// No failure is an empty page, or a device that only seems to be signed out.
func TestDevicesInAnOutage(t *testing.T) {
	store := &outage{Store: memstore.New(memstore.Config{})}
	sessions := sessiontest.NewOn(t, core.ServerSide(store))
	here, phone := sessions.Login("ann"), idOf(sessions.Login("ann"))
	g := gin.New()
	g.Use(ginadapter.Middleware(sessions.Manager), func(*gin.Context) { store.down.Store(true) }) // once the session is loaded
	devices(g)
	b := newBrowser(t, serve(t, g), here.Jar())
	for _, request := range []func() reply{
		func() reply { return b.get("/devices") },
		func() reply { return b.post("/devices/end", "id", phone.String()) },
		func() reply { return b.post("/devices/end-all") },
	} {
		request().wants(http.StatusServiceUnavailable, "Service Unavailable\n")
		store.down.Store(false)
	}
}

// A label is what a client has sent.
func TestDevicesEscapeLabels(t *testing.T) {
	var page strings.Builder
	if err := devicesPage.Execute(&page, map[string]any{"Devices": []core.Info{{Label: "<script>"}}}); err != nil || strings.Contains(page.String(), "<script>") {
		t.Errorf("%v\n%s", err, page.String())
	}
}
