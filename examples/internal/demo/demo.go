// Package demo is the application that the programs echo5, echo, gin, fiber3,
// fiber and nethttp mount: a packing list, the devices of a user, and messages that
// arrive while a page is open. It knows sessions and forms, but no framework.
package demo

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"log"
	"net/http"
	"time"

	"github.com/satchel-go/satchel/core"
)

// Show makes a page for the visitor whose session it gets.
type Show func(s *core.Session) Page

// Do carries out a form and returns the path to redirect to. It leaves its
// messages to the visitor there, as flashes.
type Do func(s *core.Session, field Field) (next string)

// Field returns a field of the submitted form, "" if there is none.
type Field func(name string) string

// App is the application. It is safe for concurrent use.
type App struct {
	framework string
	sessions  *core.Manager
	reachable bool // sessions can be listed, and changed outside a request
	news      news
}

// New returns the application on sessions. Pages show the name of the framework.
func New(sessions *core.Manager, framework string) *App {
	// Sessions that only clients hold cannot be listed; the pages say so.
	_, err := sessions.List(context.Background(), "nobody")
	return &App{
		framework: framework,
		sessions:  sessions,
		reachable: !errors.Is(err, core.ErrUnsupported),
	}
}

// Forms has the actions of forms by path, for POST. Other sites must not be able
// to submit them: see [Protect].
func (a *App) Forms() map[string]Do {
	return map[string]Do{
		"/sign-in": a.SignIn, "/sign-out": a.SignOut,
		"/items": a.AddItem, "/items/more": a.MoreItem, "/items/less": a.LessItem, "/items/remove": a.RemoveItem,
		"/devices/end": a.EndDevice, "/devices/end-others": a.EndOthers,
		"/live/job": a.StartJob,
	}
}

// Page is what the template "page" shows. The template escapes all of it, flash
// messages and names included. One of the last four is set, or none after a failure.
type Page struct {
	Status    int // of the response
	Framework string
	Title     string
	Path      string // which entry of the menu this is
	User      string // "" for visitors who are not signed in
	Session   Facts
	Flashes   []core.Flash
	Removed   *Item // an item that can be put back

	SignIn  *SignInPage
	List    *ListPage
	Devices *DevicesPage
	Live    *LivePage
}

// Facts is what every page says about the session.
type Facts struct {
	ID        core.ID
	Seen      int // pages, since the user signed in
	SignedIn  time.Time
	IdleUntil time.Time
	Until     time.Time
	InClient  bool // all of it is in the client's cookie
}

// seen is a session value with its type. It needs no registration.
var seen = core.NewKey[int]("seen")

// page starts a page of the menu. Visitors who are not signed in get the form to
// sign in instead, and done is true.
func (a *App) page(s *core.Session, path, title string) (p Page, done bool) {
	if s.UserID() == "" {
		if path != "/" {
			s.Flash("info", "Please sign in first.") // no redirect: this page shows it
		}
		return a.signInPage(s), true
	}
	// Two pages that load at the same time count as two.
	seen.Update(s, func(n int) int { return n + 1 })
	n, _ := seen.Get(s)
	p = Page{
		Status: http.StatusOK, Framework: a.framework, Title: title, Path: path, User: s.UserID(),
		Flashes: s.Flashes(), // removed only once a page has shown them
		Session: Facts{
			ID: s.ID(), Seen: n, SignedIn: s.AuthenticatedAt(),
			IdleUntil: s.IdleExpiresAt(), Until: s.ExpiresAt(), InClient: !a.reachable,
		},
	}
	if item, ok := removed.Take(s); ok {
		p.Removed = &item
	}
	return p, false
}

// failed reports an error that is not the visitor's, and logs it.
func (p Page) failed(err error) Page {
	log.Print(err)
	p.Status = http.StatusInternalServerError
	p.Flashes = append(p.Flashes, core.Flash{Kind: "error", Text: "This page does not work just now. Please try again."})
	return p
}

var (
	//go:embed pages
	pages embed.FS
	//go:embed static
	static embed.FS
)

// Templates has the template "page", which executes with a [Page].
var Templates = template.Must(template.New("").Funcs(template.FuncMap{
	"when": when,
	"iso":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
}).ParseFS(pages, "pages/*.html"))

// when formats a time for people, in the server's time zone.
func when(t time.Time) string {
	t, now := t.Local(), time.Now()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("today, 15:04")
	}
	return t.Format("2 January, 15:04")
}

// Static has the style sheet, the script and the icon, to be served below
// /static/. The pages need nothing from elsewhere.
var Static = must(fs.Sub(static, "static"))

func must(f fs.FS, err error) fs.FS {
	if err != nil {
		panic(err)
	}
	return f
}

// Headers are set on every response. Nothing from elsewhere runs in the pages, no
// other site shows them in a frame, and no cache keeps personal pages.
var Headers = map[string]string{
	"Cache-Control": "no-store",
	"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"Referrer-Policy":        "same-origin",
	"X-Content-Type-Options": "nosniff",
}

// Protect adds Headers, and refuses forms that other sites submit. Browsers mark
// those in Sec-Fetch-Site or Origin.
func Protect(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range Headers {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}
