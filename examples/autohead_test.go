package examples

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

// A HEAD that Echo lets a GET handler answer has the status and the cookie of the GET.
// The option is younger than the oldest Echo that the adapter's own tests run on.
func TestAutomaticHEAD(t *testing.T) {
	m, store := adapterunit.ServerSide(t, core.Config{})
	for name, mount := range map[string]func(*echo.Echo, echo.HandlerFunc){
		"Use":   func(e *echo.Echo, h echo.HandlerFunc) { e.Use(echov5adapter.Middleware(m)); e.GET("/", h) },
		"route": func(e *echo.Echo, h echo.HandlerFunc) { e.GET("/", h, echov5adapter.Middleware(m)) },
	} {
		for _, down := range []bool{false, true} {
			store.Down.Store(down)
			e := echo.NewWithConfig(echo.Config{Router: echo.NewRouter(echo.RouterConfig{AutoHandleHEAD: true})})
			mount(e, func(c *echo.Context) error {
				echov5adapter.Session(c).Set("k", "v")
				return c.String(201, "handler")
			})
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/", nil))
			status, cookies := 201, 1
			if down {
				status, cookies = 503, 0
			}
			if w.Code != status || len(w.Header().Values("Set-Cookie")) != cookies {
				t.Errorf("%s, down %v: answer is %d %v", name, down, w.Code, w.Header())
			}
		}
	}
}
