package adaptertest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// The names of the headers that carry tokens with [core.Bearer].
const (
	answerHeader = "Session-Token"
	touchAnswer  = answerHeader + "-Touch"
)

// Bearer is [Memory] with tokens in headers, as [core.Bearer] has them. The suite's
// clients then keep what they get in headers and send it in Authorization; cases that
// are about cookies alone are left out.
func Bearer() Backend {
	b := Memory()
	b.Name, b.Carrier = "bearer", core.Bearer
	return b
}

// inHeader reports whether tokens travel in headers.
func (h *harness) inHeader() bool { return h.carrier != core.Carrier{} }

// line returns the header line with which a client presents token.
func (h *harness) line(token string) string {
	if h.inHeader() {
		return "Authorization: Bearer " + token
	}
	return "Cookie: " + cookieName + "=" + token
}

// twoOf returns the header lines of a request with two tokens.
func (h *harness) twoOf(a, b string) []string {
	if h.inHeader() {
		return []string{h.line(a), h.line(b)}
	}
	return []string{h.line(a) + "; " + cookieName + "=" + b}
}

// vary returns the request header on which answers depend.
func (h *harness) vary() string {
	if h.inHeader() {
		return "Authorization"
	}
	return "Cookie"
}

// lines returns what the client presents, as header lines.
func (c *client) lines() string {
	var lines strings.Builder
	for name, value := range c.presented() {
		fmt.Fprintf(&lines, "%s: %s\r\n", name, value)
	}
	return lines.String()
}

// presented returns the headers with which the client presents its tokens and cookies.
func (c *client) presented() map[string]string {
	headers := map[string]string{}
	if cookies := c.cookieHeader(); cookies != "" {
		headers["Cookie"] = cookies
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.inHeader() {
		return headers
	}
	if token, ok := c.jar[cookieName]; ok {
		headers["Authorization"] = "Bearer " + token
	}
	if touch, ok := c.jar[touchName]; ok {
		headers[touchAnswer] = touch
	}
	return headers
}

// keepHeaders puts the tokens in an answer's headers into the jar, as if they were
// cookies, and checks what holds for every answer (promise C7).
func (c *client) keepHeaders(header http.Header) {
	for name, kept := range map[string]string{answerHeader: cookieName, touchAnswer: touchName} {
		values := header.Values(name)
		if len(values) == 0 {
			continue
		}
		if len(values) > 1 {
			c.Errorf("%d lines of %s: %q", len(values), name, values)
		}
		if name == answerHeader {
			delete(c.jar, touchName) // which was the old token's
		}
		if c.jar[kept] = values[0]; values[0] == "" {
			delete(c.jar, kept)
		}
		if header.Get("Cache-Control") != "no-store" {
			c.Errorf("%s with Cache-Control %q, want no-store", name, header.Get("Cache-Control"))
		}
	}
	for _, line := range header.Values("Set-Cookie") {
		if strings.HasPrefix(line, cookieName) {
			c.Errorf("tokens travel in headers, and the answer has Set-Cookie %q", line)
		}
	}
}
