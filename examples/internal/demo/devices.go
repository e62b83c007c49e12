package demo

import (
	"errors"
	"log"
	"slices"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// DevicesPage lists where the user is signed in.
type DevicesPage struct {
	Supported bool
	Sessions  []core.Info // this one first, then the newest
}

// Devices shows where the user is signed in.
func (a *App) Devices(s *core.Session) Page {
	p, done := a.page(s, "/devices", "Your devices")
	if done {
		return p
	}
	if !a.reachable {
		p.Devices = &DevicesPage{}
		return p
	}
	list, err := s.List(s.Context())
	if err != nil {
		return p.failed(err)
	}
	slices.SortStableFunc(list, func(a, b core.Info) int {
		switch {
		case a.Current:
			return -1
		case b.Current:
			return +1
		}
		return b.CreatedAt.Compare(a.CreatedAt)
	})
	p.Devices = &DevicesPage{Supported: true, Sessions: list}
	return p
}

// EndDevice ends one session of the user.
func (a *App) EndDevice(s *core.Session, field Field) string {
	if s.UserID() == "" {
		return signInFirst(s)
	}
	id, err := core.ParseID(field("id"))
	if err == nil {
		err = s.RevokeOwn(s.Context(), id)
	}
	if id.IsZero() || isNotFound(err) { // says the same if the session is another user's
		s.Flash("info", "That session had ended already.")
		return "/devices"
	}
	return ended(s, err, "Ended. That browser is signed out.")
}

// EndOthers ends all sessions of the user but this one.
func (a *App) EndOthers(s *core.Session, _ Field) string {
	if s.UserID() == "" {
		return signInFirst(s)
	}
	return ended(s, s.RevokeOthers(s.Context()), "You are signed out everywhere else.")
}

// ended reports how ending other sessions went.
func ended(s *core.Session, err error, done string) string {
	switch {
	case errors.Is(err, core.ErrUnsupported):
		s.Flash("warning", "Sessions in cookies cannot be ended from elsewhere.")
	case err != nil:
		failed(s, err)
	default:
		s.Flash("success", done)
	}
	return "/devices"
}

// failed reports an error that is not the visitor's, and logs it.
func failed(s *core.Session, err error) {
	log.Print(err)
	s.Flash("error", "That did not work. Please try again.")
}

func isNotFound(err error) bool { return errors.Is(err, core.ErrNotFound) }

// Device names the browser of a request, for [core.Config.Describe]. A guess is
// good enough, since nothing depends on it.
func Device(ex core.Exchange) string { return device(ex.RequestHeader("User-Agent")) }

func device(agent string) string {
	return first(agent, "A browser", [][2]string{
		{"Edg/", "Edge"},
		{"OPR/", "Opera"},
		{"Firefox/", "Firefox"},
		{"Chrome/", "Chrome"},
		{"CriOS/", "Chrome"},
		{"FxiOS/", "Firefox"},
		{"Safari/", "Safari"},
		{"curl/", "curl"},
	}) + " on " + first(agent, "an unknown device", [][2]string{
		{"iPhone", "an iPhone"},
		{"iPad", "an iPad"},
		{"Android", "Android"},
		{"Windows", "Windows"},
		{"Macintosh", "a Mac"},
		{"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	})
}

// first returns the name of the first mark that s contains.
func first(s, otherwise string, marks [][2]string) string {
	for _, mark := range marks {
		if strings.Contains(s, mark[0]) {
			return mark[1]
		}
	}
	return otherwise
}
