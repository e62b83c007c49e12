package main

import (
	"html/template"
	"net/http"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
)

func addFlash(r adaptertest.Request) error {
	p := params{r: r}
	kind, text, to := p.text("kind"), p.text("text"), p.path("to")
	if p.err != nil {
		return p.err
	}
	r.Session().Flash(kind, text)
	if to != "" {
		return r.Redirect(http.StatusSeeOther, to)
	}
	return r.Status(http.StatusNoContent)
}

func flashes(r adaptertest.Request) error {
	p := params{r: r}
	kinds, peek, keep, status, to := p.kinds(), p.on("peek"), p.on("keep"), p.status(), p.path("to")
	if p.err != nil {
		return p.err
	}
	s := r.Session()
	read := s.Flashes
	if peek {
		read = s.PeekFlashes
	}
	found := read(kinds...)
	if keep {
		s.KeepFlashes(kinds...)
	}
	if to != "" {
		return r.Redirect(http.StatusSeeOther, to)
	}
	if found == nil {
		found = []core.Flash{} // [] and not null
	}
	return answer(r, status, found)
}

// pageTemplate reads the flashes while it runs, when the header may already be sent.
var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Probe</title>
<h1>Probe</h1>
<ul>
{{- range .Flashes}}
<li class="{{.Kind}}">{{.Text}}</li>
{{- end}}
</ul>
</html>
`))

func page(r adaptertest.Request) error { return r.Template(pageTemplate, r.Session()) }
