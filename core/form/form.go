// Package form carries a wrongly filled-in form across a redirect to the page
// that shows it again: what the visitor entered, and what is wrong with it.
//
//	type Signup struct {
//		Name     string `form:"name"`
//		Email    string `form:"email"`
//		Password string `form:"password" session:"-"` // never kept
//	}
//
//	var signup = form.New[Signup]("signup")
//
// The POST handler reads the form with the framework's binder, and sends the
// visitor back:
//
//	var errs form.Errors
//	if !strings.Contains(in.Email, "@") {
//		errs.Add("email", "That is no address.")
//	}
//	if len(errs) > 0 {
//		signup.Fail(s, in, errs)
//		return c.Redirect(303, "/signup")
//	}
//
// The page's handler passes signup.Take(s) to its template:
//
//	<input name="email" value="{{.Form.Value "email"}}">
//	{{with .Form.Error "email"}}<p>{{.}}</p>{{end}}
//
// Input and errors last as long as a typed flash (see [core.FlashKey]): they
// wait until a page shows them, and are gone after that. If a session has no
// room for the input, the errors are kept without it.
//
// # What is never kept
//
// Passwords and the like do not belong in a session. The following are left
// out, however deep inside T, in nested and embedded structs, pointers, slices
// and maps:
//
//   - fields tagged `session:"-"`;
//   - fields and map keys whose name suggests a secret: password, secret, token,
//     PIN, one-time code, CVC, card number and the like. Tag such a field
//     `session:"keep"` if it is not a secret. Tag a field that is only called
//     code `session:"-"` if it is one;
//   - fields that are not input, tagged `form:"-"`, and uploaded files;
//   - unexported fields, and those tagged `json:"-"`.
//
// The browser gets the rest: a field that was left out is empty when the page is
// shown again. Error texts are kept as they are.
package form

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/satchel-go/satchel/core"
)

// Form is a form whose input is a T. Make one per form, at package level. It is
// safe for concurrent use.
type Form[T any] struct {
	name   string
	plan   *typePlan
	input  core.FlashKey[string] // as JSON, whatever the session's codec
	errors core.FlashKey[Errors]
}

// New returns the form called name, which must differ from the names of other
// forms. It panics if the name is empty, or if T is not a struct whose fields can
// be kept. The panic says which field cannot, and what to do.
func New[T any](name string) *Form[T] {
	if name == "" {
		panic("satchel: form.New: the name is empty")
	}
	p, err := planOf(reflect.TypeFor[T]())
	if err != nil {
		panic(fmt.Sprintf("satchel: form.New(%q): %v", name, err))
	}
	return &Form[T]{
		name: name, plan: p,
		// Two flashes, the input first: when room is short, the oldest are dropped.
		input:  core.NewFlashKey[string]("form:" + name),
		errors: core.NewFlashKey[Errors]("form errors:" + name),
	}
}

// Fail keeps input, without what is never kept, and errs for the next page that
// takes them. errs may also use the fields' names in Go. Input that cannot be
// encoded, such as a time in the year 12000, is left out.
func (f *Form[T]) Fail(s *core.Session, input T, errs Errors) {
	kept := f.kept(input)
	text, err := json.Marshal(&kept) // by its address, for methods with pointer receivers
	if err != nil {
		text = []byte("{}") // what a visitor types is no reason to fail the commit
	}
	f.input.Add(s, string(text))
	f.errors.Add(s, f.renamed(errs))
}

// Take returns the page with what the last Fail kept, and marks that and whatever
// earlier calls kept as read. If there is nothing, it returns the page of an
// empty form, never nil.
func (f *Form[T]) Take(s *core.Session) *Page[T] {
	p := &Page[T]{form: f}
	for {
		errs, ok := f.errors.Take(s)
		if !ok {
			break
		}
		p.errs, p.failed = errs, true
	}
	for {
		text, ok := f.input.Take(s)
		if !ok {
			break
		}
		var input T
		if err := json.Unmarshal([]byte(text), &input); err != nil {
			var none T
			input = none // written by another version of the application
		}
		p.Input = f.kept(input) // a field may have become a secret since
	}
	return p
}

// Page returns the page of a form without a redirect, for an immediate answer or
// to edit existing data.
func (f *Form[T]) Page(input T, errs Errors) *Page[T] {
	return &Page[T]{Input: f.kept(input), form: f, errs: f.renamed(errs), failed: len(errs) > 0}
}

// kept returns a copy of input without what is never kept.
func (f *Form[T]) kept(input T) T {
	new(stripper).strip(f.plan, reflect.ValueOf(&input).Elem(), 0)
	return input
}

// renamed returns errs with the fields' names in the form.
func (f *Form[T]) renamed(errs Errors) Errors {
	list := make(Errors, len(errs))
	for i, e := range errs {
		list[i] = Error{Field: f.plan.formName(e.Field), Text: e.Text}
	}
	return list
}
