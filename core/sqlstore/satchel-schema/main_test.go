package main

import (
	"io"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core/sqlstore"
)

func TestSchemaForMigrations(t *testing.T) {
	create, err := sqlstore.Schema(sqlstore.MySQL, sqlstore.Config{Prefix: "shop_"})
	if err != nil {
		t.Fatal(err)
	}
	drop := "DROP TABLE `shop_members`;\nDROP TABLE `shop_sessions`;\n"
	for flags, want := range map[string]string{
		"":        create,
		" -down":  drop,
		" -goose": "-- +goose Up\n" + create + "\n-- +goose Down\n" + drop,
	} {
		var out strings.Builder
		if err := run(strings.Fields("-dialect mysql -prefix shop_"+flags), &out, io.Discard); err != nil || out.String() != want {
			t.Errorf("%s: %v, %s", flags, err, out.String())
		}
	}
}

func TestMistakesInFlags(t *testing.T) {
	for flags, want := range map[string]string{
		"":                             "choose postgres, mysql or sqlite",
		"-dialect oracle":              `"oracle"`,
		"-dialect sqlite -prefix a-b":  "letters, digits and underscores",
		"-dialect sqlite -goose -down": "leave out -down",
		"-dialect sqlite sessions":     `unexpected argument "sessions"`,
		"-dialect sqlite -unknown":     "not defined",
	} {
		var out strings.Builder
		if err := run(strings.Fields(flags), &out, io.Discard); err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%q: %v, and printed %q", flags, err, out.String())
		}
	}
}
