package core

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func writer(t *testing.T, c Cookie, insecure bool) *cookieWriter {
	t.Helper()
	c = c.withDefaults(insecure)
	if err := c.validate(insecure); err != nil {
		t.Fatal(err)
	}
	return newCookieWriter(c, !insecure)
}

var names = newPartNames("__Host-session")

func TestSEC25SEC28GoldenSetCookie(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		cookie   Cookie
		insecure bool
		until    time.Time
		want     string
	}{
		{Cookie{}, false, time.Time{}, "__Host-session=v; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{Cookie{}, true, time.Time{}, "session=v; Path=/; HttpOnly; SameSite=Lax"},
		{Cookie{SameSite: SameSiteStrict}, false, time.Time{}, "__Host-session=v; Path=/; HttpOnly; Secure; SameSite=Strict"},
		{Cookie{SameSite: SameSiteNone, Partitioned: true}, false, time.Time{}, "__Host-session=v; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"},
		{Cookie{Domain: ".example.com"}, false, time.Time{}, "__Secure-session=v; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		{Cookie{Name: "sid", Path: "/app"}, false, time.Time{}, "sid=v; Path=/app; HttpOnly; Secure; SameSite=Lax"},
		{Cookie{}, false, now.Add(time.Hour), "__Host-session=v; Path=/; Max-Age=3600; Expires=Fri, 02 Jan 2026 04:04:05 GMT; HttpOnly; Secure; SameSite=Lax"},
		{Cookie{}, false, now.Add(1500 * time.Millisecond), "__Host-session=v; Path=/; Max-Age=2; Expires=Fri, 02 Jan 2026 03:04:06 GMT; HttpOnly; Secure; SameSite=Lax"},
	} {
		w := writer(t, c.cookie, c.insecure)
		if got := w.line(w.names.names[0], "v", now, c.until); got != c.want {
			t.Errorf("SEC25: %+v:\n got %s\nwant %s", c.cookie, got, c.want)
		}
	}
}

func TestSEC26SEC27ImpossibleCookies(t *testing.T) {
	for what, c := range map[string]struct {
		cookie   Cookie
		insecure bool
	}{
		"__Host- with Domain":      {Cookie{Name: "__Host-s", Domain: "example.com"}, false},
		"__Host- with Path":        {Cookie{Name: "__host-s", Path: "/app"}, false},
		"__Host- over HTTP":        {Cookie{Name: "__HOST-s"}, true},
		"__Secure- over HTTP":      {Cookie{Name: "__Secure-s"}, true},
		"SameSite=None over HTTP":  {Cookie{SameSite: SameSiteNone}, true},
		"Partitioned over HTTP":    {Cookie{Partitioned: true}, true},
		"unknown SameSite":         {Cookie{SameSite: 7}, false},
		"name with space":          {Cookie{Name: "my session"}, false},
		"name with semicolon":      {Cookie{Name: "a;b"}, false},
		"name like a part":         {Cookie{Name: "session-2"}, false},
		"path with attribute":      {Cookie{Name: "s", Path: "/; Secure"}, false},
		"path without slash":       {Cookie{Name: "s", Path: "app"}, false},
		"path with line break":     {Cookie{Name: "s", Path: "/a\r\nX: y"}, false},
		"domain with scheme":       {Cookie{Name: "s", Domain: "https://example.com"}, false},
		"domain with port":         {Cookie{Name: "s", Domain: "example.com:80"}, false},
		"domain with an underline": {Cookie{Name: "s", Domain: "a_b.example"}, false},
		"too many parts":           {Cookie{MaxParts: 21}, false},
		"negative parts":           {Cookie{MaxParts: -1}, false},
	} {
		err := c.cookie.withDefaults(c.insecure).validate(c.insecure)
		if err == nil || !strings.HasPrefix(err.Error(), "core: ") {
			t.Errorf("SEC26: %s: %v", what, err)
		}
	}
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
		if got := findToken(lines, names); got.verdict != tokenDuplicate || got.token != "" {
			t.Errorf("L2: %q: verdict %d", lines, got.verdict)
		}
	}
	same := []string{"__Host-session=" + a, "__Host-session=" + a}
	if got := findToken(same, names); got.verdict != tokenOK || got.token != a {
		t.Errorf("L2: the same value twice: verdict %d", got.verdict)
	}
}

func TestSEC32NamesMatchOctetForOctet(t *testing.T) {
	for _, name := range []string{
		"%5F%5FHost-session", "__host-session", "__HOST-session", "__Host-session\u00a0", "\u2003__Host-session",
		"__Host-sessio", "__Host-session2", "__Host-session-", "__Host-session-0", "__Host-session-01", "__Host-session-20", "x__Host-session",
		`"__Host-session"`, "__Host-session[]", "$__Host-session",
	} {
		got := findToken([]string{name + "=" + strings.Repeat("a", 64)}, names)
		if got.verdict != tokenAbsent || got.parts != 0 {
			t.Errorf("SEC32: %q is taken for ours", name)
		}
	}
	got := findToken([]string{"a=b;\t__Host-session = v ;c=d"}, names)
	if got.verdict != tokenOK || got.token != "v" {
		t.Errorf("SEC32: blanks around: %+v", got)
	}
}

func TestSEC33EveryByteOfAValue(t *testing.T) {
	for b := range 256 {
		value := "a" + string([]byte{byte(b)}) + "c"
		got := findToken([]string{"__Host-session=" + value}, names)
		want := b > ' ' && b < 0x7f && !strings.ContainsRune(`",;\`, rune(b))
		if ok := got.verdict == tokenOK && got.token == value; ok != want && b != ';' && b != '=' {
			t.Errorf("SEC33: byte %#x: verdict %d", b, got.verdict)
		}
		if b == '=' || b == ';' {
			continue
		}
		parts := names.names[0] + "=~2~x; " + names.names[1] + "=" + value
		if got := findToken([]string{parts}, names); (got.verdict == tokenOK && got.token == "x"+value) != want {
			t.Errorf("SEC33: byte %#x in the second part: verdict %d", b, got.verdict)
		}
	}
}

func TestSEC29SEC36SplitTokens(t *testing.T) {
	w := writer(t, Cookie{}, false)
	room := maxCookie - len("__Host-session")
	now := time.Time{}
	for _, n := range []int{1, 64, room - 1, room, room + 1, room + 4, 2*room - 5, 2*room - 4, 3 * room, w.capacity() - 1, w.capacity()} {
		token := randomToken(n)
		lines, err := w.lines(token, 0, now, now)
		if err != nil {
			t.Fatalf("SEC29: %d bytes: %v", n, err)
		}
		if (len(lines) == 1) != (n <= room) {
			t.Errorf("SEC29: %d bytes: %d cookies", n, len(lines))
		}
		var pairs []string
		for _, line := range lines {
			pair, _, _ := strings.Cut(line, ";")
			if len(pair)-1 > maxCookie {
				t.Errorf("SEC29: a cookie of %d bytes", len(pair)-1)
			}
			pairs = append(pairs, pair)
		}
		rand.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
		if got := findToken([]string{strings.Join(pairs, "; ")}, names); got.token != token {
			t.Errorf("SEC36: %d bytes do not come back: verdict %d", n, got.verdict)
		}
		for i := range pairs { // whole or not at all
			rest := append(append([]string(nil), pairs[:i]...), pairs[i+1:]...)
			if got := findToken([]string{strings.Join(rest, "; ")}, names); got.token != "" {
				t.Errorf("SEC36: %d bytes without part %d give a token", n, i)
			}
		}
	}
	var size *SizeError
	if _, err := w.lines(randomToken(w.capacity()+1), 0, now, now); !errors.As(err, &size) || size.Limit != w.capacity() {
		t.Errorf("E2: beyond the limit: %v", err)
	}
	for _, bad := range []string{"~", "~~a", "~1~a", "~2~a", "~02~a", "~21~a", "~x~a", "~99999999999999999999~a", "~-2~a", "~+2~a"} {
		if got := findToken([]string{"__Host-session=" + bad}, names); got.verdict != tokenMalformed {
			t.Errorf("SEC36: %q: verdict %d", bad, got.verdict)
		}
	}
}

func TestE2StalePartsAreDeleted(t *testing.T) {
	w := writer(t, Cookie{}, false)
	lines, err := w.lines("short", 1|1<<1|1<<3, time.Time{}, time.Time{})
	if err != nil || len(lines) != 3 || !strings.HasPrefix(lines[1], "__Host-session-1=; Path=/; Max-Age=0;") || !strings.HasPrefix(lines[2], "__Host-session-3=;") {
		t.Errorf("E2: %q, %v", lines, err)
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
		if n := testing.AllocsPerRun(10, func() { findToken(lines, names) }); n > 0 {
			t.Errorf("SEC35: %s: %v allocations", what, n)
		}
	}
	// Beyond the bound nothing is searched, in one line or in many.
	filler := strings.Repeat("a=b; ", maxCookieHeader/5)
	for _, lines := range [][]string{{filler + "__Host-session=v"}, append(strings.SplitAfter(filler, "; "), "__Host-session=v")} {
		if found := findToken(lines, names); found.verdict != tokenMalformed {
			t.Errorf("SEC35: in a header of %d bytes, found %+v", maxCookieHeader+16, found)
		}
	}
}

// TestSEC34OneSpellingOfAToken: whatever reaches the backend, which need not
// come from a Cookie header.
func TestSEC34OneSpellingOfAToken(t *testing.T) {
	token := formatToken(ID{1}, secret{2})
	if id, sec, ok := parseToken(token); !ok || id != (ID{1}) || sec != (secret{2}) {
		t.Fatal("our own token is refused")
	}
	for _, other := range []string{
		token[:60] + "\r\n\r\n", "\n\n\n\n" + token[:60], token[:30] + "\n\n\n\n" + token[34:],
		token[:63] + "=", token[:63], token + "A", token + "\n", " " + token[:63],
	} {
		if id, _, ok := parseToken(other); ok {
			t.Errorf("SEC34: %q is a token of %s", other, id)
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
		findToken(lines, names)
	}
}
