// Command medians runs the benchmarks beside other libraries several times. For
// each, it prints the median and Satchel's share of it, and how it compares with the
// floor and with its framework alone.
//
//	medians -dir bench -rounds 25 -bench /read/redis
//	medians -rounds 3 -bench Growth -sessions 1000000
//
// Each round runs all benchmarks once, so that a disturbance of the machine hits
// all of them. A ratio is the median of the ratios within the rounds, so it does
// not change when the machine becomes slower in between.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/satchel-go/satchel/internal/tools/benchresults"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "medians:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("medians", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", "bench", "folder of the module with the benchmarks")
	rounds := flags.Int("rounds", 25, "how often to run them")
	pattern := flags.String("bench", ".", "which ones, as in go test")
	benchtime := flags.String("benchtime", "150ms", "for how long each, as in go test")
	sessions := flags.Int("sessions", 0, "the most sessions in a store, for benchmarks that need it; 0 leaves them out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *rounds < 1 {
		return errors.New("want at least one round")
	}
	temp, err := os.MkdirTemp("", "medians")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) //nolint:errcheck // a temporary folder
	binary := filepath.Join(temp, "bench.test")

	var output bytes.Buffer
	var res *benchresults.Results
	start := func(name string, args ...string) error {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir, cmd.Env = *dir, append(os.Environ(), "GOWORK=off") // the peers are not in the workspace
		cmd.Stdout, cmd.Stderr = io.MultiWriter(stdout, &output), stderr
		return cmd.Run()
	}
	if err := start("go", "test", "-c", "-o", binary, "."); err != nil {
		return fmt.Errorf("go test -c: %w", err)
	}
	// For the charts: what the benchmarks themselves do not say.
	fmt.Fprintf(stdout, "date: %s\ngo: %s\ncores: %d\n", time.Now().Format("2 January 2006"), runtime.Version(), runtime.NumCPU())
	for i := range *rounds {
		fmt.Fprintf(stdout, "--- round %d of %d\n", i+1, *rounds)
		if err := start(binary, "-test.run", "^$", "-test.bench", *pattern, "-test.benchtime", *benchtime,
			"-sessions", strconv.Itoa(*sessions)); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		if res, err = benchresults.Parse(bytes.NewReader(output.Bytes())); err != nil {
			return err
		}
	}
	return show(stdout, res)
}
