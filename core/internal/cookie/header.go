package cookie

import (
	"strconv"
	"strings"
)

// Verdict says what a Cookie header contains under a cookie's name.
type Verdict uint8

// The verdicts.
const (
	Absent    Verdict = iota // no cookie of this name
	OK                       // one value that may be a token
	Malformed                // not a value that Satchel issues
	Duplicate                // two different values: neither is used (promise L2)
)

// Presented is the result of reading a request's Cookie header.
type Presented struct {
	Verdict Verdict
	Token   string // set if the Verdict is OK
	Second  string // the second cookie's value, set if the Verdict is OK and there is exactly one
	Parts   uint32 // bit n is set if part n is present, and the last if the second cookie is
}

// maxHeader bounds the search. Servers should refuse headers long before they
// reach this size.
const maxHeader = 256 << 10

// Find parses the lines of a Cookie header strictly (RFC 6265 section 4.2.1). It
// splits pairs at semicolons, trims blanks and decodes nothing. It allocates
// nothing unless the token is split.
func (c *Cookie) Find(lines []string) (found Presented) {
	var values [MaxParts + 1]string
	duplicate, twoSeconds := false, false
	total := 0
	for _, line := range lines {
		if total += len(line); total > maxHeader {
			return Presented{Verdict: Malformed}
		}
		for rest, more := line, line != ""; more; {
			var pair string
			pair, rest, more = strings.Cut(rest, ";")
			pair = trim(pair)
			if !strings.HasPrefix(pair, c.names[0]) { // most are not ours
				continue
			}
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				continue
			}
			i, ours := c.part(trim(name))
			if !ours {
				continue
			}
			value = trim(value)
			if found.Parts&(1<<i) != 0 && values[i] != value {
				duplicate = duplicate || i != secondPart
				twoSeconds = twoSeconds || i == secondPart
			}
			found.Parts |= 1 << i
			values[i] = value
		}
	}
	switch {
	case found.Parts&1 == 0:
		found.Verdict = Absent
	case duplicate:
		found.Verdict = Duplicate
	default:
		found.Token, found.Verdict = assemble(&values, found.Parts)
		if second := values[secondPart]; found.Verdict == OK && !twoSeconds && isValue(second) {
			found.Second = second
		}
	}
	return found
}

// part returns the number of the part called name; the second cookie is the last. Names
// match byte for byte: an encoded name, another case or a look-alike does not match
// (RFC 6265bis 8.6).
func (c *Cookie) part(name string) (int, bool) {
	if name == c.names[0] {
		return 0, true
	}
	if len(name) > len(c.names[secondPart]) {
		return 0, false
	}
	for i := 1; i < len(c.names); i++ {
		if c.names[i] == name {
			return i, true
		}
	}
	return 0, false
}

// trim removes only the blanks that HTTP allows around names and values.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// assemble joins the parts of a split token. A missing or invalid part makes it
// Malformed.
func assemble(values *[MaxParts + 1]string, parts uint32) (string, Verdict) {
	first := values[0]
	if !isValue(first) {
		return "", Malformed
	}
	if first[0] != '~' {
		return first, OK
	}
	digits, head, ok := strings.Cut(first[1:], "~")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || strconv.Itoa(n) != digits || n < 2 || n > MaxParts {
		return "", Malformed
	}
	size := len(head)
	for i := 1; i < n; i++ {
		if parts&(1<<i) == 0 || !isValue(values[i]) {
			return "", Malformed
		}
		size += len(values[i])
	}
	var token strings.Builder
	token.Grow(size)
	token.WriteString(head)
	for i := 1; i < n; i++ {
		token.WriteString(values[i])
	}
	return token.String(), OK
}

// isValue reports whether s is not empty and consists of characters that an
// unquoted cookie value may contain (RFC 6265 section 4.1.1).
func isValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\' {
			return false
		}
	}
	return s != ""
}
