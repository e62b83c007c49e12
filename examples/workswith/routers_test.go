package workswith_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/fiberadapter"
)

func chiRouter(sessions *core.Manager) *chi.Mux {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer, middleware.Compress(5)) // outside
	r.Use(httpadapter.Middleware(sessions))
	r.Post("/login", func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		s.Login(r.FormValue("user")) // after you have checked the password
		s.Flash("success", "Signed in.")
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	return r
}

func me(api huma.API) {
	type output struct{ Body struct{ User string } }
	huma.Get(api, "/me", func(ctx context.Context, _ *struct{}) (*output, error) {
		s, ok := core.FromContext(ctx)
		if !ok || s.UserID() == "" {
			return nil, huma.Error401Unauthorized("log in first")
		}
		var out output
		out.Body.User = s.UserID()
		return &out, nil
	})
}

// pages are what is not in the docs.
func pages(r *chi.Mux) {
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		for _, f := range httpadapter.Session(r).Flashes() {
			_, _ = w.Write([]byte(f.Text)) // the client may have gone
		}
	})
	r.Get("/panic", func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Flash("info", "never seen")
		panic("a handler's mistake")
	})
}

func TestChi(t *testing.T) {
	sessions := manager(t)
	r := chiRouter(sessions)
	pages(r)
	b := browse(t, r)
	b.post("/login", "user=ann").wants(303, "")
	b.get("/").wants(200, "Signed in.")
	b.get("/").wants(200, "")
	// Recoverer outside sees the panic, and the session has rolled back.
	b.get("/panic").wants(500, "")
	b.get("/").wants(200, "")
}

func TestHuma(t *testing.T) {
	for name, mount := range map[string]func(*core.Manager) http.Handler{
		"on chi": func(m *core.Manager) http.Handler {
			r := chiRouter(m)
			me(humachi.New(r, huma.DefaultConfig("Shop", "1.0.0")))
			return r
		},
		"on Fiber v2": func(m *core.Manager) http.Handler {
			app := fiber.New()
			app.Use(fiberadapter.Middleware(m))
			app.Post("/login", func(c *fiber.Ctx) error {
				fiberadapter.Session(c).Login(c.FormValue("user"))
				return c.Redirect("/", fiber.StatusSeeOther)
			})
			me(humafiber.New(app, huma.DefaultConfig("Shop", "1.0.0")))
			return adaptor.FiberApp(app)
		},
		"on net/http": func(m *core.Manager) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("POST /login", chiRouter(m))
			me(humago.New(mux, huma.DefaultConfig("Shop", "1.0.0")))
			return httpadapter.Middleware(m)(mux)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := browse(t, mount(manager(t)))
			if got := b.get("/me"); got.status != 401 {
				t.Errorf("without a login: %+v", got)
			}
			b.post("/login", "user=ann").wants(303, "")
			b.get("/me").has(200, `"User":"ann"`)
		})
	}
}
