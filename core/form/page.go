package form

import (
	"fmt"
	"slices"
)

// Error is what is wrong with one field, or with the form as a whole.
type Error struct {
	Field string // its name in the form, "" for the whole form
	Text  string // for the visitor; escape it like any other data
}

// Errors are what is wrong with a form, in the order in which a page lists it.
// The zero value is none.
type Errors []Error

// Add adds what is wrong with a field, or with the whole form if field is "".
func (e *Errors) Add(field, text string) { *e = append(*e, Error{Field: field, Text: text}) }

// Page is a form as shown on a page, empty or filled in. Its methods are for
// templates.
type Page[T any] struct {
	// Input is what was entered, without what is never kept. If nothing was, it is
	// the zero T.
	Input T

	form   *Form[T]
	errs   Errors
	failed bool
}

// Failed reports whether the form was filled in wrongly.
func (p *Page[T]) Failed() bool { return p.failed }

// Errors returns all errors, in the order in which they were added.
func (p *Page[T]) Errors() Errors { return p.errs }

// Error returns the first error of a field, or "" if there is none. It takes any
// name that Value takes.
func (p *Page[T]) Error(field string) string {
	for _, e := range p.errs {
		if p.form.plan.same(e.Field, field) {
			return e.Text
		}
	}
	return ""
}

// General returns the errors that belong to no field.
func (p *Page[T]) General() []string {
	var texts []string
	for _, e := range p.errs {
		if e.Field == "" {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// Value returns what was entered in the field with this name in the form, as
// text for the value attribute of an input. If there are several values, it
// returns the first; for an empty form, "".
//
// A nested struct's fields can be named alone or with a path, those in slices
// and maps only with one: "city", "address.city", "items[0].name". A name that
// the form does not have is an error, which ends the template.
func (p *Page[T]) Value(field string) (string, error) {
	texts, err := p.Values(field)
	if len(texts) == 0 {
		return "", err
	}
	return texts[0], err
}

// Values returns everything that was entered in a field, as text.
func (p *Page[T]) Values(field string) ([]string, error) {
	texts, err := p.form.plan.texts(p.Input, field)
	if err != nil {
		return nil, fmt.Errorf("form %s: %w", p.form.name, err)
	}
	return texts, nil
}

// Is reports whether value was entered in a field, alone or among others. It is
// for the checked and selected attributes of check boxes, radio buttons and
// options.
//
//	<option {{if .Form.Is "colour" "red"}}selected{{end}}>red</option>
func (p *Page[T]) Is(field, value string) (bool, error) {
	texts, err := p.Values(field)
	return slices.Contains(texts, value), err
}
