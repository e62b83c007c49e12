package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// patience bounds the search for an order of one key's operations.
const patience = 20 * time.Second

// state is a key's value: a text under most keys, a number under the counter.
type state struct {
	text  string
	count int
}

// model says what each operation does to its key. An operation whose answer was lost
// has no end, so that it may come at any time, or after all others.
var model = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(at, input, _ any) (bool, any) {
		s, o := at.(state), input.(Op)
		switch o.Kind {
		case "set":
			return true, state{text: o.Arg}
		case "incr":
			s.count++
			return o.Outcome == unknown || o.Count == s.count, s
		}
		if o.Key == counter {
			return o.Found == (s.count > 0) && o.Count == s.count, s
		}
		return o.Found == (s.text != "") && o.Value == s.text, s
	},
}

// counter is the key that holds a number.
const counter = "n"

// values looks for an order of the operations on each key, while the session lives.
func (s *Session) values() (bad []string, err error) {
	keys := map[string][]porcupine.Operation{}
	texts := map[string][]string{}
	for _, o := range s.ops {
		write := o.Kind == "set" || o.Kind == "incr"
		begin, end := o.Begin, o.End
		switch {
		case o.Key == "" || o.Late || o.Outcome == refused || o.Begin > s.EndBegin:
			continue
		case !write && (o.Outcome == unknown || o.End > s.EndBegin):
			continue
		case o.Outcome == unknown || o.End > s.EndBegin:
			o.Outcome, end = unknown, never
		}
		if o.Kind == "get" {
			begin -= s.Window // what held then may still be read
		}
		keys[o.Key] = append(keys[o.Key], porcupine.Operation{Input: o, Call: begin, Return: end})
		texts[o.Key] = append(texts[o.Key], "  "+o.String())
	}
	for key, ops := range keys {
		switch porcupine.CheckOperationsTimeout(model, ops, patience) {
		case porcupine.Illegal:
			bad = append(bad, strings.Join(texts[key], "\n"))
		case porcupine.Unknown:
			err = fmt.Errorf("session %s: key %s: no verdict on %d operations within %v", s.Tag, key, len(ops), patience)
		}
	}
	slices.Sort(bad)
	return bad, err
}
