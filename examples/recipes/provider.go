package recipes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
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

// flowConfig is for the Manager of logins in progress: core.New(backend, flowConfig).
// Browsers send its cookie when the provider's page posts to us, and keep back that
// of the users' sessions.
var flowConfig = core.Config{
	Namespace:   "login",
	Cookie:      core.Cookie{Name: "__Host-login", SameSite: core.SameSiteNone},
	IdleTimeout: 10 * time.Minute,
	Lifetime:    10 * time.Minute,
}

//recipe:end

type provider struct {
	issuer   string
	oauth    oauth2.Config // of golang.org/x/oauth2
	verifier *oidc.IDTokenVerifier
	signer   jose.Signer             // proves who we are: private_key_jwt
	extra    []oauth2.AuthCodeOption // what else the provider wants
	namesIss bool                    // its answers name the issuer (RFC 9207)
	end, bye string                  // the provider's address to log out at, "" if it has none, and ours to come back to
	http     *http.Client
}

// newProvider asks the provider for its settings. It has registered, for client,
// the two addresses below base and the public half of key.
func newProvider(ctx context.Context, issuer, client, base string, key jose.SigningKey, extra ...oauth2.AuthCodeOption) (*provider, error) {
	p := &provider{issuer: issuer, extra: extra, bye: base + "/login/goodbye", http: &http.Client{Timeout: 5 * time.Second}}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.http), issuer)
	if err != nil {
		return nil, err
	}
	var settings struct {
		End string `json:"end_session_endpoint"`
		Iss bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := found.Claims(&settings); err != nil {
		return nil, err
	}
	if p.signer, err = jose.NewSigner(key, nil); err != nil {
		return nil, err
	}
	p.end, p.namesIss = settings.End, settings.Iss
	p.oauth = oauth2.Config{ClientID: client, Endpoint: found.Endpoint(), RedirectURL: base + "/login/callback", Scopes: []string{oidc.ScopeOpenID}}
	p.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams // others make oauth2 try twice, but an assertion is good once
	p.verifier = found.Verifier(&oidc.Config{ClientID: client})
	return p, nil
}

//recipe:shared

// attempt is what the provider's answer must match. Each tab has its own.
type attempt struct{ Nonce, Verifier string }

// verified is the user for whom the provider vouches.
var verified = core.NewKey[string]("verified")

// begin returns the URL to send the browser to.
func (p *provider) begin(flow *core.Session) string {
	state, a := rand.Text(), attempt{rand.Text(), oauth2.GenerateVerifier()}
	expect(flow, p.issuer+" "+state, a)
	return p.oauth.AuthCodeURL(state, append([]oauth2.AuthCodeOption{
		oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier),
	}, p.extra...)...)
}

// expect notes what an answer must match. It forgets older ones when there are
// many, for any page can send a browser to /login/ again and again.
func expect(flow *core.Session, answer string, a attempt) {
	if len(flow.Keys()) >= 8 {
		flow.Clear()
	}
	flow.Set(answer, a)
}

// answer reports whether the answer that has come by the browser is right. Then
// finish may log in. The fields of the answer are form's.
func (p *provider) answer(ctx context.Context, flow *core.Session, form func(field string) string) bool {
	user, err := p.check(oidc.ClientContext(ctx, p.http), flow, form)
	if err != nil {
		slog.WarnContext(ctx, "login refused", "err", err)
		return false
	}
	flow.Logout() // from here on, a new session: whoever planted or saw the old token is out
	verified.Set(flow, user)
	return true
}

func (p *provider) check(ctx context.Context, flow *core.Session, form func(string) string) (user string, err error) {
	asked := p.issuer + " " + form("state")
	a, ok := core.Get[attempt](flow, asked)
	if !ok {
		return "", errors.New("login: not started in this browser, or too long ago")
	}
	flow.Delete(asked) // good for one answer
	if iss := form("iss"); iss != p.issuer && (iss != "" || p.namesIss) {
		return "", errors.New("login: another provider answers")
	}
	if form("error") != "" {
		return "", fmt.Errorf("login: the provider answers %.40q", form("error"))
	}
	options, err := p.authenticate()
	if err != nil {
		return "", err
	}
	token, err := p.oauth.Exchange(ctx, form("code"), append(options, oauth2.VerifierOption(a.Verifier))...)
	if refused := new(oauth2.RetrieveError); errors.As(err, &refused) { // its text has the body, which may repeat our secrets
		return "", fmt.Errorf("login: the provider answers %d %.40q to the code", refused.Response.StatusCode, refused.ErrorCode)
	} else if err != nil {
		return "", err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.verifier.Verify(ctx, raw)
	if err != nil {
		return "", err
	}
	if id.Nonce != a.Nonce || id.Subject == "" {
		return "", errors.New("login: the token answers another request, or names nobody")
	}
	return id.Issuer + " " + id.Subject, nil // identify your user by both, and keep nothing else of the token
}

//recipe:end

// authenticate proves to the provider who we are, instead of a client secret.
func (p *provider) authenticate() ([]oauth2.AuthCodeOption, error) {
	now := time.Now()
	assertion, err := jwt.Signed(p.signer).Claims(map[string]any{
		"iss": p.oauth.ClientID, "sub": p.oauth.ClientID, "aud": p.oauth.Endpoint.TokenURL,
		"jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
	}).Serialize()
	return []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
		oauth2.SetAuthURLParam("client_assertion", assertion),
	}, err
}

//recipe:finish

// finish logs in. Here the browser sends the visitor's own session, cart and all.
func finish(s, flow *core.Session) bool {
	user, ok := verified.Get(flow)
	if ok {
		flow.Logout()
		s.Login(user)
	}
	return ok
}

// logout logs out here and returns where to log out at the provider.
func (p *provider) logout(s, flow *core.Session) string {
	user := s.UserID()
	s.Logout() // at once, for the provider may ask back, or be down
	if user == "" || p.end == "" {
		return "/account"
	}
	state := rand.Text()
	expect(flow, "logout "+state, attempt{})
	return p.end + "?" + url.Values{"client_id": {p.oauth.ClientID}, "post_logout_redirect_uri": {p.bye}, "state": {state}}.Encode()
}

// goodbye greets whoever comes back from the provider. It logs nobody out, since
// any page can lead here.
func goodbye(s, flow *core.Session, state string) {
	if _, ok := core.Get[attempt](flow, "logout "+state); ok {
		flow.Delete("logout " + state)
		s.Flash("info", "Signed out.")
	}
}

//recipe:end

func providerNetHTTP(sessions, flow *core.Manager, p *provider) http.Handler {
	login := http.NewServeMux()
	login.HandleFunc("GET /login/{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, p.begin(httpadapter.SessionOf(r, flow)), http.StatusSeeOther)
	})
	login.HandleFunc("/login/callback", func(w http.ResponseWriter, r *http.Request) { // GET or POST
		if !p.answer(r.Context(), httpadapter.SessionOf(r, flow), r.FormValue) {
			http.Error(w, "Please try to log in again.", http.StatusForbidden)
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
	login.HandleFunc("POST /login/logout", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, p.logout(httpadapter.SessionOf(r, sessions), httpadapter.SessionOf(r, flow)), http.StatusSeeOther)
	})
	login.HandleFunc("GET /login/goodbye", func(w http.ResponseWriter, r *http.Request) {
		goodbye(httpadapter.SessionOf(r, sessions), httpadapter.SessionOf(r, flow), r.FormValue("state"))
		http.Redirect(w, r, "/account", http.StatusSeeOther)
	})
	mux := http.NewServeMux()
	mux.Handle("/login/", httpadapter.Middleware(flow)(login))
	mux.HandleFunc("GET /account", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, page(httpadapter.Session(r)))
	})
	return httpadapter.Middleware(sessions)(mux)
}

//recipe:echo
func providerEcho(sessions, flow *core.Manager, p *provider) *echo.Echo {
	e := echo.New()
	e.Use(echov5adapter.Middleware(sessions))
	login := e.Group("/login", echov5adapter.Middleware(flow))
	login.GET("/", func(c *echo.Context) error {
		return c.Redirect(http.StatusSeeOther, p.begin(echov5adapter.SessionOf(c, flow)))
	})
	login.Any("/callback", func(c *echo.Context) error { // GET or POST
		if !p.answer(c.Request().Context(), echov5adapter.SessionOf(c, flow), c.FormValue) {
			return c.String(http.StatusForbidden, "Please try to log in again.")
		}
		return c.Redirect(http.StatusSeeOther, "/login/finish") // a GET: Lax cookies are sent
	})
	login.GET("/finish", func(c *echo.Context) error {
		if !finish(echov5adapter.SessionOf(c, sessions), echov5adapter.SessionOf(c, flow)) {
			return c.Redirect(http.StatusSeeOther, "/login/")
		}
		return c.Redirect(http.StatusSeeOther, "/account")
	})
	login.POST("/logout", func(c *echo.Context) error {
		return c.Redirect(http.StatusSeeOther, p.logout(echov5adapter.SessionOf(c, sessions), echov5adapter.SessionOf(c, flow)))
	})
	login.GET("/goodbye", func(c *echo.Context) error {
		goodbye(echov5adapter.SessionOf(c, sessions), echov5adapter.SessionOf(c, flow), c.FormValue("state"))
		return c.Redirect(http.StatusSeeOther, "/account")
	})
	e.GET("/account", func(c *echo.Context) error {
		return c.JSON(http.StatusOK, page(echov5adapter.Session(c)))
	})
	return e
}

//recipe:end

func providerGin(sessions, flow *core.Manager, p *provider) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
	login := r.Group("/login", ginadapter.Middleware(flow))
	login.GET("/", func(c *gin.Context) {
		c.Redirect(http.StatusSeeOther, p.begin(ginadapter.SessionOf(c, flow)))
	})
	login.Any("/callback", func(c *gin.Context) { // GET or POST
		if !p.answer(c.Request.Context(), ginadapter.SessionOf(c, flow), c.Request.FormValue) {
			c.String(http.StatusForbidden, "Please try to log in again.")
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
	login.POST("/logout", func(c *gin.Context) {
		c.Redirect(http.StatusSeeOther, p.logout(ginadapter.SessionOf(c, sessions), ginadapter.SessionOf(c, flow)))
	})
	login.GET("/goodbye", func(c *gin.Context) {
		goodbye(ginadapter.SessionOf(c, sessions), ginadapter.SessionOf(c, flow), c.Query("state"))
		c.Redirect(http.StatusSeeOther, "/account")
	})
	r.GET("/account", func(c *gin.Context) {
		c.JSON(http.StatusOK, page(ginadapter.Session(c)))
	})
	return r
}

func providerFiber(sessions, flow *core.Manager, p *provider) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberv3adapter.Middleware(sessions))
	login := app.Group("/login", fiberv3adapter.Middleware(flow))
	login.Get("/", func(c fiber.Ctx) error {
		return c.Redirect().To(p.begin(fiberv3adapter.SessionOf(c, flow)))
	})
	login.All("/callback", func(c fiber.Ctx) error { // GET or POST
		if !p.answer(c.Context(), fiberv3adapter.SessionOf(c, flow), func(field string) string { return c.FormValue(field) }) {
			return c.Status(fiber.StatusForbidden).SendString("Please try to log in again.")
		}
		return c.Redirect().To("/login/finish") // a GET: Lax cookies are sent
	})
	login.Get("/finish", func(c fiber.Ctx) error {
		if !finish(fiberv3adapter.SessionOf(c, sessions), fiberv3adapter.SessionOf(c, flow)) {
			return c.Redirect().To("/login/")
		}
		return c.Redirect().To("/account")
	})
	login.Post("/logout", func(c fiber.Ctx) error {
		return c.Redirect().To(p.logout(fiberv3adapter.SessionOf(c, sessions), fiberv3adapter.SessionOf(c, flow)))
	})
	login.Get("/goodbye", func(c fiber.Ctx) error {
		goodbye(fiberv3adapter.SessionOf(c, sessions), fiberv3adapter.SessionOf(c, flow), c.Query("state"))
		return c.Redirect().To("/account")
	})
	app.Get("/account", func(c fiber.Ctx) error {
		return c.JSON(page(fiberv3adapter.Session(c)))
	})
	return app
}
