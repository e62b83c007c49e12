package recipes

import (
	"encoding/json"
	"html/template"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core/sessiontest"
)

func TestHTMXToasts(t *testing.T) {
	for _, f := range mounted(routes{
		"POST /save": func(c call) (int, string) {
			c.s.Flash("success", c.form("text"))
			if c.header("HX-Request") == "" {
				return 303, "/"
			}
			if v := toasts(c.s); v != "" {
				c.set("HX-Trigger", v)
			}
			return 200, "<p>saved</p>"
		},
		"POST /oob": func(c call) (int, string) {
			c.s.Flash("error", c.form("text"))
			var b strings.Builder
			if err := oobToasts.Execute(&b, c.s.Flashes()); err != nil {
				return 500, err.Error()
			}
			return 200, b.String()
		},
	}) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			sessions := sessiontest.New(t)
			client := sessions.Visitor()
			b := newBrowser(t, serve(t, f.app(sessions.Manager)), client.Jar())
			for _, text := range []string{"Saved.", `"quoted" \ back`, "two\r\nlines: X-Evil: 1", "Grüße, 世界 🙂", strings.Repeat("long ", 600), ""} {
				res := b.send("POST", "/save", "application/x-www-form-urlencoded", formOf("text", text), "HX-Request", "true")
				var got struct {
					Toasts struct {
						List []struct{ Kind, Text string }
					}
				}
				if err := json.Unmarshal([]byte(res.header.Get("HX-Trigger")), &got); err != nil || len(got.Toasts.List) != 1 || got.Toasts.List[0].Text != text || got.Toasts.List[0].Kind != "success" {
					t.Errorf("%q: %v, HX-Trigger is %.200q", text, err, res.header.Get("HX-Trigger"))
				}
				if res.header.Get("X-Evil") != "" {
					t.Error("a flash has set a header")
				}
				client.WantFlashes() // shown
			}
			b.post("/save", "text", "later").goes("/")
			client.WantFlash("success", "later")
			if res := b.post("/oob", "text", "<b>bold</b>"); !strings.Contains(res.body, template.HTMLEscapeString("<b>bold</b>")) || strings.Contains(res.body, "<b>") {
				t.Errorf("the fragment is\n%s", res.body)
			}
			client.WantFlashes()
		})
	}
}
