package recipes

import (
	"testing"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/satchel-go/satchel/core/sessiontest"
)

func TestTranslatedFlashes(t *testing.T) {
	for lang, text := range map[language.Tag]string{language.German: "%s ist gespeichert.", language.English: "%s is saved."} {
		if err := message.SetString(lang, "saved", text); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range mounted(routes{
		"POST /save": func(c call) (int, string) {
			notice.Add(c.s, Message{"success", "saved", []string{c.form("name")}})
			notice.Add(c.s, Message{"info", "no such key", nil})
			return 303, "/page"
		},
		"GET /page": func(c call) (int, string) {
			text := ""
			for _, m := range notices(c.s, c.header("Accept-Language")) {
				text += m.Kind + ": " + m.Text + "\n"
			}
			return 200, text
		},
	}) {
		t.Run(f.name, func(t *testing.T) {
			b := newBrowser(t, serve(t, f.app(sessiontest.New(t).Manager)), nil)
			for lang, want := range map[string]string{"de-AT,en;q=0.5": "Das 100%-Dokument ist gespeichert.", "en": "Das 100%-Dokument is saved.", "nonsense": "Das 100%-Dokument is saved.", "": "Das 100%-Dokument is saved."} {
				b.post("/save", "name", "Das 100%-Dokument").goes("/page")
				if got := b.send("GET", "/page", "", "", "Accept-Language", lang).body; got != "success: "+want+"\ninfo: no such key\n" {
					t.Errorf("%q: %s", lang, got)
				}
				if got := b.get("/page").body; got != "" {
					t.Errorf("shown again: %s", got)
				}
			}
		})
	}
}
