package recipes

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/ginadapter"
)

//recipe:shared

// newManagers makes one Manager for customers and one for the back office. Each
// has its own cookie, and Namespace keeps them apart on a shared store.
func newManagers(store core.Store) (shop, office *core.Manager, err error) {
	shop, err1 := core.New(core.ServerSide(store), core.Config{Namespace: "shop"})
	office, err2 := core.New(core.ServerSide(store), core.Config{
		Namespace:   "office",
		Cookie:      core.Cookie{Name: "__Host-office", SameSite: core.SameSiteStrict},
		IdleTimeout: 10 * time.Minute,
	})
	return shop, office, errors.Join(err1, err2)
}

//recipe:end

func severalNetHTTP(shop, office *core.Manager) http.Handler {
	back := http.NewServeMux()
	back.HandleFunc("GET /office/{$}", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{
			"clerk":    httpadapter.Session(r).UserID(), // the innermost: the office's
			"customer": httpadapter.SessionOf(r, shop).UserID(),
		})
	})
	back.HandleFunc("POST /office/login", func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.SessionOf(r, office).Login(r.PostFormValue("name")) // after you have checked the password
	})
	back.HandleFunc("POST /office/logout", func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.SessionOf(r, office).Logout() // the customer stays logged in
	})
	mux := http.NewServeMux()
	mux.Handle("/office/", httpadapter.Middleware(office)(back))
	mux.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Login(r.PostFormValue("name"))
	})
	return httpadapter.Middleware(shop)(mux)
}

//recipe:echo
func severalEcho(shop, office *core.Manager) *echo.Echo {
	e := echo.New()
	e.Use(echov5adapter.Middleware(shop))
	e.POST("/login", func(c *echo.Context) error {
		echov5adapter.Session(c).Login(c.FormValue("name")) // after you have checked the password
		return c.NoContent(http.StatusOK)
	})
	back := e.Group("/office", echov5adapter.Middleware(office))
	back.GET("/", func(c *echo.Context) error {
		return c.JSON(http.StatusOK, map[string]any{
			"clerk":    echov5adapter.Session(c).UserID(), // the innermost: the office's
			"customer": echov5adapter.SessionOf(c, shop).UserID(),
		})
	})
	back.POST("/login", func(c *echo.Context) error {
		echov5adapter.SessionOf(c, office).Login(c.FormValue("name"))
		return c.NoContent(http.StatusOK)
	})
	back.POST("/logout", func(c *echo.Context) error {
		echov5adapter.SessionOf(c, office).Logout() // the customer stays logged in
		return c.NoContent(http.StatusOK)
	})
	return e
}

//recipe:end

func severalGin(shop, office *core.Manager) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), ginadapter.Middleware(shop))
	r.POST("/login", func(c *gin.Context) {
		ginadapter.Session(c).Login(c.PostForm("name")) // after you have checked the password
	})
	back := r.Group("/office", ginadapter.Middleware(office))
	back.GET("/", func(c *gin.Context) {
		c.JSON(http.StatusOK, gin.H{
			"clerk":    ginadapter.Session(c).UserID(), // the innermost: the office's
			"customer": ginadapter.SessionOf(c, shop).UserID(),
		})
	})
	back.POST("/login", func(c *gin.Context) {
		ginadapter.SessionOf(c, office).Login(c.PostForm("name"))
	})
	back.POST("/logout", func(c *gin.Context) {
		ginadapter.SessionOf(c, office).Logout() // the customer stays logged in
	})
	return r
}

func severalFiber(shop, office *core.Manager) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberv3adapter.Middleware(shop))
	app.Post("/login", func(c fiber.Ctx) error {
		fiberv3adapter.Session(c).Login(c.FormValue("name")) // after you have checked the password
		return nil
	})
	back := app.Group("/office", fiberv3adapter.Middleware(office))
	back.Get("/", func(c fiber.Ctx) error {
		return c.JSON(fiber.Map{
			"clerk":    fiberv3adapter.Session(c).UserID(), // the innermost: the office's
			"customer": fiberv3adapter.SessionOf(c, shop).UserID(),
		})
	})
	back.Post("/login", func(c fiber.Ctx) error {
		fiberv3adapter.SessionOf(c, office).Login(c.FormValue("name"))
		return nil
	})
	back.Post("/logout", func(c fiber.Ctx) error {
		fiberv3adapter.SessionOf(c, office).Logout() // the customer stays logged in
		return nil
	})
	return app
}
