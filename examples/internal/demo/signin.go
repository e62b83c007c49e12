package demo

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/satchel-go/satchel/core"
)

// rejected is a form that was filled in wrongly: what was entered and what is
// wrong with it, by field. It waits in the session for the page that shows the
// form again.
type rejected struct {
	Values map[string]string
	Errors map[string]string
}

// Value returns what was entered in a field.
func (r rejected) Value(field string) string { return r.Values[field] }

// Error returns what is wrong with a field, "" if nothing is.
func (r rejected) Error(field string) string { return r.Errors[field] }

// rejectedSignIn is a typed flash: a flash message with a value of any type.
var rejectedSignIn = core.NewFlashKey[rejected]("sign-in")

// SignInPage is the form to sign in.
type SignInPage struct{ Form rejected }

func (a *App) signInPage(s *core.Session) Page {
	form, _ := rejectedSignIn.Take(s) // the zero value is an empty form
	return Page{
		Status: http.StatusOK, Framework: a.framework, Title: "Sign in", Path: "/",
		Flashes: s.Flashes(), SignIn: &SignInPage{Form: form},
	}
}

// SignIn signs in whoever enters a name.
func (a *App) SignIn(s *core.Session, form Form) string {
	name := strings.TrimSpace(form("name"))
	remember := form("remember") != ""
	if wrong := wrongName(name); wrong != "" {
		rejectedSignIn.Add(s, rejected{
			Values: map[string]string{"name": name, "remember": form("remember")},
			Errors: map[string]string{"name": wrong},
		})
		s.Flash("error", "You are not signed in yet. Please look at the form again.")
		return "/"
	}
	s.Login(name)        // a new cookie, so that nobody knows it from before
	s.Remember(remember) // outlives the browser, with longer timeouts
	s.Flash("success", "Welcome, "+name+".")
	return "/"
}

// SignOut ends the session.
func (a *App) SignOut(s *core.Session, _ Form) string {
	s.Logout() // what follows is in a new session
	s.Flash("info", "You have signed out.")
	return "/"
}

func wrongName(name string) string {
	switch {
	case name == "":
		return "Enter a name. Any will do."
	case utf8.RuneCountInString(name) > 40:
		return "Use 40 characters or fewer."
	}
	return ""
}
