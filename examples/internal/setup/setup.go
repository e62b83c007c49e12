// Package setup reads the command line of the demo applications, so that their
// code shows sessions and little else.
package setup

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/examples/internal/stores"
)

// FromFlags returns the backend that -store names and a listener at -addr,
// and prints where to point a browser. If they are invalid, it ends the program.
func FromFlags() (core.Backend, net.Listener) {
	backend, l, err := parse(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return backend, l
}

func parse(args []string, out io.Writer) (core.Backend, net.Listener, error) {
	f := flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	addr := f.String("addr", "localhost:8080", "`host:port` to listen on; port 0 takes a free one")
	store := f.String("store", "memory:", "where sessions are kept: "+stores.Known())
	_ = f.Parse(args) // it exits
	if f.NArg() > 0 {
		return nil, nil, fmt.Errorf("%q is not a flag; see -help", f.Arg(0))
	}
	host, _, err := net.SplitHostPort(*addr)
	if err != nil {
		return nil, nil, fmt.Errorf("-addr %q: want a host and a port, such as localhost:8080", *addr)
	}
	keys, random := stores.KeysFromEnv()
	// Demo applications end with their process; there is nothing to close.
	backend, _, err := stores.Open(*store, keys)
	if err != nil {
		return nil, nil, fmt.Errorf("-store: %w", err)
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", *addr)
	if err != nil {
		return nil, nil, fmt.Errorf("-addr: %w; choose another with -addr localhost:8081", err)
	}
	if _, port, err := net.SplitHostPort(l.Addr().String()); err == nil {
		if host == "" {
			host = "localhost"
		}
		fmt.Fprintln(out, "Open http://"+net.JoinHostPort(host, port))
	}
	if random && stores.NeedsKeys(*store) {
		log.Print("SESSION_KEYS is not set: the key is random, and sessions end with this process.")
	}
	return backend, l, nil
}
