package recipes

import (
	"errors"
	"html/template"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/render"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/ginadapter"
)

//recipe:gin

var devicesPage = template.Must(template.New("").Parse(`<!doctype html><title>Your devices</title>
{{range .Flashes}}<p role="status">{{.Text}}</p>
{{end}}<ul>
{{range .Devices}}<li>{{or .Label "A device"}}, last seen {{.LastSeen.Format "2 January 15:04"}}
{{if .Current}}(this one)
{{else}}<form method="post" action="/devices/end"><button name="id" value="{{.ID}}">Sign out</button></form>
{{end}}{{end}}</ul>
{{if .Partial}}<p>You may be signed in on other devices, too.</p>
{{else}}<form method="post" action="/devices/end-all"><button>Sign out everywhere</button></form>
{{end}}`))

// devices adds the page, for users who are logged in.
func devices(r gin.IRouter) {
	r.GET("/devices", func(c *gin.Context) {
		s := ginadapter.Session(c)
		list, err := s.List(c.Request.Context())
		partial := errors.Is(err, core.ErrUnsupported) // no store lists sessions in cookies
		if err != nil && !partial {
			httpadapter.WriteErrorResponse(c.Writer, err) // c.AbortWithError would send no body
			return
		}
		data := gin.H{"Devices": list, "Partial": partial, "Flashes": s.Flashes()}
		c.Render(http.StatusOK, render.HTML{Template: devicesPage, Data: data})
	})
	r.POST("/devices/end", func(c *gin.Context) {
		s := ginadapter.Session(c)
		id, err := core.ParseID(c.PostForm("id"))
		if err == nil {
			err = s.RevokeOwn(c.Request.Context(), id)
		}
		switch {
		case id.IsZero(), errors.Is(err, core.ErrNotFound): // or another user's: it says no more of those
			s.Flash("info", "That device is signed out already.")
		case errors.Is(err, core.ErrUnsupported):
			s.Flash("warning", "That device can only sign out by itself.")
		case err != nil: // it may still be signed in
			httpadapter.WriteErrorResponse(c.Writer, err)
			return
		default:
			s.Flash("success", "Signed out.")
		}
		c.Redirect(http.StatusSeeOther, "/devices")
	})
	r.POST("/devices/end-all", func(c *gin.Context) { // this one too
		if err := ginadapter.Session(c).LogoutEverywhere(c.Request.Context()); err != nil {
			httpadapter.WriteErrorResponse(c.Writer, err)
			return
		}
		c.Redirect(http.StatusSeeOther, "/login")
	})
}

//recipe:end
