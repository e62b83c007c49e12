package modeltest

import (
	"context"
	"slices"
	"strings"

	"github.com/satchel-go/satchel/core"
)

const cookieName = "__Host-session"

// exchange is a request and its response, in memory.
type exchange struct {
	slot      core.Slot
	ctx       context.Context
	method    string
	says      string // another header, "Name: value"
	carrier   core.Carrier
	lines     []string // of the carrier's header
	copied    string   // the client's copy, besides
	response  map[string]string
	setCookie []string
	reset     bool // everything that the handler had prepared was dropped
}

// load loads the session as an adapter does.
func (x *exchange) load(m *core.Manager) (*core.Session, error) {
	err := x.slot.Load(m, x)
	return x.slot.Session(), err
}

func (x *exchange) Context() context.Context { return x.ctx }

func (x *exchange) Method() string { return x.method }

func (x *exchange) Secure() bool { return true }

func (x *exchange) RemoteIP() string { return "192.0.2.1" }

func (x *exchange) RequestPath() string { return "/" }

func (x *exchange) RequestHeader(name string) string {
	if said, value, _ := strings.Cut(x.says, ": "); said == name {
		return value
	}
	return ""
}

func (x *exchange) RequestHeaderLines(name string) []string {
	if !strings.EqualFold(name, x.carrier.String()) {
		return nil
	}
	if x.copied != "" {
		return append(slices.Clone(x.lines), copyName+"="+x.copied)
	}
	return x.lines
}

func (x *exchange) ResponseHeader(name string) string { return x.response[name] }

func (x *exchange) SetResponseHeader(name, value string) { x.response[name] = value }

func (x *exchange) ResetResponse() {
	clear(x.response)
	x.setCookie, x.reset = nil, true
}

func (x *exchange) ReplaceSetCookies(lines []string, ours func(string) bool) int {
	before := len(x.setCookie)
	others := slices.DeleteFunc(slices.Clone(x.setCookie), ours)
	if len(lines) > 0 {
		x.setCookie = append(slices.Clone(others), lines...)
	}
	return before - len(others)
}

// answer is what a response says about its client's token: another one, or none.
type answer struct{ token, attributes string }

// answers returns what the response says in the carrier's header.
func (x *exchange) answers() (found []answer) {
	found = x.cookies(cookieName)
	for name, value := range x.response {
		if x.carrier.Answers(name) {
			found = append(found, answer{token: value})
		}
	}
	return found
}

// copies returns what it says about the client's copy.
func (x *exchange) copies() []answer { return x.cookies(copyName) }

func (x *exchange) cookies(name string) (found []answer) {
	for _, line := range x.setCookie {
		if other, a := parseCookie(line); other == name {
			found = append(found, a)
		}
	}
	return found
}

// parseCookie returns what a Set-Cookie line says. The token is empty if it deletes the cookie.
func parseCookie(line string) (name string, a answer) {
	pair, attributes, _ := strings.Cut(line, ";")
	name, token, _ := strings.Cut(pair, "=")
	if strings.Contains(attributes, "Max-Age=0;") {
		token = ""
	}
	return name, answer{token, attributes}
}

// jar holds a client's current token, "" for none, the one before, and a copy of the session.
type jar struct{ token, before, copied string }

// take does what a client does with a response.
func (j *jar) take(x *exchange) {
	for _, c := range x.copies() {
		j.copied = c.token
	}
	for _, a := range x.answers() {
		if j.token != "" {
			j.before = j.token
		}
		j.token = a.token
	}
}

// tokens returns what a request carries.
func (j *jar) tokens(mode string) []string {
	garbled := strings.Repeat("Zm9v", 16)
	token := j.token
	switch mode {
	case nothing:
		token = ""
	case garbage:
		token = garbled
	case previousOne:
		token = j.before
	case twice:
		return []string{j.token, garbled}
	case twiceOursLast:
		return []string{garbled, j.token}
	}
	if token == "" {
		return nil
	}
	return []string{token}
}

// carry returns the lines with tokens in c's header.
func carry(c core.Carrier, tokens ...string) (lines []string) {
	for _, token := range tokens {
		switch c {
		case core.Carrier{}:
			token = cookieName + "=" + token
		case core.Bearer:
			token = "Bearer " + token
		}
		lines = append(lines, token)
	}
	if c == (core.Carrier{}) && len(lines) > 0 {
		return []string{strings.Join(lines, "; ")}
	}
	return lines
}
