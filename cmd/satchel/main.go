// Command satchel looks after the sessions in a store, without the application: it
// counts, lists, shows and ends them, and says what is wrong with the store.
//
//	export SATCHEL_STORE=redis://localhost   # or REDIS_URL, as the application has it
//	satchel doctor
//	satchel list ann
//	satchel revoke --all
//
// With --json, each line is an object. Names stay what they are; more may come:
//
//	count     sessions; with --detail logged_in, anonymous, unreadable
//	list      id, user, label, created, last_seen, expires, remembered, bytes, error
//	show      as list, and authenticated, saved, deadline, flashes (a number for each kind),
//	          values (each with key, type, bytes, and with --values value)
//	revoke    ended, dry_run
//	watch     event (watching, ended, many ended), id
//	doctor    level (ok, warning, problem), check, text
//	keys      key; with check variable, keys, error
//
// See docs/operations.md, and "satchel help".
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/satchel-go/satchel/cmd/satchel/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Terminal()))
}
