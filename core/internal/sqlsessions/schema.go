package sqlsessions

import (
	"context"
	"strings"
)

// schemaVersion is in the comment of each table. Releases that change the tables count
// it up, so that older ones refuse them.
const schemaVersion = 1

// comment begins the comments of our tables.
const comment = "satchel "

// The sweep column is the hour of the expiry, rounded up. An index on the expiry itself
// would make every touch write to that index, and in PostgreSQL to all others too; the
// hour changes seldom. The page is left a fifth empty so that touches find room in it.
const postgresSchema = `CREATE TABLE IF NOT EXISTS {s} (
  id      bytea   PRIMARY KEY, -- 16 bytes, public
  version bigint  NOT NULL,    -- random
  expires bigint  NOT NULL,    -- Unix milliseconds, by the application's clock
  sweep   integer NOT NULL,    -- the hour of the expiry, rounded up
  owner   bytea,               -- the user; NULL: anonymous
  data    bytea   NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX IF NOT EXISTS {i} ON {s} (sweep);
CREATE TABLE IF NOT EXISTS {m} (
  owner     bytea    NOT NULL,
  id        bytea    NOT NULL, -- of a session; one byte: a row of our own
  entered   bigint   NOT NULL, -- the order
  lapses    bigint   NOT NULL, -- until when a reservation stands, 0: none
  confirmed smallint NOT NULL, -- 1: as long as its session lives
  PRIMARY KEY (owner, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE {s} IS 'satchel 1';
COMMENT ON TABLE {m} IS 'satchel 1';
`

// postgresTriggers report every change, whoever makes it. A statement is in one line,
// because lines end statements.
const postgresTriggers = `CREATE OR REPLACE FUNCTION {f}() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN IF TG_OP = 'TRUNCATE' THEN PERFORM pg_notify('{c}', '` + EveryID + `'); ELSIF TG_OP = 'DELETE' THEN PERFORM pg_notify('{c}', encode(OLD.id, 'hex')); ELSE PERFORM pg_notify('{c}', encode(NEW.id, 'hex')); END IF; RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER satchel_changed AFTER INSERT OR UPDATE OR DELETE ON {s} FOR EACH ROW EXECUTE FUNCTION {f}();
CREATE OR REPLACE TRIGGER satchel_truncated AFTER TRUNCATE ON {s} FOR EACH STATEMENT EXECUTE FUNCTION {f}();
`

// Changes returns where the triggers of a table in PostgreSQL send notifications of
// changes, and the name of the table for to_regclass.
func (c *Config) Changes() (channel, table string) {
	n := newNames(Postgres, c)
	return c.prefix() + "changed", n.sessions
}

const mysqlSchema = `CREATE TABLE IF NOT EXISTS {s} (
  id      BINARY(16) NOT NULL COMMENT 'public',
  version BIGINT     NOT NULL COMMENT 'random',
  expires BIGINT     NOT NULL COMMENT 'Unix milliseconds, by the application''s clock',
  sweep   INT        NOT NULL COMMENT 'the hour of the expiry, rounded up',
  owner   VARBINARY(2048)     COMMENT 'the user; NULL: anonymous',
  data    MEDIUMBLOB NOT NULL,
  PRIMARY KEY (id),
  KEY {i} (sweep)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC COMMENT='satchel 1';
CREATE TABLE IF NOT EXISTS {m} (
  owner     VARBINARY(2048) NOT NULL,
  id        VARBINARY(16)   NOT NULL COMMENT 'of a session; one byte: a row of our own',
  entered   BIGINT          NOT NULL COMMENT 'the order',
  lapses    BIGINT          NOT NULL COMMENT 'until when a reservation stands, 0: none',
  confirmed TINYINT         NOT NULL COMMENT '1: as long as its session lives',
  PRIMARY KEY (owner, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC COMMENT='satchel 1';
`

const sqliteSchema = `CREATE TABLE IF NOT EXISTS {s} ( -- satchel 1
  id      BLOB    PRIMARY KEY NOT NULL, -- 16 bytes, public
  version INTEGER NOT NULL,             -- random
  expires INTEGER NOT NULL,             -- Unix milliseconds, by the application's clock
  sweep   INTEGER NOT NULL,             -- the hour of the expiry, rounded up
  owner   BLOB,                         -- the user; NULL: anonymous
  data    BLOB    NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS {i} ON {s} (sweep);
CREATE TABLE IF NOT EXISTS {m} ( -- satchel 1
  owner     BLOB    NOT NULL,
  id        BLOB    NOT NULL, -- of a session; one byte: a row of our own
  entered   INTEGER NOT NULL, -- the order
  lapses    INTEGER NOT NULL, -- until when a reservation stands, 0: none
  confirmed INTEGER NOT NULL, -- 1: as long as its session lives
  PRIMARY KEY (owner, id)
) WITHOUT ROWID;
`

// Schema returns the statements that make a store's tables, or an error that says what
// is wrong with its names.
func Schema(d Dialect, c Config) (string, error) {
	if err := c.validNames(d); err != nil {
		return "", err
	}
	n := newNames(d, &c)
	text := map[Dialect]string{Postgres: postgresSchema, MySQL: mysqlSchema, SQLite: sqliteSchema}[d]
	if c.NotifyChanges && d == Postgres {
		channel, _ := c.Changes()
		text += strings.NewReplacer("{f}", n.changed, "{c}", channel).Replace(postgresTriggers)
	}
	index := n.index
	if d == SQLite && c.Schema != "" { // there, an index is named with the schema, and its table without
		index = `"` + c.Schema + `".` + index
		text = strings.Replace(text, "ON {s}", `ON "`+n.plain[0]+`"`, 1)
	}
	return strings.NewReplacer("{s}", n.sessions, "{m}", n.members, "{i}", index).Replace(text), nil
}

// CreateTables makes the tables that are missing, and changes none that is there. It
// may be called by several processes at once. Only ctx bounds it.
func (s *Store) CreateTables(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	text, err := Schema(s.dialect, s.config)
	if err != nil {
		return err
	}
	err = s.db.Tx(ctx, func(tx Runner) error {
		if s.dialect == Postgres { // IF NOT EXISTS alone fails if another does the same
			lock := &Statement{Text: "SELECT pg_advisory_xact_lock(7382190463)", once: true}
			if _, err := tx.Exec(ctx, lock); err != nil {
				return err
			}
		}
		for _, one := range statementsIn(text) {
			if _, err := tx.Exec(ctx, &Statement{Text: one, once: true}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return s.failed("create tables", err)
	}
	return nil
}

// statementsIn returns the statements of a schema, without the comments.
func statementsIn(schema string) []string {
	var plain strings.Builder
	for line := range strings.Lines(schema) {
		line, note, _ := strings.Cut(strings.TrimRight(line, "\n"), "--")
		if strings.HasPrefix(note, " "+comment) { // SQLite keeps it in the table
			line += "--" + note
		}
		plain.WriteString(line + "\n")
	}
	var all []string
	for one := range strings.SplitSeq(plain.String(), ";\n") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, one)
		}
	}
	return all
}
