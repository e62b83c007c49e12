package cookie

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// slack is what a bounded parser may allocate for any input: its result or an
// error.
const slack = 2 << 10

// FuzzSEC46CookieHeader: whatever the header, the answer is that of a slower
// parser, and costs no more memory than the token.
func FuzzSEC46CookieHeader(f *testing.F) {
	for _, lines := range [][2]string{
		{"__Host-session=abc", "__Host-session-1=def"},
		{"a=b; __Host-session=~2~abc; __Host-session-1=def", ""},
		{"__Host-session=a; __Host-session=b", "__Host-session=a"},
		{"__Host-session=~02~abc; __Host-session-1=def", "__Host-session-01=x; __Host-session-20=y; __Host-session-19=z"},
		{"__Host-session=\"abc\"", "__HOST-session=abc; __Host-session =\tabc\t"},
		{"__Host-session", ";;=;__Host-session=;"},
		{"__Host-session=~3~a; __Host-session-2=c", "\x00;\xff=\xfe"},
		{"__Host-session=~99999999999999999999~a", "__Host-session==;"},
		{"__Host-session=a; __Host-session-touch=b", "__Host-session-touch=b"},
		{"__Host-session-touch=a; __Host-session=a", "__Host-session-touch=b"},
	} {
		f.Add(lines[0], lines[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		var got Presented
		alloctest.Bound(t, len(a)+len(b)+slack, func() { got = session.Find([]string{a, b}) })
		want := slowFind([]string{a, b})
		if got != want {
			t.Errorf("%q, %q:\n got %+v\nwant %+v", a, b, got, want)
		}
	})
}

// slowFind is another Find: it takes everything apart first and decides
// afterwards.
func slowFind(lines []string) (found Presented) {
	if len(strings.Join(lines, "")) > maxHeader {
		return Presented{Verdict: Malformed}
	}
	values := map[int][]string{}
	for pair := range strings.SplitSeq(strings.Join(lines, ";"), ";") {
		name, value, ok := strings.Cut(pair, "=")
		name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
		if i := slices.Index(session.names[:], name); ok && i >= 0 {
			values[i] = append(values[i], value)
			found.Parts |= 1 << i
		}
	}
	if len(values[0]) == 0 {
		return found
	}
	for i, same := range values {
		if len(slices.Compact(slices.Clone(same))) > 1 && i != secondPart {
			found.Verdict = Duplicate
			return found
		}
	}
	found.Token, found.Verdict = slowAssemble(values)
	touches := slices.Compact(values[secondPart])
	if found.Verdict == OK && len(touches) == 1 && strings.Trim(touches[0], printable) == "" {
		found.Second = touches[0]
	}
	return found
}

const printable = "!#$%&'()*+-./0123456789:<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"

func slowAssemble(values map[int][]string) (string, Verdict) {
	valid := func(i int) bool {
		return len(values[i]) > 0 && values[i][0] != "" && strings.Trim(values[i][0], printable) == ""
	}
	if !valid(0) {
		return "", Malformed
	}
	token := values[0][0]
	if token[0] != '~' {
		return token, OK
	}
	counts := "~2~ ~3~ ~4~ ~5~ ~6~ ~7~ ~8~ ~9~ ~10~ ~11~ ~12~ ~13~ ~14~ ~15~ ~16~ ~17~ ~18~ ~19~ ~20~"
	for i, head := range strings.Fields(counts) {
		rest, ok := strings.CutPrefix(token, head)
		if !ok {
			continue
		}
		for part := 1; part < i+2; part++ {
			if !valid(part) {
				return "", Malformed
			}
			rest += values[part][0]
		}
		return rest, OK
	}
	return "", Malformed
}

// FuzzSEC36SEC46SplitCookies: a split token comes back whole from a header in any
// order, or not at all if a part is missing or changed.
func FuzzSEC36SEC46SplitCookies(f *testing.F) {
	f.Add("abc", uint8(5), uint16(0), uint8(0), "")
	f.Add(strings.Repeat("0123456789", 500), uint8(2), uint16(3000), uint8(1), "x")
	f.Add(strings.Repeat("Az-_", 4000), uint8(20), uint16(40000), uint8(3), "~2~")
	f.Add("~2~x", uint8(1), uint16(4096), uint8(0), "")
	f.Add(strings.Repeat("+/", 60), uint8(3), uint16(8165), uint8(2), "Q")
	f.Fuzz(func(t *testing.T, seed string, maxParts uint8, length uint16, part uint8, other string) {
		if !isValue(seed) || seed[0] == '~' || strings.Contains(seed, ";") {
			return
		}
		token := strings.Repeat(seed, int(length)/len(seed)+1)[:max(int(length), 1)]
		if token[0] == '~' {
			return
		}
		c := newSession(int(maxParts)%20 + 1)
		var lines []string
		var ok bool
		now := time.UnixMilli(1_900_000_000_123)
		alloctest.Bound(t, 4*len(token)+len(c.names)*512+slack, func() { lines, ok = c.Lines(token, 0, now, now) })
		if ok != (len(token) <= c.Capacity()) && len(token) > maxBytes-len(c.names[0]) {
			t.Fatalf("%d bytes in %d parts, capacity %d: %v", len(token), c.maxParts, c.Capacity(), ok)
		}
		if !ok {
			return
		}
		pairs := make([]string, len(lines))
		for i, line := range lines {
			pairs[i], _, _ = strings.Cut(line, ";")
			if len(pairs[i])-1 > maxBytes {
				t.Errorf("part %d has %d bytes", i, len(pairs[i])-1)
			}
		}
		slices.Reverse(pairs) // browsers promise no order
		got := c.Find([]string{strings.Join(pairs, "; ")})
		if got.Verdict != OK || got.Token != token {
			t.Fatalf("%d bytes in %d parts come back as %d, verdict %d", len(token), len(pairs), len(got.Token), got.Verdict)
		}
		damage(t, c, pairs, int(part)%len(pairs), other, token)
	})
}

// damage drops a part, repeats it otherwise, and demands that nothing opens.
func damage(t *testing.T, c *Cookie, pairs []string, i int, other, token string) {
	missing := slices.Delete(slices.Clone(pairs), i, i+1)
	if got := c.Find(missing); len(pairs) > 1 && got.Verdict == OK {
		t.Errorf("without part %d: %.20q", i, got.Token)
	}
	name, value, _ := strings.Cut(pairs[i], "=")
	twice := append(slices.Clone(pairs), name+"="+other)
	if got := c.Find(twice); got.Verdict == OK && strings.Trim(other, " \t") != value && !strings.Contains(other, ";") {
		t.Errorf("with part %d also as %q: %.20q of %.20q", i, other, got.Token, token)
	}
}
