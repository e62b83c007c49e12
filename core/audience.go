package core

import "strings"

// audience is who sees the response to a request (promise F1).
type audience uint8

const (
	audiencePresent audience = iota // a person, now
	audienceNone                    // nobody: HEAD requests, images, scripts and the like have no page
	audienceLater                   // perhaps a person, later: the page is fetched in advance
)

// audienceOf reads what browsers, Turbo and htmx say about a request.
func audienceOf(ex Exchange) audience {
	for _, name := range [...]string{"Sec-Purpose", "X-Sec-Purpose", "Purpose", "X-Moz"} {
		if inAdvance(ex.RequestHeader(name)) {
			return audienceLater
		}
	}
	if strings.EqualFold(ex.RequestHeader("Hx-Preloaded"), "true") { // HX-Preloaded, spelt so that looking costs nothing
		return audienceLater
	}
	if ex.Method() == "HEAD" || isPart(ex.RequestHeader("Sec-Fetch-Dest")) {
		return audienceNone
	}
	return audiencePresent
}

// inAdvance recognises "prefetch", "prefetch;prerender", "prefetch, preview" and
// the like, in any case. A mere "preview" is shown at once.
func inAdvance(purpose string) bool {
	between := func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' }
	for word := range strings.FieldsFuncSeq(purpose, between) {
		switch strings.ToLower(word) {
		case "prefetch", "preload", "prerender":
			return true
		}
	}
	return false
}

// isPart reports whether a Sec-Fetch-Dest is of something that shows no page. All
// others may: a script that fetches says "empty", and new words may be pages.
func isPart(dest string) bool {
	switch dest {
	case "audio", "font", "image", "manifest", "script", "style", "track", "video", "report",
		"worker", "serviceworker", "sharedworker", "audioworklet", "paintworklet":
		return true
	}
	return false
}

// shows reports whether a response with this status shows flashes to a person.
func (s *Session) shows(status int) bool {
	switch {
	case status >= 200 && status < 300 && status != 204 && status != 205:
	case status >= 400 && status < 500:
	default:
		return false
	}
	return s.audience == audiencePresent
}
