// Package page has the HTML page that all the demo applications show.
package page

import (
	_ "embed"
	"html/template"

	"github.com/satchel-go/satchel/core"
)

// Data is what the page shows. The template escapes all of it, flash messages
// and names included.
type Data struct {
	Framework string
	User      string // "" shows the form to sign in
	Visits    int
	Flashes   []core.Flash
}

//go:embed page.html
var source string

// Template is the page. It is called "page", and executes with a [Data].
var Template = template.Must(template.New("page").Parse(source))
