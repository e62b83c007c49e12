package core

import (
	"strconv"
	"strings"
)

// partNames are the names of the cookies that a token may be split over:
// NAME, NAME-1, NAME-2 and so on.
type partNames struct{ names [maxParts]string }

func newPartNames(name string) *partNames {
	p := new(partNames)
	p.names[0] = name
	for i := 1; i < maxParts; i++ {
		p.names[i] = name + "-" + strconv.Itoa(i)
	}
	return p
}

// index returns which part is called name. Names match octet for octet: an
// encoded name, another case or a look-alike is not ours (RFC 6265bis 8.6).
func (p *partNames) index(name string) (int, bool) {
	if name == p.names[0] {
		return 0, true
	}
	if len(name) > len(p.names[0])+len("-19") {
		return 0, false
	}
	for i := 1; i < maxParts; i++ {
		if p.names[i] == name {
			return i, true
		}
	}
	return 0, false
}

type verdict uint8

const (
	tokenAbsent    verdict = iota // no cookie of our name
	tokenOK                       // one value that may be a token
	tokenMalformed                // something that no Manager has issued
	tokenDuplicate                // two different values: neither is used (promise L2)
)

// presented is what a request's Cookie header has of ours.
type presented struct {
	verdict verdict
	token   string
	parts   uint32 // bit n: the part number n is there
}

// maxCookieHeader bounds what is searched. Servers refuse larger headers long before,
// or should.
const maxCookieHeader = 256 << 10

// findToken reads the Cookie header strictly (RFC 6265 section 4.2.1): pairs
// between semicolons, blanks around them dropped, values taken as they are. It
// allocates nothing unless the token is split.
func findToken(lines []string, names *partNames) (found presented) {
	var values [maxParts]string
	duplicate := false
	total := 0
	for _, line := range lines {
		if total += len(line); total > maxCookieHeader {
			return presented{verdict: tokenMalformed}
		}
		for rest, more := line, line != ""; more; {
			var pair string
			pair, rest, more = strings.Cut(rest, ";")
			pair = trim(pair)
			if !strings.HasPrefix(pair, names.names[0]) { // most are not ours
				continue
			}
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				continue
			}
			i, ours := names.index(trim(name))
			if !ours {
				continue
			}
			value = trim(value)
			if found.parts&(1<<i) != 0 && values[i] != value {
				duplicate = true
			}
			found.parts |= 1 << i
			values[i] = value
		}
	}
	switch {
	case found.parts&1 == 0:
		found.verdict = tokenAbsent
	case duplicate:
		found.verdict = tokenDuplicate
	default:
		found.token, found.verdict = assemble(&values, found.parts)
	}
	return found
}

// trim drops the blanks that HTTP allows around names and values, and no others.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// assemble puts a split token together, whole or not at all.
func assemble(values *[maxParts]string, parts uint32) (string, verdict) {
	first := values[0]
	if !isValue(first) {
		return "", tokenMalformed
	}
	if first[0] != '~' {
		return first, tokenOK
	}
	digits, head, ok := strings.Cut(first[1:], "~")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || strconv.Itoa(n) != digits || n < 2 || n > maxParts {
		return "", tokenMalformed
	}
	size := len(head)
	for i := 1; i < n; i++ {
		if parts&(1<<i) == 0 || !isValue(values[i]) {
			return "", tokenMalformed
		}
		size += len(values[i])
	}
	var token strings.Builder
	token.Grow(size)
	token.WriteString(head)
	for i := 1; i < n; i++ {
		token.WriteString(values[i])
	}
	return token.String(), tokenOK
}

// isValue reports whether s consists of characters that a cookie value may
// have unquoted (RFC 6265 section 4.1.1).
func isValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\' {
			return false
		}
	}
	return s != ""
}
