package recipes

import (
	"encoding/json"
	"html/template"
	"strings"
	"unicode/utf16"

	"github.com/satchel-go/satchel/core"
)

//recipe:trigger

// toasts returns the value of HX-Trigger that shows the waiting flashes, "" if there are
// none. Call it before you write, with request header HX-Request set and no redirect
// (a status below 300, and neither HX-Redirect, HX-Location nor HX-Refresh): htmx
// ignores the header of those, and the next page shows the flashes.
func toasts(s *core.Session) string {
	flashes := s.Flashes()
	if len(flashes) == 0 {
		return ""
	}
	list := make([]map[string]string, len(flashes))
	for i, f := range flashes {
		list[i] = map[string]string{"kind": f.Kind, "text": f.Text}
	}
	data, err := json.Marshal(map[string]any{"toasts": map[string]any{"list": list}})
	if err != nil {
		return "" // strings always encode
	}
	return ascii(string(data))
}

// ascii writes JSON without the characters that a header cannot carry.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			const hex = "0123456789abcdef"
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(hex[unit>>shift&15])
			}
		}
	}
	return b.String()
}

//recipe:end

//recipe:oob

// oobToasts is for more text than fits a header: add it to the fragment of any response.
var oobToasts = template.Must(template.New("").Parse(`<div id="toasts" hx-swap-oob="beforeend">
{{range .}}<p class="toast {{.Kind}}" role="status">{{.Text}}</p>
{{end}}</div>
`))

//recipe:end
