package core

import "strings"

// writeHeader writes what the client must know: our cookie lines, and who may cache the response.
func (s *Session) writeHeader() {
	ex := s.ex
	if ex == nil {
		return
	}
	if s.unset && s.nextLines == nil {
		// A logout, and nothing new was stored: the client's cookie goes.
		s.setLines(s.m.cookies.deletions(nil, s.presented))
	}
	s.unset = false // said once: what a later commit of this request stores stays
	if s.nextLines != nil {
		for i := range max(len(s.lines), len(s.nextLines)) {
			ex.ReplaceSetCookie(lineAt(s.lines, i), lineAt(s.nextLines, i))
		}
		s.lines, s.nextLines = s.nextLines, nil
	} else {
		for _, line := range s.lines { // the handler may have cleared the header since
			ex.ReplaceSetCookie(line, line)
		}
	}
	if len(s.lines) > 0 {
		ex.SetResponseHeader("Cache-Control", "no-store")
		s.m.warnInsecure(s, ex)
	}
	if s.used || s.given.Load() || len(s.lines) > 0 {
		addVary(ex)
	}
}

func (s *Session) setLines(lines []string) {
	if lines == nil {
		lines = []string{}
	}
	s.nextLines = lines
}

func lineAt(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// addVary says that the response depends on the Cookie header.
func addVary(ex Exchange) {
	vary := ex.ResponseHeader("Vary")
	if vary == "" {
		ex.SetResponseHeader("Vary", "Cookie")
		return
	}
	for field := range strings.SplitSeq(vary, ",") {
		if field = strings.TrimSpace(field); field == "*" || strings.EqualFold(field, "Cookie") {
			return
		}
	}
	ex.SetResponseHeader("Vary", vary+", Cookie")
}

// warnInsecure tells, once, that browsers will not send the cookie back: it is
// Secure, and the request came over plain HTTP and through no proxy that says otherwise.
func (m *Manager) warnInsecure(s *Session, ex Exchange) {
	if m.insecure.Load() || !m.keptBack(ex) {
		return
	}
	if m.insecure.CompareAndSwap(false, true) {
		s.tell(Event{Kind: EventInsecure, Detail: "the session cookie is Secure but this request came over plain HTTP, " +
			"where most browsers will not send it back: serve HTTPS, let your proxy set X-Forwarded-Proto, " +
			"or set Config.InsecureAllowHTTP in development"})
	}
}

// keptBack reports whether most browsers keep the cookie back on a request
// like this one: it is Secure, and the request came over plain HTTP.
func (m *Manager) keptBack(ex Exchange) bool {
	return !m.config.InsecureAllowHTTP && !ex.Secure() &&
		!strings.Contains(strings.ToLower(ex.RequestHeader("X-Forwarded-Proto")), "https") &&
		!strings.Contains(strings.ToLower(ex.RequestHeader("Forwarded")), "proto=https")
}
