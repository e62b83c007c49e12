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
	cookies   string
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

func (x *exchange) RequestHeader(string) string { return "" }

func (x *exchange) RequestHeaderLines(name string) []string {
	if name != "Cookie" {
		return nil
	}
	return []string{x.cookies}
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

// jar holds a client's current cookie of ours, "" for none, and the one before.
type jar struct{ token, before string }

// take does what a browser does with a response.
func (j *jar) take(setCookie []string) {
	for _, line := range setCookie {
		token, attributes := parseCookie(line)
		if strings.Contains(attributes, "Max-Age=0;") {
			token = ""
		}
		j.put(token)
	}
}

func (j *jar) put(token string) {
	if j.token != "" {
		j.before = j.token
	}
	j.token = token
}

func parseCookie(line string) (value, attributes string) {
	pair, attributes, _ := strings.Cut(line, ";")
	_, value, _ = strings.Cut(pair, "=")
	return value, attributes
}

// header returns the Cookie header that a request carries.
func (j *jar) header(mode string) (token, header string) {
	token = j.token
	switch mode {
	case nothing:
		token = ""
	case garbage:
		token = strings.Repeat("Zm9v", 16)
	case previousOne:
		token = j.before
	case twice:
		return "", cookieName + "=" + j.token + "; " + cookieName + "=" + strings.Repeat("Zm9v", 16)
	case twiceOursLast:
		return "", cookieName + "=" + strings.Repeat("Zm9v", 16) + "; " + cookieName + "=" + j.token
	}
	if token == "" {
		return "", ""
	}
	return token, cookieName + "=" + token
}
