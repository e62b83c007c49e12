// Package cli has satchel's commands.
package cli

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/satchel-go/satchel/core"

	"github.com/satchel-go/satchel/cmd/satchel/internal/target"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1 // or the doctor found a problem
	exitUsage       = 2
	exitNotFound    = 3
	exitUnavailable = 4
	exitRefused     = 5 // not confirmed, or not supported by this store
)

// app is one run of the program.
type app struct {
	IO
	json    bool
	url     string
	prefix  string
	timeout time.Duration
	started bool // past the command line
}

// Main runs the command in args and returns the exit code.
func Main(ctx context.Context, args []string, streams IO) int {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // stores log; commands return errors
	a := &app{IO: streams}
	root := a.root()
	root.SetArgs(idsLast(args))
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	err := root.ExecuteContext(ctx)
	a.clear()
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		err = errInterrupted
	}
	if !errors.Is(err, errSilent) {
		a.say("satchel: %s", oneLine(err))
	}
	if forbidden(err) {
		a.say("satchel doctor names the permissions that this user lacks")
	}
	return a.code(err)
}

// idsLast puts IDs that begin with a dash, which one in 64 does, where they are not taken
// for flags.
func idsLast(args []string) []string {
	var rest, ids []string
	for i, arg := range args {
		_, err := core.ParseID(arg)
		if err != nil || arg[0] != '-' || i > 0 && args[i-1] == "--user" || slices.Contains(args[:i], "--") {
			rest = append(rest, arg)
		} else {
			ids = append(ids, arg)
		}
	}
	if len(ids) > 0 {
		rest = append(append(rest, "--"), ids...)
	}
	return rest
}

var (
	errSilent      = errors.New("told") // the output has told it already
	errInterrupted = errors.New("interrupted")
)

// forbidden reports whether Redis says that its user may not do that, in a script too.
func forbidden(err error) bool {
	return strings.Contains(err.Error(), "NOPERM") || strings.Contains(err.Error(), "can't run this command")
}

func (a *app) code(err error) int {
	switch {
	case errors.Is(err, target.ErrUsage), !a.started:
		return exitUsage
	case errors.Is(err, target.ErrRefused), errors.Is(err, core.ErrUnsupported):
		return exitRefused
	case errors.Is(err, core.ErrNotFound):
		return exitNotFound
	case forbidden(err):
		return exitFailed
	case errors.Is(err, core.ErrUnavailable), target.Away(err):
		return exitUnavailable
	}
	return exitFailed
}

const long = `satchel looks after the sessions in a store, without the application.

Which store: SATCHEL_STORE, or else REDIS_URL:

  redis://user@host:port/db  redis-cluster://a:port,b:port  redis-sentinel://a,b/master  unix:///path
  (rediss with TLS; gorilla-redis for gorillastore.RedisStore)
  postgres://user@host/db  mysql://user@host/db  sqlite:FILE  file:DIRECTORY

It reads the application's own settings: SESSION_NAMESPACE, SESSION_IDLE_TIMEOUT_IN_MINUTES and the
like, STORE_KEYS if the store is encrypted, SATCHEL_PREFIX if it does not have the usual prefix.

Exit codes: 0 done, 1 failed or a problem found, 2 usage, 3 not found, 4 store unavailable, 5 refused.`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "satchel", Short: "Look after sessions", Long: long, Version: version(),
		Example:       "  satchel doctor\n  satchel list ann\n  satchel revoke --user ann",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			switch {
			case target.HasPassword(a.url):
				return target.Usage("a password on the command line shows in process lists: set SATCHEL_STORE instead")
			case a.timeout <= 0:
				return target.Usage("--timeout must be above zero")
			}
			a.started = true
			return nil
		},
	}
	root.SetVersionTemplate("satchel {{.Version}}\n")
	flags := root.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "one JSON object a line")
	flags.StringVar(&a.url, "store", "", "URL of the store, without a password (default $SATCHEL_STORE, else $REDIS_URL)")
	flags.StringVar(&a.prefix, "prefix", "", "what keys or tables begin with (default $SATCHEL_PREFIX, else the store's)")
	flags.DurationVar(&a.timeout, "timeout", 10*time.Second, "of each call to the store")
	root.AddCommand(a.doctor(), a.count(), a.list(), a.show(), a.revoke(), a.watch(), a.keys())
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.HasSubCommands() { // which cobra would answer with help and 0, whatever is typed
			c.Args, c.RunE = cobra.NoArgs, func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
	return root
}

// version returns that of this module, which may be a dependency of what was built.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == "github.com/satchel-go/satchel/cmd/satchel" && m.Version != "" {
				return m.Version
			}
		}
	}
	return "(devel)"
}

func (a *app) target() target.Config {
	return target.Config{URL: a.url, Prefix: a.prefix, Timeout: a.timeout, Now: a.Now}
}

// with runs f on the store.
func (a *app) with(f func(*target.Target) error) error {
	t, err := target.Open(a.target())
	if err != nil {
		return err
	}
	return errors.Join(f(t), t.Close())
}

// parseIDs parses IDs of sessions.
func parseIDs(args []string) ([]core.ID, error) {
	ids := make([]core.ID, len(args))
	for i, arg := range args {
		var err error
		if ids[i], err = core.ParseID(arg); err != nil {
			return nil, target.Usage("%q is no session's ID: it has 22 letters, digits, - and _", short(arg))
		}
	}
	return ids, nil
}

// short bounds what was typed, for a message: it may be a token.
func short(arg string) string {
	if len(arg) > 22 {
		return arg[:8] + "…"
	}
	return arg
}

// oneLine returns what err says, in one line without control characters.
func oneLine(err error) string {
	return printable(strings.Join(strings.Fields(err.Error()), " "))
}
