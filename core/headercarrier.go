package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core/internal/cookie"
)

// headerCarrier carries tokens in headers.
type headerCarrier struct {
	Carrier
	touch  string // the touch's header, in requests and in answers
	longer int    // than any token
}

func newHeaderCarrier(c Carrier, longest int) *headerCarrier {
	return &headerCarrier{Carrier: c, touch: c.answer + touchHeader, longer: longest + 1}
}

// read parses the header's lines as they arrived. Which of two tokens counts would
// depend on the framework and on proxies, so then none does (promise L2).
func (h *headerCarrier) read(ex Exchange) (found cookie.Presented) {
	lines := ex.RequestHeaderLines(h.request)
	if h.request == authorization {
		found = bearer(lines, h.longer)
	} else {
		found = plain(lines, h.longer)
	}
	if found.Verdict != cookie.OK {
		return found
	}
	if touches := ex.RequestHeaderLines(h.touch); len(touches) > 0 {
		found.Parts |= cookie.SecondBit
		touch := touches[0]
		another := slices.ContainsFunc(touches, func(line string) bool { return line != touch })
		if !another && len(touch) < h.longer && isHeaderToken(touch) {
			found.Second = touch
		}
	}
	return found
}

// bearer reads the lines of an Authorization header (RFC 6750 section 2.1). Other
// schemes are not ours. A folded line has arrived with a blank where it was folded.
func bearer(lines []string, longer int) (found cookie.Presented) {
	for _, line := range lines {
		scheme, rest := trimBlanks(line), ""
		if i := strings.IndexAny(scheme, " \t,"); i >= 0 {
			scheme, rest = scheme[:i], scheme[i:]
		}
		switch {
		case len(scheme) != len("Bearer") || !strings.EqualFold(scheme, "Bearer"):
		case len(lines) > 1:
			return cookie.Presented{Verdict: cookie.Duplicate, Parts: 1}
		default:
			return oneToken(strings.TrimLeft(rest, " "), longer)
		}
	}
	return found
}

// plain reads the lines of a header that consists of the token.
func plain(lines []string, longer int) (found cookie.Presented) {
	switch len(lines) {
	case 0:
		return found
	case 1:
		return oneToken(trimBlanks(lines[0]), longer)
	}
	return cookie.Presented{Verdict: cookie.Duplicate, Parts: 1}
}

// oneToken reads the rest of a line, which is a token and nothing else.
func oneToken(value string, longer int) cookie.Presented {
	found := cookie.Presented{Verdict: cookie.Malformed, Parts: 1}
	switch {
	case len(value) >= longer:
	case isHeaderToken(value):
		found.Verdict, found.Token = cookie.OK, value
	default:
		// Proxies join the lines of a header with commas.
		if i := strings.IndexAny(value, " ,"); i > 0 && isHeaderToken(value[:i]) {
			found.Verdict = cookie.Duplicate
		}
	}
	return found
}

// trimBlanks removes the blanks that HTTP allows around a header's value.
func trimBlanks(s string) string { return strings.Trim(s, " \t") }

// inHeaderToken are the bytes of a token before the equals signs at its end.
var inHeaderToken = func() (in [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		in[c] = true
	}
	return in
}()

// isHeaderToken reports whether s is a token of RFC 6750 section 2.1.
func isHeaderToken(s string) bool {
	end := len(s)
	for end > 0 && s[end-1] == '=' {
		end--
	}
	for i := range end {
		if !inHeaderToken[s[i]] {
			return false
		}
	}
	return end > 0
}

func (h *headerCarrier) tokenLines(token string, _ uint32, _, _ time.Time) ([]string, error) {
	switch {
	case len(token) >= h.longer:
		return nil, &SizeError{Total: len(token), Limit: h.longer - 1}
	case !isHeaderToken(token):
		return nil, fmt.Errorf("core: the backend's token has characters that no token in a header may have (RFC 6750 section 2.1): %w", ErrUnsupported)
	}
	return []string{headerLine(h.answer, token)}, nil
}

func (h *headerCarrier) secondLine(touch string, _, _ time.Time) (string, bool) {
	return headerLine(h.touch, touch), len(touch) < h.longer && isHeaderToken(touch)
}

// deletions implements carrier. A touch is worthless without its token.
func (h *headerCarrier) deletions(presented uint32) []string {
	if presented == 0 {
		return nil // the client has nothing to forget
	}
	return []string{headerLine(h.answer, "")}
}

func headerLine(name, value string) string { return name + ": " + value }

// issued returns the token in lines, or "".
func (h *headerCarrier) issued(lines []string) string {
	for _, line := range lines {
		if name, value, _ := strings.Cut(line, ": "); name == h.answer {
			return value
		}
	}
	return ""
}

// write implements carrier. The answer to a script of another origin says that the
// script may read the header, whatever its CORS middleware has said before.
func (h *headerCarrier) write(ex Exchange, lines []string) (matched int) {
	for _, name := range [...]string{h.answer, h.touch} {
		if ex.ResponseHeader(name) != "" {
			matched++
		}
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		ex.SetResponseHeader(name, value)
		if ex.RequestHeader("Origin") != "" {
			credentials := strings.EqualFold(ex.ResponseHeader("Access-Control-Allow-Credentials"), "true")
			addToList(ex, "Access-Control-Expose-Headers", name, !credentials)
		}
	}
	return matched
}

func (h *headerCarrier) capacity() int { return h.longer - 1 }

// largest counts a touch with the token. One of package jwtsealer has up to 750 characters.
func (h *headerCarrier) largest() int { return len(h.request) + len(h.touch) + h.longer + 800 }

func (h *headerCarrier) names() (scope, header, touch string) {
	return "header:" + strings.ToLower(h.request), h.request, "header " + h.touch
}

// Carrier returns how the tokens of the session's Manager travel. Requests whose
// session came in a header need no protection against cross-site request forgery:
//
//	if s.Carrier() == (core.Carrier{}) && !validCSRFToken(r) { … }
func (s *Session) Carrier() Carrier { return s.m.config.Carrier }

// IssuedToken returns the token that this request's [Session.Commit] has made, for
// clients that read it from the body of an answer rather than from its header, which
// has it too. It returns "" before the commit, if the client keeps its token, and
// always with cookies: no script may see their tokens (promise E1).
func (s *Session) IssuedToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.m.carrier.(*headerCarrier); ok {
		return h.issued(s.setCookies)
	}
	return ""
}

// Challenge returns what the header WWW-Authenticate of a 401 says, with [Bearer]:
// whether the request has presented a token that gave no session. It does not say why.
// With other carriers it returns "": there is no scheme for them.
func (s *Session) Challenge() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.m.config.Carrier.request != authorization:
		return ""
	case s.fruitless:
		return `Bearer error="invalid_token"`
	}
	return "Bearer"
}
