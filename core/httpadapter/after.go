package httpadapter

import (
	"maps"
	"net/http"
	"slices"
)

// after is the header that handlers see once the response has begun and hands out the
// session's token. A cache inside the middleware that asks what was sent must not
// get that token, or it would hand it to other clients (promise C7).
type after struct {
	ours   func(line string) bool // nil unless the response sets the session's cookie
	hidden []string               // the headers with the session's token, if it is in no cookie
	shown  http.Header            // what handlers see, and may change; nil until they ask
	before http.Header            // shown, as it was before they changed it
}

const setCookie = "Set-Cookie"

// hides reports whether the response has something that handlers must not see.
func (a *after) hides() bool { return a.ours != nil || len(a.hidden) > 0 }

// header returns the header for handlers, made of the real one.
func (a *after) header(real http.Header) http.Header {
	if a.shown == nil {
		a.before = maps.Clone(real)
		for name, lines := range a.before {
			a.before[name] = slices.Clip(lines) // so that adding a line changes the slice
		}
		if a.ours != nil {
			a.without(a.before)
		}
		for _, name := range a.hidden {
			delete(a.before, name)
		}
		a.shown = maps.Clone(a.before)
	}
	return a.shown
}

// without removes the session's cookie from h.
func (a *after) without(h http.Header) {
	lines := slices.DeleteFunc(slices.Clone(h[setCookie]), a.ours)
	if len(lines) == 0 {
		delete(h, setCookie)
		return
	}
	h[setCookie] = lines
}

// carryOver makes the changes that handlers have made since in w's header: they
// may be trailers, and a writer outside may not have sent the header yet.
func (a *after) carryOver(w http.ResponseWriter) {
	if a.shown == nil {
		return
	}
	real := w.Header()
	for name, lines := range a.shown {
		switch was, ok := a.before[name]; {
		case ok && slices.Equal(was, lines), slices.Contains(a.hidden, name):
		case name == setCookie && a.ours != nil:
			theirs := slices.DeleteFunc(slices.Clone(lines), a.ours)
			real[name] = append(theirs, slices.DeleteFunc(slices.Clone(real[name]), a.others)...)
		default:
			real[name] = lines
		}
	}
	for name := range a.before {
		if _, ok := a.shown[name]; ok {
			continue
		}
		if name == setCookie && a.ours != nil {
			real[name] = slices.DeleteFunc(slices.Clone(real[name]), a.others)
		} else {
			delete(real, name)
		}
	}
}

func (a *after) others(line string) bool { return !a.ours(line) }
