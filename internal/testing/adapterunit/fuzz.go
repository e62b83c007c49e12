package adapterunit

import (
	"bufio"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// FuzzHeaderLines fuzzes what finds the lines of one name in a header. If net/http
// reads the header, they are the same as net/http's. For any header, they are together
// no longer than the header, and the memory they take is bounded by its length.
func FuzzHeaderLines(f *testing.F, lines func(head []byte, name string) []string) {
	f.Helper()
	for _, raw := range []string{
		"", "Cookie: a=b", "cookie: a=b\r\nCOOKIE:c=d\r\n", "Cookie: a=b\r\n c=d\r\n\te=f", "Cookie : a=b", " Cookie: a=b", "X: y\r\n Cookie: a=b",
		"Cookie:\r\nCookie: \t \r\n", "Cookies: a=b\r\nCooki: c=d\r\nCookie", "Coo\u212aie: a=b", "Cookie: a\x00b\r\nCookie: \xff", "Cookie: a=b\n\nCookie: c=d",
		"Cookie: a:b:c\r\n \r\n d", "Cookie: a\r\r\n", "\r\nCookie: a=b", ": x\r\nCookie: a=b", "Host: x\r\nCookie: a=b; c=d\r\nAccept: */*",
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, name := range []string{"Cookie", "X"} {
			sameLines(t, lines, raw, name)
		}
	})
}

func sameLines(t *testing.T, lines func([]byte, string) []string, raw []byte, name string) {
	t.Helper()
	before := string(raw)
	var got []string
	alloctest.Bound(t, 64*len(raw)+2<<10, func() { got = lines(raw, name) })
	if string(raw) != before {
		t.Fatal("the input was changed")
	}
	total := 0
	for _, line := range got {
		total += len(line)
	}
	if total > len(raw) {
		t.Errorf("%d bytes of %d", total, len(raw))
	}
	if named := strings.Count(strings.Map(lower, before), strings.Map(lower, name)+":"); len(got) > named {
		t.Errorf("%q: %q of %d lines", before, got, named)
	}
	if ended := "\n" + before; strings.Contains(ended, "\n\n") || strings.Contains(ended, "\n\r\n") {
		return // to net/http, what follows is no header any more
	}
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(before + "\r\n\r\n"))).ReadMIMEHeader()
	want := header[name]
	if err != nil || strings.Contains(strings.Join(want, ""), "\r") { // which its server refuses
		return
	}
	if !slices.EqualFunc(got, want, func(a, b string) bool { return blanks(a) == blanks(b) }) {
		t.Errorf("%q: %q, want %q", before, got, want)
	}
}

// blanks reduces runs of blanks to one and drops those around: how many of them
// a continuation leaves does not matter.
func blanks(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' }), " ")
}

// lower maps a letter to lower case as header names are compared: ASCII only.
func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}
