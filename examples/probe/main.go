// Command probe is a small server that uses every part of a session, for
// tests of the adapters from outside. One set of handlers runs in any
// framework, on any store.
//
//	go run ./examples/probe -framework echo5 -store cookie: -addr 127.0.0.1:8081
//
// It answers JSON; see README.md in the folder examples for its routes. Anybody who
// reaches it may revoke anybody's session: do not take it for an example application.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
	"github.com/satchel-go/satchel/echoadapter/echoapp"
	echo5app "github.com/satchel-go/satchel/echov5adapter/echoapp"
	"github.com/satchel-go/satchel/examples/internal/stores"
	"github.com/satchel-go/satchel/fiberadapter/fiberapp"
	fiber3app "github.com/satchel-go/satchel/fiberv3adapter/fiberapp"
	"github.com/satchel-go/satchel/ginadapter/ginapp"
)

// patience is how long requests in flight may take to finish after SIGTERM.
const patience = 60 * time.Second

var frameworks = map[string]adaptertest.NewApp{
	"nethttp": httpapp.New,
	"echo5":   echo5app.New,
	"echo":    echoapp.New,
	"gin":     ginapp.New,
	"fiber3":  fiber3app.New,
	"fiber":   fiberapp.New,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	newApp adaptertest.NewApp
	store  string
	addr   string
	debug  string
	config core.Config
}

func parse(args []string, usage io.Writer) (o options, err error) {
	f := flag.NewFlagSet("probe", flag.ContinueOnError)
	f.SetOutput(usage)
	framework := f.String("framework", "nethttp", "nethttp, echo5, echo, gin, fiber3 or fiber")
	f.StringVar(&o.store, "store", "memory:", "where sessions are kept: "+stores.Known())
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 takes a free one")
	f.StringVar(&o.debug, "debug", "", "loopback `host:port` that reports the number of goroutines, heap bytes and sessions")
	f.DurationVar(&o.config.IdleTimeout, "idle", 0, "idle timeout; 0 is the default of 30m, negative means none")
	f.DurationVar(&o.config.Lifetime, "absolute", 0, "absolute lifetime; 0 is the default of 12h, negative means none")
	carrier := f.String("carrier", "cookie", "how tokens travel: cookie, bearer or header:NAME")
	f.BoolVar(&o.config.InsecureAllowHTTP, "insecure", false, "let the cookie travel over plain HTTP")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q is not a flag; see -help", f.Arg(0))
	}
	for _, d := range []*time.Duration{&o.config.IdleTimeout, &o.config.Lifetime} {
		if *d < 0 {
			*d = core.NoTimeout
		}
	}
	switch name, ok := strings.CutPrefix(*carrier, "header:"); {
	case ok:
		o.config.Carrier = core.Header(name)
	case *carrier == "bearer":
		o.config.Carrier = core.Bearer
	case *carrier != "cookie":
		return o, fmt.Errorf("unknown carrier %q; known are cookie, bearer and header:NAME", *carrier)
	}
	if o.newApp = frameworks[*framework]; o.newApp == nil {
		return o, fmt.Errorf("unknown framework %q; known are nethttp, echo5, echo, gin, fiber3 and fiber", *framework)
	}
	return o, nil
}

// run serves until ctx is done, and then until requests in flight have finished.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	keys, random := stores.KeysFromEnv()
	backend, closeBackend, sessions, err := stores.OpenCounted(o.store, keys)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBackend()) }()
	m, err := core.New(backend, o.config)
	if err != nil {
		return err
	}
	if random && m.Traits().ClientSide {
		slog.Warn("SESSION_KEYS is not set: the key is random, and sessions end with this process")
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return err
	}
	app := newProbe(o.newApp, m)
	fmt.Fprintln(out, "listening on "+url(l.Addr()))
	if o.debug != "" {
		where, closeDebug, err := serveDebug(ctx, o.debug, sessions)
		if err != nil {
			return err
		}
		defer closeDebug() //nolint:errcheck // the process ends
		fmt.Fprintln(out, "debug on "+where)
	}

	ended := make(chan error, 1)
	go func() { ended <- app.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return app.Shutdown(finish)
}

// url returns where a client on this machine finds the listener.
func url(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", tcp.Port)
	}
	return "http://" + addr.String()
}
