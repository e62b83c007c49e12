package sqlstore

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// separates reports whether a driver sends the text of a statement and its arguments in
// two round trips, under no name, as lib/pq does. A pooler such as PgBouncer, in transaction
// mode, may give the two different connections of the server: then arguments meet the
// statement of another request, and a deletion may silently read instead.
func separates(d driver.Driver) bool {
	t := reflect.TypeOf(d)
	return t != nil && t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "github.com/lib/pq"
}

// literal returns a statement of PostgreSQL with its arguments in the text, so that it is
// one round trip. Numbers and hexadecimal digits need no escaping. It returns false if there
// is another kind of argument.
func literal(text string, args []any) (string, bool) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String(), true
		}
		digits := len(after) - len(strings.TrimLeft(after, "0123456789"))
		n, err := strconv.Atoi(after[:digits])
		if err != nil || n < 1 || n > len(args) {
			return "", false
		}
		switch v := args[n-1].(type) {
		case nil:
			out.WriteString("NULL")
		case int:
			fmt.Fprintf(&out, "(%d)", v)
		case int64:
			fmt.Fprintf(&out, "(%d)", v)
		case []byte:
			if v == nil {
				out.WriteString("NULL")
			} else {
				fmt.Fprintf(&out, `E'\\x%x'::bytea`, v) // whatever standard_conforming_strings is
			}
		case string:
			fmt.Fprintf(&out, `convert_from(E'\\x%x'::bytea, 'UTF8')`, v)
		default:
			return "", false
		}
		text = after[digits:]
	}
}
