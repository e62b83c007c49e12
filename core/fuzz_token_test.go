package core

import (
	"strings"
	"testing"

	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// slack is what a bounded parser may allocate whatever its input: its result,
// an error.
const slack = 2 << 10

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
