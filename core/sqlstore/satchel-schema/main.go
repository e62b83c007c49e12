// Command satchel-schema prints the statements that make the tables of
// [sqlstore.Store], for a migration:
//
//	go run github.com/satchel-go/satchel/core/sqlstore/satchel-schema -dialect postgres > migrations/0007_sessions.up.sql
//	go run github.com/satchel-go/satchel/core/sqlstore/satchel-schema -dialect postgres -down > migrations/0007_sessions.down.sql
//
// golang-migrate and programs that run plain SQL take it as it is. For goose, -goose
// puts both into one file.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/satchel-go/satchel/core/sqlstore"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "satchel-schema:", err)
		os.Exit(2)
	}
}

func run(args []string, out, messages io.Writer) error {
	flags := flag.NewFlagSet("satchel-schema", flag.ContinueOnError)
	flags.SetOutput(messages)
	name := flags.String("dialect", "", "postgres, mysql (also for MariaDB) or sqlite")
	var c sqlstore.Config
	flags.StringVar(&c.Prefix, "prefix", "", "Config.Prefix of the store (default "+sqlstore.DefaultPrefix+")")
	flags.StringVar(&c.Schema, "schema", "", "Config.Schema of the store")
	down := flags.Bool("down", false, "the statements that remove the tables, and with them all sessions")
	goose := flags.Bool("goose", false, "both directions, annotated for goose")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dialect, known := map[string]sqlstore.Dialect{
		"postgres": sqlstore.Postgres, "postgresql": sqlstore.Postgres, "mysql": sqlstore.MySQL, "mariadb": sqlstore.MySQL, "sqlite": sqlstore.SQLite,
	}[*name]
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case !known:
		return fmt.Errorf("-dialect %q: choose postgres, mysql or sqlite", *name)
	case *down && *goose:
		return errors.New("-goose prints both directions: leave out -down")
	}
	create, err := sqlstore.Schema(dialect, c)
	if err != nil {
		return err
	}
	text := create
	switch {
	case *down:
		text = drop(create)
	case *goose:
		text = "-- +goose Up\n" + create + "\n-- +goose Down\n" + drop(create)
	}
	_, err = io.WriteString(out, text)
	return err
}

// drop returns the statements that remove what create makes.
func drop(create string) string {
	var text string
	for line := range strings.Lines(create) {
		if table, ok := strings.CutPrefix(line, "CREATE TABLE IF NOT EXISTS "); ok {
			table, _, _ = strings.Cut(table, " (")
			text = "DROP TABLE " + table + ";\n" + text
		}
	}
	return text
}
