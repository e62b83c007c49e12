package recipes

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/jwtsealer"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/ginadapter"
)

//recipe:shared

// newForServices makes a Manager whose sessions others verify with the public halves of
// signing. Only who has keys can read what the session holds.
func newForServices(signing *jwtsealer.Keys, keys *sealed.Keyring) (*core.Manager, error) {
	sealer := jwtsealer.Signed(signing, jwtsealer.Config{
		Issuer:   "https://app.example",
		Audience: []string{"https://billing.example"}, // each service that is to accept them
		Seal:     keys,
		Claims: func(r *core.Record) map[string]any { // what services need to know besides the user
			return map[string]any{"plan": planOf(r.User)}
		},
	})
	return core.New(core.ClientSide(sealer), core.Config{Carrier: core.Bearer})
}

//recipe:end

func planOf(user string) string {
	if user == "" {
		return "none"
	}
	return "basic"
}

func servicesNetHTTP(m *core.Manager, signing *jwtsealer.Keys) http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Login(r.PostFormValue("name")) // after you have checked the password
	})
	mux := http.NewServeMux()
	mux.Handle("/", httpadapter.Middleware(m)(pages))
	mux.Handle("GET /.well-known/jwks.json", signing)
	return mux
}

func servicesEcho(m *core.Manager, signing *jwtsealer.Keys) *echo.Echo {
	e := echo.New()
	e.POST("/login", func(c *echo.Context) error {
		echov5adapter.Session(c).Login(c.FormValue("name")) // after you have checked the password
		return c.NoContent(http.StatusOK)
	}, echov5adapter.Middleware(m))
	e.GET("/.well-known/jwks.json", echo.WrapHandler(signing))
	return e
}

func servicesGin(m *core.Manager, signing *jwtsealer.Keys) *gin.Engine {
	r := gin.New()
	r.GET("/.well-known/jwks.json", gin.WrapH(signing))
	r.Use(ginadapter.Middleware(m))
	r.POST("/login", func(c *gin.Context) {
		ginadapter.Session(c).Login(c.PostForm("name")) // after you have checked the password
	})
	return r
}

func servicesFiber(m *core.Manager, signing *jwtsealer.Keys) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Get("/.well-known/jwks.json", adaptor.HTTPHandler(signing))
	app.Use(fiberv3adapter.Middleware(m))
	app.Post("/login", func(c fiber.Ctx) error {
		fiberv3adapter.Session(c).Login(c.FormValue("name")) // after you have checked the password
		return nil
	})
	return app
}
