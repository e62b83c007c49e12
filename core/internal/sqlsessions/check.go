package sqlsessions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// checkAttempts is how often the first check asks: making a connection can take longer
// than a call may.
const checkAttempts = 4

// Validate implements [core.Validator]; [core.New] calls it. It reports
//
//   - a Config that cannot work;
//   - a database that does not answer, or where nothing can be written, as on a standby;
//   - tables, columns, keys and indexes that are missing or of the wrong kind, or made by
//     a newer release;
//   - privileges that the user lacks.
func (s *Store) Validate() error {
	if s.err != nil || s.config.SkipChecks {
		return s.err
	}
	c := checking{s: s, ctx: context.Background()}
	err := c.role()
	for range checkAttempts - 1 {
		if !errors.Is(err, context.DeadlineExceeded) {
			break
		}
		err = c.role()
	}
	if err == nil {
		err = c.tables()
	}
	if err == nil {
		err = c.privileges()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.layer, err)
	}
	return nil
}

// checking is one Validate.
type checking struct {
	s   *Store
	ctx context.Context
}

// query runs a query once more until it gets an answer.
func (c checking) query(text string, row func(scan Scan) error, args ...any) error {
	st := c.s.names.statement(text)
	st.once = true
	return c.s.call(c.ctx, func(ctx context.Context, _ bool) error { return c.s.db.Query(ctx, st, row, args...) })
}

// advised returns an error that says first what to do.
func advised(advice string, err error) error { return fmt.Errorf("%s: %w", advice, err) }

const usePrimary = "nothing can be written here: connect to the primary server"

// role looks whether the server answers, and may be written to.
func (c checking) role() error {
	var err error
	switch c.s.dialect {
	case Postgres:
		var standby, readOnly string
		err = c.query(`SELECT pg_is_in_recovery()::text, current_setting('transaction_read_only')`,
			func(scan Scan) error { return scan(&standby, &readOnly) })
		if err == nil && standby == "true" {
			return errors.New("the server is a standby: " + usePrimary)
		}
		if err == nil && readOnly == "on" {
			return errors.New("transactions are read-only (default_transaction_read_only): turn that off for the sessions' user")
		}
	case MySQL:
		var readOnly string
		var packet int64
		err = c.query(`SELECT @@global.read_only, @@global.max_allowed_packet`, func(scan Scan) error { return scan(&readOnly, &packet) })
		if err == nil && readOnly != "0" && readOnly != "OFF" {
			return errors.New("the server is read_only, as a replica is: " + usePrimary)
		}
		if err == nil && packet < 1<<20 {
			return fmt.Errorf("the server's max_allowed_packet is %d bytes, too few for large sessions: set it to 1 MiB or more", packet)
		}
	default:
		var journal string
		err = c.query(`PRAGMA journal_mode`, func(scan Scan) error { return scan(&journal) })
		switch {
		case err != nil:
		case journal == "memory" && !c.s.db.Single():
			return errors.New("the database is in memory, and each connection has its own: use a file, or db.SetMaxOpenConns(1)")
		case journal != "wal" && journal != "memory":
			return fmt.Errorf("the journal mode is %s, in which readers and writers wait for each other: run PRAGMA journal_mode = WAL, "+
				"or set it in the data source, in the driver's words: %s", journal, cmp.Or(c.s.config.Source, "see its documentation"))
		}
	}
	return diagnosed(err)
}

// diagnosed says what to change, given an error of the first call.
func diagnosed(err error) error {
	if err == nil {
		return nil
	}
	code := codeOf(err)
	switch {
	case code == "28P01", code == "28000", code == "1045", code == "1698":
		return advised("the server refuses the user or the password", err)
	case code == "3D000", code == "1049", code == "1044":
		return advised("the server has no such database for this user", err)
	case judge(err) == down, judge(err) == lost, errors.Is(err, context.DeadlineExceeded):
		return advised("the database cannot be reached: check that it runs, its address, and whether it uses TLS", err)
	}
	return advised("the database does not answer as it should: check Config.Dialect", err)
}

// codeOf returns PostgreSQL's code of an error, or MySQL's number.
func codeOf(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) && state.SQLState() != "" {
		return state.SQLState()
	}
	if number, ok := mysqlNumber(err.Error()); ok {
		return strconv.Itoa(number)
	}
	return ""
}

// column is what a column must be: one of some types.
type column struct {
	name string
	is   [3][]string // by dialect
}

var (
	integers  = [3][]string{{"bigint"}, {"bigint"}, {"INTEGER"}}
	small     = [3][]string{{"smallint", "integer", "bigint"}, {"tinyint", "smallint", "int", "bigint"}, {"INTEGER"}}
	hours     = [3][]string{{"integer", "bigint"}, {"int", "bigint"}, {"INTEGER"}}
	bytesOnly = [3][]string{{"bytea"}, {"binary", "varbinary"}, {"BLOB"}}
	large     = [3][]string{{"bytea"}, {"mediumblob", "longblob"}, {"BLOB"}}
)

// wanted are the columns of the two tables.
var wanted = [2][]column{
	{{"id", bytesOnly}, {"version", integers}, {"expires", integers}, {"sweep", hours}, {"owner", bytesOnly}, {"data", large}},
	{{"owner", bytesOnly}, {"id", bytesOnly}, {"entered", integers}, {"lapses", integers}, {"confirmed", small}},
}

// tables looks at what is there.
func (c checking) tables() error {
	for i, name := range c.s.names.plain {
		there, note, err := c.columns(name)
		if err != nil {
			return advised("the tables cannot be looked at", err)
		}
		if len(there) == 0 {
			return fmt.Errorf("the table %s is not there: call the Store's CreateTables, or run what Schema returns", name)
		}
		if version, ok := versionIn(note); ok && version > schemaVersion {
			return fmt.Errorf("a newer release has made the table %s: %w", name, core.ErrNewerVersion)
		}
		for _, w := range wanted[i] {
			is, ok := there[w.name]
			if !ok {
				return fmt.Errorf("the table %s has no column %s: compare it with what Schema returns", name, w.name)
			}
			if kinds := w.is[c.s.dialect-1]; !slices.Contains(kinds, strings.Fields(is)[0]) {
				return fmt.Errorf("the column %s of the table %s is %s: make it %s", w.name, name, is, kinds[0])
			}
		}
		if err := c.keys(i, name); err != nil {
			return err
		}
	}
	return nil
}

// columns returns the type of each column, and the table's comment.
func (c checking) columns(table string) (there map[string]string, note string, err error) {
	there = map[string]string{}
	row := func(scan Scan) error {
		var name, kind string
		if err := scan(&name, &kind, &note); err != nil {
			return err
		}
		if there[name] = kind; kind == "" {
			there[name] = "without a type"
		}
		return nil
	}
	schema := c.s.config.Schema
	switch c.s.dialect {
	case Postgres:
		err = c.query(`SELECT a.attname::text, format_type(a.atttypid, NULL), coalesce(obj_description(a.attrelid, 'pg_class'), '')
			FROM pg_attribute a WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped`, row, quoted(schema, table))
	case MySQL:
		err = c.query(`SELECT c.COLUMN_NAME, CONCAT(c.DATA_TYPE, IF(c.COLLATION_NAME IS NULL, '', CONCAT(' with the collation ', c.COLLATION_NAME))), t.TABLE_COMMENT
			FROM information_schema.COLUMNS c JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
			WHERE c.TABLE_SCHEMA = COALESCE(NULLIF($1, ''), DATABASE()) AND c.TABLE_NAME = $2`, row, schema, table)
	default:
		master := `sqlite_master`
		if schema != "" {
			master = `"` + schema + `".sqlite_master`
		} else {
			schema = "main"
		}
		err = c.query(`SELECT c.name, c.type, m.sql FROM `+master+` m JOIN pragma_table_info($1, $2) c WHERE m.type = 'table' AND m.name = $1`, row, table, schema)
	}
	return there, note, err
}

func quoted(schema, table string) string {
	if schema != "" {
		return `"` + schema + `"."` + table + `"`
	}
	return `"` + table + `"`
}

// versionIn returns the version in a table's comment, or in SQLite's statement.
func versionIn(note string) (int, bool) {
	_, note, found := strings.Cut(note, comment)
	for i := 0; found && i < 8; i++ { // in SQLite, the table's name may hold the word too
		digits := len(note) - len(strings.TrimLeft(note, "0123456789"))
		if version, err := strconv.Atoi(note[:digits]); err == nil {
			return version, true
		}
		_, note, found = strings.Cut(note, comment)
	}
	return 0, false
}

// keys looks for the primary key, without which no condition is safe, and the index.
func (c checking) keys(i int, table string) error {
	primary, index := []string{"id"}, i == 0
	if i == 1 {
		primary = []string{"owner", "id"}
	}
	var key []string
	swept := false
	row := func(scan Scan) error {
		var (
			name   string
			isMain bool
			place  int
		)
		if err := scan(&name, &isMain, &place); err != nil {
			return err
		}
		if isMain {
			key = append(key, name)
		}
		swept = swept || name == "sweep" && place == 1
		return nil
	}
	schema := c.s.config.Schema
	var err error
	switch c.s.dialect {
	case Postgres:
		err = c.query(`SELECT a.attname::text, i.indisprimary, k.place::int FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
			JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE i.indrelid = to_regclass($1::text) AND i.indisvalid ORDER BY i.indexrelid, k.place`,
			row, quoted(schema, table))
	case MySQL:
		err = c.query(`SELECT COLUMN_NAME, INDEX_NAME = 'PRIMARY', SEQ_IN_INDEX FROM information_schema.STATISTICS
			WHERE TABLE_SCHEMA = COALESCE(NULLIF($1, ''), DATABASE()) AND TABLE_NAME = $2 ORDER BY INDEX_NAME, SEQ_IN_INDEX`, row, schema, table)
	default:
		if schema == "" {
			schema = "main"
		}
		err = c.query(`SELECT name, 1, pk FROM pragma_table_info($1, $2) WHERE pk > 0 UNION ALL
			SELECT c.name, 0, c.seqno + 1 FROM pragma_index_list($1, $2) l JOIN pragma_index_info(l.name, $2) c WHERE l.origin = 'c' ORDER BY 2 DESC, 3`, row, table, schema)
	}
	switch {
	case err != nil:
		return advised("the keys of the tables cannot be looked at", err)
	case !slices.Equal(key, primary):
		return fmt.Errorf("the primary key of the table %s is (%s): make it (%s), or sessions overwrite each other", table,
			strings.Join(key, ", "), strings.Join(primary, ", "))
	case index && !swept:
		return fmt.Errorf("the table %s has no index on sweep, without which the clean-up reads all of it: CREATE INDEX %s ON %s (sweep)", table,
			c.s.names.index, c.s.names.sessions)
	}
	return nil
}

// privileges tries what calls do, on no row.
func (c checking) privileges() error {
	for i, table := range []string{c.s.names.sessions, c.s.names.members} {
		for _, try := range []struct{ privilege, text string }{
			{"SELECT", "SELECT 1 FROM " + table + " WHERE 1 = 0"},
			{"INSERT", "INSERT INTO " + table + " SELECT * FROM " + table + " WHERE 1 = 0"},
			{"UPDATE", "UPDATE " + table + " SET id = id WHERE 1 = 0"},
			{"DELETE", "DELETE FROM " + table + " WHERE 1 = 0"},
		} {
			st := &Statement{Text: try.text, once: true}
			err := c.s.call(c.ctx, func(ctx context.Context, _ bool) (err error) {
				if try.privilege == "SELECT" {
					return c.s.db.Query(ctx, st, func(Scan) error { return nil })
				}
				_, err = c.s.db.Exec(ctx, st)
				return err
			})
			if err == nil {
				continue
			}
			switch code := codeOf(err); {
			case code == "42501", code == "1142", code == "1143", code == "1370":
				return advised(fmt.Sprintf("the user may not %s in the table %s: GRANT SELECT, INSERT, UPDATE, DELETE ON it",
					try.privilege, c.s.names.plain[i]), err)
			case readOnly(err):
				return advised(usePrimary, err)
			}
			return advised(fmt.Sprintf("%s fails in the table %s", try.privilege, c.s.names.plain[i]), err)
		}
	}
	return nil
}

// readOnly reports whether the server, or SQLite's file, takes no writes.
func readOnly(err error) bool {
	code := codeOf(err)
	return code == "25006" || code == "1290" || code == "1836" || strings.Contains(err.Error(), "readonly database")
}
