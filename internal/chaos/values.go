package chaos

import (
	"errors"
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
		case "delete":
			return true, state{}
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

// values looks for an order of the operations on each key until a time.
func (s *Session) values(until int64) (bad []string, err error) {
	keys := map[string][]porcupine.Operation{}
	for _, o := range s.ops {
		write := o.Kind != "get"
		begin, end := o.Begin, o.End
		switch {
		case o.Key == "" || o.Late || o.Outcome == refused || o.Begin > until:
			continue
		case !write && (o.Outcome == unknown || o.End > until || s.doubtful(o)):
			continue
		case o.Outcome == unknown || o.End > until || s.doubtful(o):
			o.Outcome, end = unknown, never
		}
		if o.Kind == "get" {
			begin -= s.Window // what held then may still be read
		}
		keys[o.Key] = append(keys[o.Key], porcupine.Operation{Input: o, Call: begin, Return: end})
	}
	for key, ops := range keys {
		if key == counter {
			ops = counted(ops)
		} else {
			ops = told(ops)
		}
		switch porcupine.CheckOperationsTimeout(model, ops, patience) {
		case porcupine.Illegal:
			var text strings.Builder
			for _, o := range ops {
				text.WriteString("  " + o.Input.(Op).String() + "\n")
			}
			bad = append(bad, text.String())
		case porcupine.Unknown:
			err = errors.Join(err, fmt.Errorf("session %s: key %s: no verdict on %d operations within %v", s.Tag, key, len(ops), patience))
		}
	}
	slices.Sort(bad)
	return bad, err
}

// told narrows down when each operation on a text has happened; the search would else try
// every order of writes without an answer. Each text is written once. So a write came before
// the end of whatever has read it, and a read after the begin of its write. A write without
// an answer that nobody has read makes no difference.
func told(ops []porcupine.Operation) (narrow []porcupine.Operation) {
	written, read := map[string]int64{}, map[string]int64{} // begin of the write, first end of a read
	for _, op := range ops {
		o := op.Input.(Op)
		if o.Kind == "set" {
			written[o.Arg] = op.Call
		} else if first, ok := read[o.Value]; !ok || op.Return < first {
			read[o.Value] = op.Return
		}
	}
	for _, op := range ops {
		o := op.Input.(Op)
		if o.Kind == "set" {
			first, ok := read[o.Arg]
			if !ok && o.Outcome == unknown {
				continue
			}
			if ok {
				op.Return = max(min(op.Return, first), op.Call)
			}
		} else if o.Found {
			op.Call = min(max(op.Call, written[o.Value]), op.Return)
		}
		narrow = append(narrow, op)
	}
	return narrow
}

// counted does so for a number. If answers skip one, an increment without an answer made it;
// which of them makes no difference, so the first. Those beyond need not have happened.
func counted(ops []porcupine.Operation) (narrow []porcupine.Operation) {
	var lost []porcupine.Operation
	made, most := map[int]bool{}, 0
	for _, op := range ops {
		o := op.Input.(Op)
		if o.Kind == "incr" && o.Outcome == unknown {
			lost = append(lost, op)
			continue
		}
		made[o.Count] = made[o.Count] || o.Kind == "incr"
		most = max(most, o.Count)
		narrow = append(narrow, op)
	}
	for n := 1; n <= most && len(lost) > 0; n++ {
		if made[n] {
			continue
		}
		op := lost[0] // they are in the order of their begin
		o := op.Input.(Op)
		o.Outcome, o.Found, o.Count = acknowledged, true, n
		op.Input = o
		narrow, lost = append(narrow, op), lost[1:]
	}
	return narrow
}
