package recipes

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"
	"golang.org/x/oauth2"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/ginadapter"
)

//recipe:flow

// newFlow makes the Manager for logins in progress. Browsers send its cookie when
// the provider's page posts to us, and keep back that of the users' sessions.
func newFlow(store core.Store) (*core.Manager, error) {
	return core.New(core.ServerSide(store), core.Config{
		Namespace:   "login",
		Cookie:      core.Cookie{Name: "__Secure-login", Path: "/login", SameSite: core.SameSiteNone},
		IdleTimeout: 10 * time.Minute,
		Lifetime:    10 * time.Minute,
	})
}

//recipe:end

//recipe:shared

type provider struct {
	oauth    oauth2.Config // of golang.org/x/oauth2
	verifier *oidc.IDTokenVerifier
}

// attempt is what the provider's answer must match. Each tab has its own.
type attempt struct{ Nonce, Verifier string }

// verified is the user for whom the provider vouches.
var verified = core.NewKey[string]("verified")

// begin returns the URL to send the browser to.
func (p *provider) begin(flow *core.Session) string {
	state, a := rand.Text(), attempt{rand.Text(), oauth2.GenerateVerifier()}
	flow.Set("state "+state, a)
	return p.oauth.AuthCodeURL(state, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier),
		oauth2.SetAuthURLParam("response_mode", "form_post"))
}

// answer checks what the provider's page posted.
func (p *provider) answer(ctx context.Context, flow *core.Session, state, code string) error {
	a, ok := core.Get[attempt](flow, "state "+state)
	if !ok {
		return errors.New("login: not started in this browser, or too long ago")
	}
	flow.Delete("state " + state) // good for one answer
	token, err := p.oauth.Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.verifier.Verify(ctx, raw)
	if err != nil {
		return err
	}
	if id.Nonce != a.Nonce {
		return errors.New("login: the token answers another request")
	}
	verified.Set(flow, id.Issuer+" "+id.Subject) // identify your user by both
	return nil
}

// finish logs in. Here the browser sends the visitor's own session, cart and all.
func finish(s, flow *core.Session) bool {
	user, ok := verified.Get(flow)
	if ok {
		flow.Logout()
		s.Login(user)
	}
	return ok
}

//recipe:end

//recipe:nethttp
func providerNetHTTP(sessions, flow *core.Manager, p *provider) http.Handler {
	login := http.NewServeMux()
	login.HandleFunc("GET /login/{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, p.begin(httpadapter.SessionOf(r, flow)), http.StatusSeeOther)
	})
	login.HandleFunc("POST /login/callback", func(w http.ResponseWriter, r *http.Request) {
		if err := p.answer(r.Context(), httpadapter.SessionOf(r, flow), r.PostFormValue("state"), r.PostFormValue("code")); err != nil {
			http.Error(w, "Please try to log in again.", http.StatusForbidden) // log err
			return
		}
		http.Redirect(w, r, "/login/finish", http.StatusSeeOther) // a GET: Lax cookies are sent
	})
	login.HandleFunc("GET /login/finish", func(w http.ResponseWriter, r *http.Request) {
		if !finish(httpadapter.SessionOf(r, sessions), httpadapter.SessionOf(r, flow)) {
			http.Redirect(w, r, "/login/", http.StatusSeeOther)
			return
		}
		http.Redirect(w, r, "/account", http.StatusSeeOther)
	})
	mux := http.NewServeMux()
	mux.Handle("/login/", httpadapter.Middleware(flow)(login))
	mux.HandleFunc("GET /account", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, page(httpadapter.Session(r)))
	})
	return httpadapter.Middleware(sessions)(mux)
}

//recipe:end

//recipe:echo
func providerEcho(sessions, flow *core.Manager, p *provider) *echo.Echo {
	e := echo.New()
	e.Use(echov5adapter.Middleware(sessions))
	login := e.Group("/login", echov5adapter.Middleware(flow))
	login.GET("/", func(c *echo.Context) error {
		return c.Redirect(http.StatusSeeOther, p.begin(echov5adapter.SessionOf(c, flow)))
	})
	login.POST("/callback", func(c *echo.Context) error {
		if err := p.answer(c.Request().Context(), echov5adapter.SessionOf(c, flow), c.FormValue("state"), c.FormValue("code")); err != nil {
			return echo.NewHTTPError(http.StatusForbidden, "Please try to log in again.").Wrap(err)
		}
		return c.Redirect(http.StatusSeeOther, "/login/finish") // a GET: Lax cookies are sent
	})
	login.GET("/finish", func(c *echo.Context) error {
		if !finish(echov5adapter.SessionOf(c, sessions), echov5adapter.SessionOf(c, flow)) {
			return c.Redirect(http.StatusSeeOther, "/login/")
		}
		return c.Redirect(http.StatusSeeOther, "/account")
	})
	e.GET("/account", func(c *echo.Context) error {
		return c.JSON(http.StatusOK, page(echov5adapter.Session(c)))
	})
	return e
}

//recipe:end

//recipe:gin
func providerGin(sessions, flow *core.Manager, p *provider) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
	login := r.Group("/login", ginadapter.Middleware(flow))
	login.GET("/", func(c *gin.Context) {
		c.Redirect(http.StatusSeeOther, p.begin(ginadapter.SessionOf(c, flow)))
	})
	login.POST("/callback", func(c *gin.Context) {
		if err := p.answer(c.Request.Context(), ginadapter.SessionOf(c, flow), c.PostForm("state"), c.PostForm("code")); err != nil {
			c.String(http.StatusForbidden, "Please try to log in again.") // log err
			return
		}
		c.Redirect(http.StatusSeeOther, "/login/finish") // a GET: Lax cookies are sent
	})
	login.GET("/finish", func(c *gin.Context) {
		if !finish(ginadapter.SessionOf(c, sessions), ginadapter.SessionOf(c, flow)) {
			c.Redirect(http.StatusSeeOther, "/login/")
			return
		}
		c.Redirect(http.StatusSeeOther, "/account")
	})
	r.GET("/account", func(c *gin.Context) {
		c.JSON(http.StatusOK, page(ginadapter.Session(c)))
	})
	return r
}

//recipe:end

//recipe:fiber
func providerFiber(sessions, flow *core.Manager, p *provider) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberv3adapter.Middleware(sessions))
	login := app.Group("/login", fiberv3adapter.Middleware(flow))
	login.Get("/", func(c fiber.Ctx) error {
		return c.Redirect().To(p.begin(fiberv3adapter.SessionOf(c, flow)))
	})
	login.Post("/callback", func(c fiber.Ctx) error {
		if err := p.answer(c.Context(), fiberv3adapter.SessionOf(c, flow), c.FormValue("state"), c.FormValue("code")); err != nil {
			return fiber.NewError(fiber.StatusForbidden, "Please try to log in again.") // log err
		}
		return c.Redirect().To("/login/finish") // a GET: Lax cookies are sent
	})
	login.Get("/finish", func(c fiber.Ctx) error {
		if !finish(fiberv3adapter.SessionOf(c, sessions), fiberv3adapter.SessionOf(c, flow)) {
			return c.Redirect().To("/login/")
		}
		return c.Redirect().To("/account")
	})
	app.Get("/account", func(c fiber.Ctx) error {
		return c.JSON(page(fiberv3adapter.Session(c)))
	})
	return app
}

//recipe:end
