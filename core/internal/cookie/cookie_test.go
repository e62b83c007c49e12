package cookie

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// session is a cookie as core makes it.
var session = newSession(5)

func newSession(parts int) *Cookie {
	return New(Attributes{Name: "__Host-session", Path: "/", SameSite: "Lax", Secure: true, MaxParts: parts, Second: TouchSuffix})
}

func TestL2SEC31DuplicateCookies(t *testing.T) {
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	for _, lines := range [][]string{
		{"__Host-session=" + a + "; __Host-session=" + b},
		{"__Host-session=" + b + "; x=y; __Host-session=" + a},
		{"__Host-session=" + a, "__Host-session=" + b},
		{"__Host-session=" + a + "; __Host-session="},
		{"__Host-session=~2~" + a + "; __Host-session-1=x; __Host-session-1=y"},
	} {
		if got := session.Find(lines); got.Verdict != Duplicate || got.Token != "" {
			t.Errorf("L2: %q: verdict %d", lines, got.Verdict)
		}
	}
	same := []string{"__Host-session=" + a, "__Host-session=" + a}
	if got := session.Find(same); got.Verdict != OK || got.Token != a {
		t.Errorf("L2: the same value twice: verdict %d", got.Verdict)
	}
}

// TestT2Touches: a touch comes beside a token or not at all, and never spoils one.
func TestT2Touches(t *testing.T) {
	const touch = "__Host-session-touch"
	for _, c := range []struct {
		header string
		want   Presented
	}{
		{"__Host-session=a; " + touch + "=b", Presented{OK, "a", "b", 1 | 1<<secondPart}},
		{touch + "=b; __Host-session=a", Presented{OK, "a", "b", 1 | 1<<secondPart}},
		{"__Host-session=a; " + touch + "=b; " + touch + "=b", Presented{OK, "a", "b", 1 | 1<<secondPart}},
		{"__Host-session=a; " + touch + "=b; " + touch + "=c", Presented{OK, "a", "", 1 | 1<<secondPart}},
		{"__Host-session=a; " + touch + "=b; " + touch + "=", Presented{OK, "a", "", 1 | 1<<secondPart}},
		{"__Host-session=a; " + touch + "=", Presented{OK, "a", "", 1 | 1<<secondPart}},
		{"__Host-session=a; " + touch + `="b"`, Presented{OK, "a", "", 1 | 1<<secondPart}},
		{"__Host-session=a; __host-session-touch=b; __Host-session-Touch=b; __Host-session-touch-1=b", Presented{OK, "a", "", 1}},
		{touch + "=b", Presented{Absent, "", "", 1 << secondPart}},
		{"__Host-session=a; __Host-session=b; " + touch + "=b", Presented{Duplicate, "", "", 1 | 1<<secondPart}},
		{"__Host-session=; " + touch + "=b", Presented{Malformed, "", "", 1 | 1<<secondPart}},
	} {
		if got := session.Find([]string{c.header}); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.header, got, c.want)
		}
	}
	now := time.Unix(1_900_000_000, 0)
	if line, ok := session.SecondLine("b", now, time.Time{}); !ok || line != touch+"=b; Path=/; HttpOnly; Secure; SameSite=Lax" {
		t.Errorf("%q, %v", line, ok)
	}
	if line, ok := session.SecondLine("b", now, now.Add(time.Hour)); !ok || !strings.Contains(line, "; Max-Age=3600; ") {
		t.Errorf("%q, %v", line, ok)
	}
	room := maxBytes - len(touch)
	for n, want := range map[int]bool{room: true, room + 1: false} {
		if _, ok := session.SecondLine(strings.Repeat("a", n), now, time.Time{}); ok != want {
			t.Errorf("E2: a touch of %d bytes: %v", n, ok)
		}
	}
	// What replaces the token deletes its touch, and so does a logout.
	lines, _ := session.Lines("new", 1|1<<secondPart, now, time.Time{})
	if len(lines) != 2 || !strings.HasPrefix(lines[1], touch+"=; Path=/; Max-Age=0;") {
		t.Errorf("%q", lines)
	}
	if lines := session.Deletions(nil, 1|1<<secondPart); len(lines) != 2 {
		t.Errorf("%q", lines)
	}
}

func TestSEC32NamesMatchOctetForOctet(t *testing.T) {
	for _, name := range []string{
		"%5F%5FHost-session", "__host-session", "__HOST-session", "__Host-session\u00a0", "\u2003__Host-session",
		"__Host-sessio", "__Host-session2", "__Host-session-", "__Host-session-0", "__Host-session-01", "__Host-session-20", "x__Host-session",
		`"__Host-session"`, "__Host-session[]", "$__Host-session",
	} {
		got := session.Find([]string{name + "=" + strings.Repeat("a", 64)})
		if got.Verdict != Absent || got.Parts != 0 {
			t.Errorf("SEC32: %q is taken for ours", name)
		}
	}
	got := session.Find([]string{"a=b;\t__Host-session = v ;c=d"})
	if got.Verdict != OK || got.Token != "v" {
		t.Errorf("SEC32: blanks around: %+v", got)
	}
}

func TestSEC33EveryByteOfAValue(t *testing.T) {
	for b := range 256 {
		value := "a" + string([]byte{byte(b)}) + "c"
		got := session.Find([]string{"__Host-session=" + value})
		want := b > ' ' && b < 0x7f && !strings.ContainsRune(`",;\`, rune(b))
		if ok := got.Verdict == OK && got.Token == value; ok != want && b != ';' && b != '=' {
			t.Errorf("SEC33: byte %#x: verdict %d", b, got.Verdict)
		}
		if b == '=' || b == ';' {
			continue
		}
		parts := session.names[0] + "=~2~x; " + session.names[1] + "=" + value
		if got := session.Find([]string{parts}); (got.Verdict == OK && got.Token == "x"+value) != want {
			t.Errorf("SEC33: byte %#x in the second part: verdict %d", b, got.Verdict)
		}
	}
}

func TestSEC29SEC36SplitTokens(t *testing.T) {
	c := session
	room := maxBytes - len("__Host-session")
	now := time.Time{}
	for _, n := range []int{1, 64, room - 1, room, room + 1, room + 4, 2*room - 5, 2*room - 4, 3 * room, c.Capacity() - 1, c.Capacity()} {
		token := randomToken(n)
		lines, ok := c.Lines(token, 0, now, now)
		if !ok {
			t.Fatalf("SEC29: %d bytes are too many", n)
		}
		if (len(lines) == 1) != (n <= room) {
			t.Errorf("SEC29: %d bytes: %d cookies", n, len(lines))
		}
		var pairs []string
		for _, line := range lines {
			pair, _, _ := strings.Cut(line, ";")
			if len(pair)-1 > maxBytes {
				t.Errorf("SEC29: a cookie of %d bytes", len(pair)-1)
			}
			pairs = append(pairs, pair)
		}
		rand.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
		if got := session.Find([]string{strings.Join(pairs, "; ")}); got.Token != token {
			t.Errorf("SEC36: %d bytes do not come back: verdict %d", n, got.Verdict)
		}
		for i := range pairs { // whole or not at all
			rest := append(append([]string(nil), pairs[:i]...), pairs[i+1:]...)
			if got := session.Find([]string{strings.Join(rest, "; ")}); got.Token != "" {
				t.Errorf("SEC36: %d bytes without part %d give a token", n, i)
			}
		}
	}
	if lines, ok := c.Lines(randomToken(c.Capacity()+1), 0, now, now); ok || lines != nil {
		t.Errorf("E2: beyond the limit: %d lines", len(lines))
	}
	for _, bad := range []string{"~", "~~a", "~1~a", "~2~a", "~02~a", "~21~a", "~x~a", "~99999999999999999999~a", "~-2~a", "~+2~a"} {
		if got := session.Find([]string{"__Host-session=" + bad}); got.Verdict != Malformed {
			t.Errorf("SEC36: %q: verdict %d", bad, got.Verdict)
		}
	}
}

func TestE2StalePartsAreDeleted(t *testing.T) {
	c := session
	lines, ok := c.Lines("short", 1|1<<1|1<<3, time.Time{}, time.Time{})
	if !ok || len(lines) != 3 || !strings.HasPrefix(lines[1], "__Host-session-1=; Path=/; Max-Age=0;") || !strings.HasPrefix(lines[2], "__Host-session-3=;") {
		t.Errorf("E2: %q, %v", lines, ok)
	}
}

func TestSEC35HugeHeadersAreCheap(t *testing.T) {
	tiny := strings.Repeat("a=b; ", 3000) + "__Host-session=v"
	var parts strings.Builder
	for i := range 100 {
		fmt.Fprintf(&parts, "__Host-session-%d=%s; ", i, strings.Repeat("x", 100))
	}
	for what, lines := range map[string][]string{
		"3,000 cookies": {tiny}, "100 parts": {parts.String()}, "3,000 lines": strings.SplitAfter(tiny, "; "),
		"a megabyte": {strings.Repeat("x", 1<<20)},
	} {
		if n := testing.AllocsPerRun(10, func() { session.Find(lines) }); n > 0 {
			t.Errorf("SEC35: %s: %v allocations", what, n)
		}
	}
	// Beyond the bound nothing is searched, in one line or in many.
	filler := strings.Repeat("a=b; ", maxHeader/5)
	for _, lines := range [][]string{{filler + "__Host-session=v"}, append(strings.SplitAfter(filler, "; "), "__Host-session=v")} {
		if found := session.Find(lines); found.Verdict != Malformed {
			t.Errorf("SEC35: in a header of %d bytes, found %+v", maxHeader+16, found)
		}
	}
}

func randomToken(n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[rand.IntN(len(alphabet))]
	}
	return string(b)
}

func BenchmarkFindToken(b *testing.B) {
	lines := []string{"theme=dark; _ga=GA1.1.1234567890.1234567890; __Host-session=" + strings.Repeat("a", 64) + "; lang=en"}
	b.ReportAllocs()
	for b.Loop() {
		session.Find(lines)
	}
}

func TestC7SetsMatchesNamesOctetForOctet(t *testing.T) {
	for line, want := range map[string]bool{
		"__Host-session=v; Path=/": true, "__Host-session=": true, " __Host-session\t= v": true,
		"__Host-session-1=v": true, "__Host-session-19=v; Secure": true, "__Host-session-touch=v": true,
		"__Host-session": false, "__Host-session; x=y": false, "__Host-session-0=v": false, "__Host-session-20=v": false,
		"__Host-session-01=v": false, "__Host-session-touch-1=v": false, "__host-session=v": false, "x__Host-session=v": false, "__Host-sessions=v": false,
		"mine=__Host-session=v": false, "": false, "=": false,
	} {
		if got := session.Sets(line); got != want {
			t.Errorf("C7: %q: %t", line, got)
		}
	}
}
