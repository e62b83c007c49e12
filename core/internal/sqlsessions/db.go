package sqlsessions

import (
	"context"
	"strconv"
	"strings"
)

// Runner runs statements, each on any connection, or all in one transaction.
type Runner interface {
	// Exec runs st and returns how many rows it has changed.
	Exec(ctx context.Context, st *Statement, args ...any) (int64, error)

	// Query calls row for each row that st returns. The error of row ends it, and is
	// returned as it is.
	Query(ctx context.Context, st *Statement, row func(scan Scan) error, args ...any) error
}

// Scan copies a row's columns.
type Scan func(into ...any) error

// DB is a Runner whose statements are each a transaction, and which can begin a longer
// one. It is safe for concurrent use.
type DB interface {
	Runner

	// Tx runs f in a transaction, READ COMMITTED where there is a choice, and rolls it
	// back if f returns an error, which it returns as it is.
	Tx(ctx context.Context, f func(Runner) error) error

	// Renew closes the connections that nobody uses, for they may lead to a server that is
	// no longer the primary.
	Renew(ctx context.Context)

	// Single reports whether there is never more than one connection.
	Single() bool
}

// Statement is a statement in the words of one dialect. What runs statements may keep
// what it prepared under its address.
type Statement struct {
	Text string

	once  bool  // its text varies, so preparing it does not pay
	order []int // for placeholders without numbers: which argument each one is
}

// Args returns what takes the places of the placeholders.
func (st *Statement) Args(args []any) []any {
	if st.order == nil {
		return args
	}
	all := make([]any, len(st.order))
	for i, n := range st.order {
		all[i] = args[n]
	}
	return all
}

// Lasting reports whether the statement will be used again.
func (st *Statement) Lasting() bool { return !st.once }

// Dialect is a family of databases.
type Dialect int

// The dialects.
const (
	Unknown Dialect = iota
	Postgres
	MySQL // and MariaDB
	SQLite
)

// String returns the dialect's name in errors.
func (d Dialect) String() string {
	switch d {
	case Postgres:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	case SQLite:
		return "SQLite"
	}
	return "unknown"
}

// names are a store's tables, quoted as the dialect wants it.
type names struct {
	dialect           Dialect
	sessions, members string // as statements name them
	index             string // the index of sessions on sweep, without a schema
	channel           string // of notifications that sessions have ended; "": none are sent
	changed           string // the function of PostgreSQL's triggers
	plain             [2]string
}

// Channel returns where PostgreSQL sends notifications that sessions have ended, "" if it
// sends none. It is the same in every schema: another process may find ours by its
// search path.
func (c *Config) Channel() string {
	if c.NoNotify {
		return ""
	}
	return c.prefix() + "ended"
}

// maxName is how long a prefix or schema may be: with it, every name fits everywhere.
const maxName = 40

func newNames(d Dialect, c *Config) names {
	schema, prefix := c.Schema, c.prefix()
	quote := `"`
	if d == MySQL {
		quote = "`"
	}
	in := ""
	if schema != "" {
		in = quote + schema + quote + "."
	}
	channel := ""
	if d == Postgres {
		channel = c.Channel()
	}
	return names{
		dialect:  d,
		channel:  channel,
		sessions: in + quote + prefix + "sessions" + quote,
		members:  in + quote + prefix + "members" + quote,
		index:    quote + prefix + "sessions_sweep" + quote,
		changed:  in + quote + prefix + "changed" + quote,
		plain:    [2]string{prefix + "sessions", prefix + "members"},
	}
}

// usable reports whether name needs no quoting inside of quotes.
func usable(name string) bool {
	for _, c := range name {
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(name) <= maxName
}

// ending makes a Statement of a DELETE of sessions, which in PostgreSQL also sends a
// notification of each.
func (n *names) ending(text string) *Statement {
	if n.channel != "" {
		text = `WITH ended AS (` + text + ` RETURNING id) SELECT ` + n.notification() + ` FROM ended`
	}
	return n.statement(text)
}

// notification sends the ID of the row at hand. A transaction that is rolled back sends
// none.
func (n *names) notification() string { return `pg_notify('` + n.channel + `', encode(id, 'hex'))` }

// statement makes a Statement of text, in which {s} and {m} are the tables, {i} the
// index, and $1, $2, … the arguments.
func (n *names) statement(text string) *Statement {
	text = strings.NewReplacer("{s}", n.sessions, "{m}", n.members, "{i}", n.index).Replace(text)
	if n.dialect == Postgres {
		return &Statement{Text: text}
	}
	st := &Statement{}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			break
		}
		digits := len(after) - len(strings.TrimLeft(after, "0123456789"))
		number, _ := strconv.Atoi(after[:digits])
		if n.dialect == SQLite {
			out.WriteString("?" + after[:digits])
		} else {
			out.WriteString("?")
			st.order = append(st.order, number-1)
		}
		text = after[digits:]
	}
	st.Text = out.String()
	return st
}
