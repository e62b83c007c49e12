package workswith_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v3"
	fibercors "github.com/gofiber/fiber/v3/middleware/cors"
	echo4 "github.com/labstack/echo/v4"
	echo4middleware "github.com/labstack/echo/v4/middleware"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/echoadapter"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
)

const spa = "https://spa.example"

// TestC7CORSOutsideAndInside: the frameworks' own CORS middleware keeps what it exposes,
// and a script may read the session's header, whichever of the two is outside.
func TestC7CORSOutsideAndInside(t *testing.T) {
	m, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{Carrier: core.Bearer})
	if err != nil {
		t.Fatal(err)
	}
	exposed := []string{"X-Total"}
	apps := map[string]func(inside bool) func(*http.Request) *http.Response{
		"echo5": func(inside bool) func(*http.Request) *http.Response {
			e := echo.New()
			chain := []echo.MiddlewareFunc{middleware.CORSWithConfig(middleware.CORSConfig{AllowOrigins: []string{spa}, ExposeHeaders: exposed}), echov5adapter.Middleware(m)}
			if inside {
				chain[0], chain[1] = chain[1], chain[0]
			}
			e.Use(chain...)
			e.POST("/", func(c *echo.Context) error { echov5adapter.Session(c).Set("k", "v"); return c.NoContent(200) })
			return served(e)
		},
		"echo": func(inside bool) func(*http.Request) *http.Response {
			e := echo4.New()
			chain := []echo4.MiddlewareFunc{echo4middleware.CORSWithConfig(echo4middleware.CORSConfig{AllowOrigins: []string{spa}, ExposeHeaders: exposed}), echoadapter.Middleware(m)}
			if inside {
				chain[0], chain[1] = chain[1], chain[0]
			}
			e.Use(chain...)
			e.POST("/", func(c echo4.Context) error { echoadapter.Session(c).Set("k", "v"); return c.NoContent(200) })
			return served(e)
		},
		"fiber3": func(inside bool) func(*http.Request) *http.Response {
			app := fiber.New()
			cors := fibercors.New(fibercors.Config{AllowOrigins: []string{spa}, ExposeHeaders: exposed})
			if inside {
				app.Use(fiberv3adapter.Middleware(m), cors)
			} else {
				app.Use(cors, fiberv3adapter.Middleware(m))
			}
			app.Post("/", func(c fiber.Ctx) error { fiberv3adapter.Session(c).Set("k", "v"); return nil })
			return func(r *http.Request) *http.Response {
				res, err := app.Test(r)
				if err != nil {
					t.Fatal(err)
				}
				return res
			}
		},
	}
	for name, app := range apps {
		for _, inside := range []bool{false, true} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.example/", nil)
			r.Header.Set("Origin", spa)
			res := app(inside)(r)
			_ = res.Body.Close() // nothing is in it
			got := strings.ReplaceAll(strings.Join(res.Header.Values("Access-Control-Expose-Headers"), ","), " ", "")
			if got != "X-Total,Session-Token" || res.Header.Get("Session-Token") == "" || res.Header.Get("Access-Control-Allow-Origin") != spa {
				t.Errorf("C7: %s, CORS inside: %v: exposed %q in %v", name, inside, got, res.Header)
			}
		}
	}
}

func served(h http.Handler) func(*http.Request) *http.Response {
	return func(r *http.Request) *http.Response {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
}
