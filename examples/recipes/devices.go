package recipes

import (
	"context"
	"errors"
	"html/template"

	"github.com/satchel-go/satchel/core"
)

//recipe:shared

var devicesPage = template.Must(template.New("").Parse(`<!doctype html><title>Your devices</title>
{{range .Flashes}}<p role="status">{{.Text}}</p>
{{end}}<ul>
{{range .Devices}}<li>{{or .Label "A device"}}, last seen {{.LastSeen.Format "2 January 15:04"}}
{{if .Current}}(this one)
{{else}}<form method="post" action="/devices/end"><button name="id" value="{{.ID}}">Sign out</button></form>
{{end}}{{end}}</ul>
<form method="post" action="/devices/end-all"><button>Sign out everywhere</button></form>
`))

// devices is what devicesPage shows.
func devices(ctx context.Context, s *core.Session) (any, error) {
	list, err := s.List(ctx)
	return map[string]any{"Devices": list, "Flashes": s.Flashes()}, err
}

// endDevice ends one of the user's sessions. Of other people's it says no more than of
// those that never were.
func endDevice(ctx context.Context, s *core.Session, text string) error {
	id, err := core.ParseID(text)
	if err == nil {
		err = s.RevokeOwn(ctx, id)
	}
	switch {
	case errors.Is(err, core.ErrUnavailable):
		return err // it may still be alive
	case err != nil:
		s.Flash("info", "That device is signed out already.")
	default:
		s.Flash("success", "Signed out.")
	}
	return nil
}

// endAll ends all of the user's sessions, this one too.
func endAll(ctx context.Context, s *core.Session) error {
	err := s.LogoutEverywhere(ctx)
	if err == nil {
		s.Flash("success", "You are signed out everywhere.")
	}
	return err
}

//recipe:end
