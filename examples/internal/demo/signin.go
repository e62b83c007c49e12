package demo

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/form"
)

// signIn is what was entered in the form to sign in.
type signIn struct {
	Name     string `form:"name"`
	Remember string `form:"remember"` // "yes" or nothing
}

// signInForm carries a form with errors to the page that shows it again.
var signInForm = form.New[signIn]("sign-in")

// SignInPage is the form to sign in.
type SignInPage struct{ Form *form.Page[signIn] }

func (a *App) signInPage(s *core.Session) Page {
	return Page{
		Status: http.StatusOK, Framework: a.framework, Title: "Sign in", Path: "/",
		Flashes: s.Flashes(), SignIn: &SignInPage{Form: signInForm.Take(s)},
	}
}

// SignIn signs in anyone who enters a name.
func (a *App) SignIn(s *core.Session, field Field) string {
	input := signIn{Name: strings.TrimSpace(field("name")), Remember: field("remember")}
	if errs := input.check(); len(errs) > 0 {
		signInForm.Fail(s, input, errs)
		s.Flash("error", "You are not signed in yet. Please look at the form again.")
		return "/"
	}
	s.Login(input.Name)                 // a new token, which nobody can know from before
	s.Remember(input.Remember == "yes") // outlives the browser, with longer timeouts
	s.Flash("success", "Welcome, "+input.Name+".")
	return "/"
}

// SignOut ends the session.
func (a *App) SignOut(s *core.Session, _ Field) string {
	s.Logout() // from here on, s is a new session
	s.Flash("info", "You have signed out.")
	return "/"
}

func (in signIn) check() (errs form.Errors) {
	switch {
	case in.Name == "":
		errs.Add("name", "Enter a name. Any will do.")
	case utf8.RuneCountInString(in.Name) > 40:
		errs.Add("name", "Use 40 characters or fewer.")
	}
	return errs
}
