package fiberv3adapter

import (
	"bytes"
	"strings"

	"github.com/gofiber/utils/v2"
)

// RequestHeaderLines implements [core.Exchange]. It reads the header as it
// arrived: fasthttp's Peek sees only one of several lines, and a call of c.Cookies
// rewrites the Cookie header. Without such a line it allocates nothing.
func (x *exchange) RequestHeaderLines(name string) []string {
	h := &x.c.Request().Header
	if raw := h.RawHeaders(); len(raw) > 0 {
		return rawLines(raw, name)
	}
	// The request was not parsed but built, by a test or by the adaptor middleware
	// from a net/http request.
	var lines []string
	for _, line := range h.PeekAll(name) {
		lines = append(lines, string(line))
	}
	return lines
}

// rawLines returns copies of the values of all lines of one header. It joins a
// folded line (obs-fold) with one space, as net/http does.
func rawLines(raw []byte, header string) (lines []string) {
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
		// Without the check of the length, the Kelvin sign would pass for the letter k.
		if folding = ok && len(name) == len(header) && strings.EqualFold(utils.UnsafeString(name), header); folding {
			lines = append(lines, string(trimBlanks(value)))
		}
	}
	return lines
}

func trimBlanks(b []byte) []byte { return bytes.Trim(b, " \t\r") }
