package recipes

import (
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/satchel-go/satchel/core"
)

//recipe:shared

// Message is a flash in no language: a key of your catalogue, and what to put in.
type Message struct {
	Kind string
	Key  string
	Args []string
}

// notice is a flash of this type. Later keys must keep their meaning as long as a flash may
// wait, Config.FlashLifetime.
var notice = core.NewFlashKey[Message]("notice")

// notices returns the waiting messages in the language of the page that shows them, which
// need not be that of the request that left them.
func notices(s *core.Session, acceptLanguage string) []core.Flash {
	p := message.NewPrinter(message.MatchLanguage(acceptLanguage, language.English.String()))
	var out []core.Flash
	for m, ok := notice.Take(s); ok; m, ok = notice.Take(s) {
		args := make([]any, len(m.Args))
		for i, a := range m.Args {
			args[i] = a
		}
		out = append(out, core.Flash{Kind: m.Kind, Text: p.Sprintf(message.Key(m.Key, m.Key), args...)})
	}
	return out
}

//recipe:end
