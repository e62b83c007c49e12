package recipes

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"
)

//recipe:nethttp
func csrfNetHTTP(app http.Handler) http.Handler { return http.NewCrossOriginProtection().Handler(app) }

//recipe:end

//recipe:echo
func csrfEcho(app *echo.Echo) http.Handler { return http.NewCrossOriginProtection().Handler(app) }

//recipe:end

//recipe:gin
func csrfGin(app *gin.Engine) http.Handler { return http.NewCrossOriginProtection().Handler(app) }

//recipe:end

//recipe:fiber
func csrfFiber(protection *http.CrossOriginProtection) fiber.Handler {
	return func(c fiber.Ctx) error {
		r := http.Request{Method: c.Method(), Host: string(c.Request().Host()), URL: &url.URL{Path: c.Path()}, Header: http.Header{}}
		for _, name := range [...]string{"Sec-Fetch-Site", "Origin"} {
			r.Header.Set(name, c.Get(name))
		}
		if protection.Check(&r) != nil {
			return fiber.ErrForbidden
		}
		return c.Next()
	}
}

//recipe:end
