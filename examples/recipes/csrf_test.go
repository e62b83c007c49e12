package recipes

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core/sessiontest"
)

// TestCrossOriginProtection: another site cannot post with the user's cookies.
func TestCrossOriginProtection(t *testing.T) {
	pages := mounted(routes{
		"POST /transfer": func(c call) (int, string) { c.s.Set("sent", true); return 200, "sent" },
		"GET /transfer":  func(call) (int, string) { return 200, "form" },
	}, csrfFiber(http.NewCrossOriginProtection()))
	for _, f := range pages {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			var app any
			switch inner := f.app(sessiontest.New(t).Manager).(type) {
			case *echo.Echo:
				app = csrfEcho(inner)
			case *gin.Engine:
				app = csrfGin(inner)
			case *fiber.App:
				app = inner
			case http.Handler:
				app = csrfNetHTTP(inner)
			}
			b := newBrowser(t, serve(t, app), nil)
			host := strings.TrimPrefix(b.base, "https://")
			for _, c := range []struct {
				method string
				header []string
				want   int
			}{
				{"POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
				{"POST", []string{"Sec-Fetch-Site", "same-site"}, 403}, // another subdomain
				{"POST", []string{"Sec-Fetch-Site", "same-origin"}, 200},
				{"POST", []string{"Sec-Fetch-Site", "none"}, 200}, // typed by the user
				{"POST", []string{"Origin", "https://evil.example"}, 403},
				{"POST", []string{"Origin", "null"}, 403},
				{"POST", []string{"Origin", "https://" + host}, 200},
				{"POST", nil, 200}, // no browser
				{"GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
			} {
				if res := b.send(c.method, "/transfer", "", "", c.header...); res.status != c.want {
					t.Errorf("%s with %q: %d, want %d", c.method, c.header, res.status, c.want)
				}
			}
		})
	}
}

// TestCrossOriginProtectionBypass: in Fiber too, a provider may post its answer back, to its page alone.
func TestCrossOriginProtectionBypass(t *testing.T) {
	protection := http.NewCrossOriginProtection()
	protection.AddInsecureBypassPattern("/callback")
	page := func(call) (int, string) { return 200, "" }
	for _, f := range mounted(routes{"POST /callback": page, "POST /transfer": page}, csrfFiber(protection)) {
		app, ok := f.app(sessiontest.New(t).Manager).(*fiber.App)
		if !ok {
			continue // the standard library's own handler
		}
		b := newBrowser(t, serve(t, app), nil)
		for path, want := range map[string]int{"/callback": 200, "/transfer": 403} {
			if res := b.send("POST", path, "", "", "Sec-Fetch-Site", "cross-site"); res.status != want {
				t.Errorf("%s: %d, want %d", path, res.status, want)
			}
		}
	}
}
