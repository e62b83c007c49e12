package recipes

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

func TestSeveral(t *testing.T) {
	shop, office, err := newManagers(memstore.New(memstore.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frameworks(
		func(m *core.Manager) http.Handler { return severalNetHTTP(m, office) },
		func(m *core.Manager) *echo.Echo { return severalEcho(m, office) },
		func(m *core.Manager) *gin.Engine { return severalGin(m, office) },
		func(m *core.Manager) *fiber.App { return severalFiber(m, office) },
	) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, serve(t, f.app(shop)), nil)
			customer, clerk := "c-"+f.name, "o-"+f.name
			b.post("/login", "name", customer)
			b.get("/office/").wants(200, `{"clerk":"","customer":"`+customer+`"}`)
			res := b.post("/office/login", "name", clerk)
			if got := strings.Join(res.header.Values("Set-Cookie"), "\n"); !strings.HasPrefix(got, "__Host-office=") ||
				!strings.Contains(got, "SameSite=Strict") || strings.Contains(got, "__Host-session=") {
				t.Errorf("the office's login sets %q", got)
			}
			b.get("/office/").wants(200, `{"clerk":"`+clerk+`","customer":"`+customer+`"}`)

			// A token of one is worthless to the other.
			thief := newBrowser(t, b.base, nil)
			thief.send("GET", "/office/", "", "", "Cookie", "__Host-office="+b.token()).
				wants(200, `{"clerk":"","customer":""}`)

			b.post("/office/logout")
			b.get("/office/").wants(200, `{"clerk":"","customer":"`+customer+`"}`)

			b.post("/office/login", "name", clerk)
			if _, err := shop.RevokeUser(t.Context(), clerk); err != nil { // a customer with that name
				t.Fatal(err)
			}
			b.get("/office/").wants(200, `{"clerk":"`+clerk+`","customer":"`+customer+`"}`)
			if _, err := office.RevokeUser(t.Context(), clerk); err != nil {
				t.Fatal(err)
			}
			b.get("/office/").wants(200, `{"clerk":"","customer":"`+customer+`"}`)
		})
	}
}
