package sqlstore

import "testing"

func TestLiteral(t *testing.T) {
	for _, test := range []struct {
		text string
		args []any
		want string // "" if it cannot be
	}{
		{"SELECT 1", nil, "SELECT 1"},
		{"$1, $2, $1", []any{int64(-1), 2}, "(-1), (2), (-1)"},
		{"$1::bytea AND $2", []any{[]byte(`'\`), []byte{}}, `E'\\x275c'::bytea::bytea AND E'\\x'::bytea`},
		{"$1, $2", []any{nil, []byte(nil)}, "NULL, NULL"},
		{"$1", []any{"a'"}, `convert_from(E'\\x6127'::bytea, 'UTF8')`},
		{"$10, $1", []any{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, "(10), (1)"},
		{"$2", []any{1}, ""},
		{"$1", []any{1.5}, ""},
		{"$$", nil, ""},
	} {
		got, ok := literal(test.text, test.args)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%s: %s, %t", test.text, got, ok)
		}
	}
}
