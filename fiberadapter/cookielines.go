package fiberadapter

import (
	"bytes"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
)

// CookieLines implements [core.Exchange]. It reads the header as it arrived:
// any call of c.Cookies makes fasthttp rewrite what its own methods return, and Peek
// sees one line of several. Without a cookie it allocates nothing.
func (x *exchange) CookieLines() []string {
	h := &x.c.Request().Header
	if raw := h.RawHeaders(); len(raw) > 0 {
		return rawCookieLines(raw)
	}
	// A request that was not parsed but made: by a test, or by the adaptor
	// middleware, from a request of net/http.
	var lines []string
	for _, line := range h.PeekAll(fiber.HeaderCookie) {
		lines = append(lines, string(line))
	}
	return lines
}

// rawCookieLines returns copies of the values of all Cookie lines. A folded
// line (obs-fold) is joined by one blank, as net/http does.
func rawCookieLines(raw []byte) (lines []string) {
	folding := false
	for len(raw) > 0 {
		line := raw
		if end := bytes.IndexByte(raw, '\n'); end >= 0 {
			line, raw = raw[:end], raw[end+1:]
		} else {
			raw = nil
		}
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			if folding {
				lines[len(lines)-1] += " " + string(trimBlanks(line))
			}
			continue
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		// Without the length, the Kelvin sign would do for the letter k.
		if folding = ok && len(name) == len(fiber.HeaderCookie) && strings.EqualFold(utils.UnsafeString(name), fiber.HeaderCookie); folding {
			lines = append(lines, string(trimBlanks(value)))
		}
	}
	return lines
}

func trimBlanks(b []byte) []byte { return bytes.Trim(b, " \t\r") }
