package core

import (
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core/internal/cookie"
)

const longestTested = 200

// TestL2SEC5AuthorizationHeaders: one token of RFC 6750 in one line, or none.
func TestL2SEC5AuthorizationHeaders(t *testing.T) {
	token := strings.Repeat("aZ0-._~+/", 7) + "a"
	for _, c := range []struct {
		lines []string
		want  cookie.Verdict
	}{
		{nil, cookie.Absent},
		{[]string{""}, cookie.Absent},
		{[]string{"Basic " + token}, cookie.Absent},
		{[]string{"DPoP " + token}, cookie.Absent},
		{[]string{"Bearers " + token}, cookie.Absent},
		{[]string{"B\u0435arer " + token}, cookie.Absent},
		{[]string{token}, cookie.Absent},
		{[]string{"Basic " + token, "Digest " + token}, cookie.Absent},
		{[]string{"Bearer " + token}, cookie.OK},
		{[]string{"bEARER  " + token}, cookie.OK},
		{[]string{" \tBearer   " + token + " \t"}, cookie.OK},
		{[]string{"Bearer " + token + "=="}, cookie.OK},
		{[]string{"Bearer a"}, cookie.OK},
		{[]string{"Bearer"}, cookie.Malformed},
		{[]string{"Bearer  "}, cookie.Malformed},
		{[]string{"Bearer\t" + token}, cookie.Malformed},
		{[]string{"Bearer \t" + token}, cookie.Malformed},
		{[]string{"Bearer," + token}, cookie.Malformed},
		{[]string{"Bearer =" + token}, cookie.Malformed},
		{[]string{"Bearer a=b"}, cookie.Malformed},
		{[]string{"Bearer ===="}, cookie.Malformed},
		{[]string{`Bearer "` + token + `"`}, cookie.Malformed},
		{[]string{"Bearer " + token + "\x00"}, cookie.Malformed},
		{[]string{"Bearer " + token + "\u00e9"}, cookie.Malformed},
		{[]string{"Bearer " + token + "\t" + token}, cookie.Malformed},
		{[]string{"Bearer " + strings.Repeat("a", longestTested)}, cookie.OK},
		{[]string{"Bearer " + strings.Repeat("a", longestTested+1)}, cookie.Malformed},
		{[]string{"Bearer " + token + "," + token}, cookie.Duplicate},
		{[]string{"Bearer x, y"}, cookie.Duplicate},
		{[]string{"Bearer x y"}, cookie.Duplicate},
		{[]string{"Bearer x, Basic y"}, cookie.Duplicate},
		{[]string{"Bearer " + token, "Bearer " + token}, cookie.Duplicate},
		{[]string{"Bearer " + token, "Bearer x"}, cookie.Duplicate},
		{[]string{"Basic x", "Bearer " + token}, cookie.Duplicate},
		{[]string{"Bearer " + token, ""}, cookie.Duplicate},
	} {
		found := bearer(c.lines, longestTested+1)
		if found.Verdict != c.want || (found.Token != "") != (c.want == cookie.OK) || (found.Parts != 0) != (c.want != cookie.Absent) {
			t.Errorf("%q: %+v, want verdict %d", c.lines, found, c.want)
		}
	}
	for _, c := range []struct {
		lines []string
		want  cookie.Verdict
	}{
		{nil, cookie.Absent},
		{[]string{token}, cookie.OK},
		{[]string{" " + token + "\t"}, cookie.OK},
		{[]string{""}, cookie.Malformed},
		{[]string{"Bearer " + token}, cookie.Duplicate},
		{[]string{token + ", " + token}, cookie.Duplicate},
		{[]string{token, token}, cookie.Duplicate},
		{[]string{"", token}, cookie.Duplicate},
		{[]string{`"` + token + `"`}, cookie.Malformed},
		{[]string{strings.Repeat("a", longestTested+1)}, cookie.Malformed},
	} {
		found := plain(c.lines, longestTested+1)
		if found.Verdict != c.want || (found.Token == token) != (c.want == cookie.OK) {
			t.Errorf("%q: %+v, want verdict %d", c.lines, found, c.want)
		}
	}
}

// TestSEC35HugeAuthorizationHeadersAreCheap: dots, commas and blanks are not collected.
func TestSEC35HugeAuthorizationHeadersAreCheap(t *testing.T) {
	for _, filler := range []string{".", ",", " ", "=", "Bearer ", "a "} {
		lines := []string{"Bearer " + strings.Repeat(filler, 1<<20/len(filler)) + "\x00"}
		if n := testing.AllocsPerRun(5, func() { bearer(lines, 8001); plain(lines, 8001) }); n != 0 {
			t.Errorf("SEC35: a megabyte of %q: %v allocations", filler, n)
		}
	}
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer abc", "")
	f.Add("bearer  a.b-c_d~e+f/g==", "Basic x")
	f.Add("Bearer x, Bearer y", "Bearer z")
	f.Add("Bearer\tx", "\x00")
	f.Fuzz(func(t *testing.T, one, two string) {
		for _, lines := range [][]string{{one}, {one, two}} {
			found := bearer(lines, longestTested+1)
			if found.Verdict != cookie.OK {
				if found.Token != "" {
					t.Fatalf("%q: a token with verdict %d", lines, found.Verdict)
				}
				continue
			}
			scheme, rest, _ := strings.Cut(strings.Trim(lines[0], " \t"), " ")
			if len(lines) != 1 || !strings.EqualFold(scheme, "Bearer") || strings.TrimLeft(rest, " ") != found.Token {
				t.Fatalf("%q: token %q", lines, found.Token)
			}
			if found.Token == "" || len(found.Token) > longestTested || strings.ContainsFunc(found.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ',' || r == '"' }) {
				t.Fatalf("%q: token %q", lines, found.Token)
			}
			if again := plain([]string{found.Token}, longestTested+1); again.Token != found.Token {
				t.Fatalf("%q: token %q is none in a header of its own", lines, found.Token)
			}
		}
	})
}

// TestE2SizeOfWhatHeadersHold: at the limit a token fits, beyond it nothing is stored.
func TestE2SizeOfWhatHeadersHold(t *testing.T) {
	h := newHeaderCarrier(Bearer, longestTested)
	fits := strings.Repeat("a", longestTested)
	if lines, err := h.tokenLines(fits, 0, testNow, time.Time{}); err != nil || len(lines) != 1 || lines[0] != "Session-Token: "+fits {
		t.Errorf("E2: at the limit: %q, %v", lines, err)
	}
	if _, err := h.tokenLines(fits+"a", 0, testNow, time.Time{}); err == nil || err.(*SizeError).Limit != longestTested { //nolint:errorlint // it is not wrapped
		t.Errorf("E2: beyond the limit: %v", err)
	}
	if _, err := h.tokenLines("a|b", 0, testNow, time.Time{}); err == nil {
		t.Errorf("a token that no request could bring back is handed out")
	}
	if _, ok := h.secondLine(fits+"a", testNow, time.Time{}); ok {
		t.Errorf("E2: a touch beyond the limit fits")
	}
}
