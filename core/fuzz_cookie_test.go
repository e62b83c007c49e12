package core

import (
	"slices"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/internal/alloctest"
)

// slack is what a bounded parser may allocate whatever its input: its result,
// an error.
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
	} {
		f.Add(lines[0], lines[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		var got presented
		alloctest.Bound(t, len(a)+len(b)+slack, func() { got = findToken([]string{a, b}, names) })
		want := slowFind([]string{a, b})
		if got != want {
			t.Errorf("%q, %q:\n got %+v\nwant %+v", a, b, got, want)
		}
	})
}

// slowFind is another findToken: it takes everything apart first and decides
// afterwards.
func slowFind(lines []string) (found presented) {
	if len(strings.Join(lines, "")) > maxCookieHeader {
		return presented{verdict: tokenMalformed}
	}
	values := map[int][]string{}
	for pair := range strings.SplitSeq(strings.Join(lines, ";"), ";") {
		name, value, ok := strings.Cut(pair, "=")
		name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
		if i := slices.Index(names.names[:], name); ok && i >= 0 {
			values[i] = append(values[i], value)
			found.parts |= 1 << i
		}
	}
	if len(values[0]) == 0 {
		return found
	}
	for _, same := range values {
		if len(slices.Compact(slices.Clone(same))) > 1 {
			found.verdict = tokenDuplicate
			return found
		}
	}
	found.token, found.verdict = slowAssemble(values)
	return found
}

func slowAssemble(values map[int][]string) (string, verdict) {
	const printable = "!#$%&'()*+-./0123456789:<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"
	valid := func(i int) bool {
		return len(values[i]) > 0 && values[i][0] != "" && strings.Trim(values[i][0], printable) == ""
	}
	if !valid(0) {
		return "", tokenMalformed
	}
	token := values[0][0]
	if token[0] != '~' {
		return token, tokenOK
	}
	counts := "~2~ ~3~ ~4~ ~5~ ~6~ ~7~ ~8~ ~9~ ~10~ ~11~ ~12~ ~13~ ~14~ ~15~ ~16~ ~17~ ~18~ ~19~ ~20~"
	for i, head := range strings.Fields(counts) {
		rest, ok := strings.CutPrefix(token, head)
		if !ok {
			continue
		}
		for part := 1; part < i+2; part++ {
			if !valid(part) {
				return "", tokenMalformed
			}
			rest += values[part][0]
		}
		return rest, tokenOK
	}
	return "", tokenMalformed
}

// FuzzSEC46Token: a token has one spelling, and reading it costs nothing.
func FuzzSEC46Token(f *testing.F) {
	good := formatToken(ID{1, 2, 3}, secret{4, 5, 6})
	for _, s := range []string{
		"", good, good + "=", good[:63], good[:62] + "\r\n", strings.Repeat("A", 64), strings.Repeat("_", 64), good[:63] + "+",
		good[:20] + "\n" + good[21:], strings.Repeat("\n", 64), good[:63] + "\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		var (
			id  ID
			sec secret
			ok  bool
		)
		alloctest.Bound(t, 256, func() { id, sec, ok = parseToken(token) })
		if ok && (id.IsZero() || formatToken(id, sec) != token) {
			t.Errorf("%q is accepted, and written %q", token, formatToken(id, sec))
		}
		if !ok && (sec != secret{}) && !id.IsZero() {
			t.Errorf("%q is refused, and yields a secret", token)
		}
		if id, err := ParseID(token); (err == nil) != (!id.IsZero() && id.String() == token) {
			t.Errorf("the ID %q: %v, written %q", token, err, id)
		}
	})
}

// FuzzSEC36SEC46SplitCookies: what is split comes back whole from a header in any
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
		c := Cookie{MaxParts: int(maxParts)%20 + 1}.withDefaults(false)
		w := newCookieWriter(c, true)
		var lines []string
		var err error
		alloctest.Bound(t, 4*len(token)+len(w.names.names)*512+slack, func() { lines, err = w.lines(token, 0, testNow, testNow) })
		if (err == nil) != (len(token) <= w.capacity()) && len(token) > maxCookie-len(c.Name) {
			t.Fatalf("%d bytes in %d parts, capacity %d: %v", len(token), c.MaxParts, w.capacity(), err)
		}
		if err != nil {
			return
		}
		pairs := make([]string, len(lines))
		for i, line := range lines {
			pairs[i], _, _ = strings.Cut(line, ";")
			if len(pairs[i])-1 > maxCookie {
				t.Errorf("part %d has %d bytes", i, len(pairs[i])-1)
			}
		}
		slices.Reverse(pairs) // browsers promise no order
		got := findToken([]string{strings.Join(pairs, "; ")}, w.names)
		if got.verdict != tokenOK || got.token != token {
			t.Fatalf("%d bytes in %d parts come back as %d, verdict %d", len(token), len(pairs), len(got.token), got.verdict)
		}
		damage(t, w, pairs, int(part)%len(pairs), other, token)
	})
}

// damage drops a part, repeats it otherwise, and demands that nothing opens.
func damage(t *testing.T, w *cookieWriter, pairs []string, i int, other, token string) {
	missing := slices.Delete(slices.Clone(pairs), i, i+1)
	if got := findToken(missing, w.names); len(pairs) > 1 && got.verdict == tokenOK {
		t.Errorf("without part %d: %.20q", i, got.token)
	}
	name, value, _ := strings.Cut(pairs[i], "=")
	twice := append(slices.Clone(pairs), name+"="+other)
	if got := findToken(twice, w.names); got.verdict == tokenOK && strings.Trim(other, " \t") != value && !strings.Contains(other, ";") {
		t.Errorf("with part %d also as %q: %.20q of %.20q", i, other, got.token, token)
	}
}
