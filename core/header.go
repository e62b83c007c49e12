package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// writeHeader writes the carrier's lines, and the headers that say who may cache
// the response. It is called when the response begins and not before, because
// whoever sees our lines can hand them to another client (promise C7). It returns the
// lines.
func (s *Session) writeHeader() []string {
	ex := s.exchange()
	if ex == nil {
		return nil
	}
	lines := s.cookieLines()
	alone := len(lines) == 0 && s.copyNow() == copyOld // the client loses nothing without
	lines = s.withCopy(lines, alone)
	if !s.handedOut && len(lines) > 0 && s.m.carrier.write(ex, nil) > len(s.written()) {
		lines, s.setCookies = nil, nil // a touch must not undo what code inside has set
	}
	if n := s.m.carrier.write(ex, lines) - len(s.written()); n > 0 {
		s.cookieClash(n)
	}
	if len(lines) > 0 {
		if !alone {
			ex.SetResponseHeader("Cache-Control", "no-store")
		} else {
			keepPrivate(ex)
		}
		s.m.warnInsecure(s, ex)
		s.m.warnLarge(s, lines)
	}
	if s.used || s.given.Load() || len(lines) > 0 {
		addVary(ex, s.m.vary)
		if s.audience == audienceLater {
			addVary(ex, "Sec-Purpose") // it lacks flashes that the page itself would show
		}
	}
	return lines
}

// cookieLines returns the lines to write. The deletions of former cookies
// come first, for browsers that take such a cookie and ours for one.
func (s *Session) cookieLines() []string {
	if s.m.former == nil || len(s.setCookies) == 0 && !s.twice {
		return s.setCookies
	}
	var parts uint32
	if s.twice {
		parts = s.presented // the next request then has one cookie of our name
	}
	return append(s.m.former.FormerDeletions(s.setCookies, parts, s.ex.RequestHeaderLines("Cookie")), s.setCookies...)
}

// cookieClash reports lines of our carrier that are not ours.
func (s *Session) cookieClash(n int) {
	became := "passed on"
	if len(s.setCookies) > 0 {
		became = "replaced by the session's own"
	}
	s.emit(Event{Kind: EventCookieClash, Detail: fmt.Sprintf(
		"%d lines for %s that the session did not set: %s", n, s.m.scope.Name, became)})
}

// missedHeader reports a cookie that was to be set when the handler took over the
// connection, or when a response had begun past the adapter. A deletion is missed only if the session lives in the cookie. The next
// request repeats a touch.
func (s *Session) missedHeader() {
	lines := s.cookieLines()
	written := s.written()
	written = written[:min(len(lines), len(written))] // without a copy
	switch {
	case !s.handedOut, slices.Equal(lines, written):
	case s.stored:
		s.tooLate(ReasonNoCookie, "cookie of an earlier commit")
	case s.m.traits.ClientSide:
		s.tooLate(ReasonLogoutLate, "logout")
	}
}

// addVary says that the response depends on the request header name.
func addVary(ex Exchange, name string) { addToList(ex, "Vary", name, true) }

// addToList adds name to the list in a response header, unless it is there. If star is
// set, an asterisk in the list stands for all names.
func addToList(ex Exchange, header, name string, star bool) {
	list := ex.ResponseHeader(header)
	if list == "" {
		ex.SetResponseHeader(header, name)
		return
	}
	for field := range strings.SplitSeq(list, ",") {
		if field = strings.TrimSpace(field); star && field == "*" || strings.EqualFold(field, name) {
			return
		}
	}
	ex.SetResponseHeader(header, list+", "+name)
}

// warnInsecure emits, once, that the request came over plain HTTP, and no proxy says
// otherwise: browsers will not send a Secure cookie back, and anyone can read a header.
func (m *Manager) warnInsecure(s *Session, ex Exchange) {
	if m.insecure.Load() || !m.keptBack(ex) {
		return
	}
	if m.insecure.CompareAndSwap(false, true) {
		detail := "the session cookie is Secure but this request came over plain HTTP, where most browsers will not send it back"
		if m.config.Carrier != (Carrier{}) {
			detail = "a session's token was sent over plain HTTP, where others can read it"
		}
		s.emit(Event{Kind: EventInsecure, Detail: detail + ": serve HTTPS, let your proxy set X-Forwarded-Proto, " +
			"or set Config.InsecureAllowHTTP in development"})
	}
}

// largeCookie is from which length on a session's cookies are told of: the limits that
// proxies and servers have by default are near, and hold for the other headers too.
const largeCookie = 3000

// warnLarge emits, once, that lines hand out a token that is large.
func (m *Manager) warnLarge(s *Session, lines []string) {
	size := 0
	for _, line := range lines {
		if pair, _, _ := strings.Cut(line, ";"); !strings.HasSuffix(pair, "=") {
			size += len(pair)
		}
	}
	if size >= largeCookie && !m.large.Swap(true) {
		s.emit(Event{Kind: EventLargeCookie, Detail: fmt.Sprintf("the session's token has %d characters. By default nginx answers 502 to a response "+
			"with more than 4,096 bytes of headers, and Fiber 431 to such a request: raise nginx's proxy_buffer_size and Fiber's ReadBufferSize, or store less", size)})
	}
}

// CheckHeadLimit emits, once, that requests with the largest token which m may hand out
// can be refused. The limit is how many bytes of a request's head the server accepts,
// and setting names what raises it. Adapters for servers that accept little call it.
func (m *Manager) CheckHeadLimit(ctx context.Context, limit int, setting string) {
	const rest = 1 << 10 // of what browsers send besides
	largest := len(m.scope.Name) + 1 + tokenChars
	if m.traits.ClientSide {
		largest = m.carrier.largest()
	}
	if m.copies != nil {
		largest += len(m.scope.Name) + maxCopy
	}
	if largest+rest > limit && !m.narrow.Swap(true) {
		m.observe(ctx, nil, Event{Kind: EventLargeCookie, Detail: fmt.Sprintf("the session's tokens may have %d characters, and the server refuses requests "+
			"whose head has more than %d bytes, with all other headers: raise %s", largest, limit, setting)})
	}
}

// duplicate notes a request with two cookies of our name, or two tokens in our header,
// neither of which is used (promise L2). With former cookies, the answer deletes these. Without, the client is
// locked out for as long as it sends both: the second such request emits, once, what
// to do.
func (m *Manager) duplicate(v *visit) {
	if m.config.Carrier != (Carrier{}) {
		m.rejected(v, Event{Reason: ReasonDuplicate, Detail: "two tokens in " + m.vary})
		return
	}
	m.rejected(v, Event{Reason: ReasonDuplicate, Detail: "two cookies with the name " + m.scope.Name})
	v.twice = true
	if m.former == nil && m.duplicates.Add(1) == 2 {
		m.observe(v.parent(), v.request, Event{Kind: EventDuplicates, Detail: "requests keep coming with two cookies named " + m.scope.Name +
			" with different values: neither is used, so these clients cannot log in. If the cookie's Domain, Path or Partitioned was changed, " +
			"list what it was in Config.Cookie.Former; if another application on this host uses the name, give one of them another Config.Cookie.Name"})
	}
}

// keptBack reports whether most browsers withhold the cookie from a request like
// this one: it is Secure, and the request came over plain HTTP.
func (m *Manager) keptBack(ex Exchange) bool {
	return !m.config.InsecureAllowHTTP && !ex.Secure() &&
		!strings.Contains(strings.ToLower(ex.RequestHeader("X-Forwarded-Proto")), "https") &&
		!strings.Contains(strings.ToLower(ex.RequestHeader("Forwarded")), "proto=https")
}
