// Command satchel looks after the sessions in a store, without the application: it
// counts, lists, shows and ends them, and says what is wrong with the store.
//
//	export SATCHEL_STORE=redis://localhost   # or REDIS_URL, as the application has it
//	satchel doctor
//	satchel list ann
//	satchel revoke --all
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
