// Command mutate shows that the tests would notice if a promise were broken.
//
//	mutate                    all mutations in internal/mutations
//	mutate -run '^K|echo'     those whose names match
//	mutate -overlay DIR       write into DIR what builds with them need, and run nothing
//
// A mutation is a patch that breaks one promise, with the name of the test
// that must catch it; mutation.go describes its format. The patched functions are
// built into the tests beside the real ones ("go test -overlay"), and an environment
// variable turns one on. So nothing in the working tree changes, and mutations run
// in parallel.
//
// It fails if a mutation is not caught: its test stays green, hangs, or fails
// without naming itself. It also fails if a patch no longer applies, does not
// compile, or names a test that does not pass without it. A promise of
// docs/promises.md or a commit point of an adapter without a mutation is a
// failure, too.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1) //nolint:gocritic // stop only restores the signal
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	root := flags.String("root", ".", "folder that files and packages are relative to")
	dir := flags.String("dir", "internal/mutations", "folder of the mutations, relative to root")
	table := flags.String("promises", "docs/promises.md", "table of promises, relative to root")
	only := flags.String("run", "", "only mutations whose names match this regexp")
	overlays := flags.String("overlay", "", "an empty folder for what \"go build -overlay\" takes; the environment variable "+variable+" then turns a mutation on")
	jobs := flags.Int("j", 2*runtime.NumCPU(), "how many tests run at once, since they often wait")
	timeout := flags.Duration("timeout", time.Minute, "how long one test may take")
	if err := flags.Parse(args); err != nil {
		return err
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	r, err := newRunner(*root, *timeout, *jobs)
	if err != nil {
		return err
	}
	defer r.close()
	all, err := readMutations(r.path(*dir))
	if err != nil {
		return err
	}
	page, err := os.ReadFile(r.path(*table))
	if err != nil {
		return err
	}
	problems := uncovered(all, promisesIn(string(page)))

	chosen := slices.DeleteFunc(slices.Clone(all), func(m mutation) bool { return !match.MatchString(m.name) })
	if len(chosen) == 0 {
		return fmt.Errorf("-run: no mutation's name matches %q", *only)
	}
	if *overlays != "" {
		return r.overlays(*overlays, chosen)
	}
	began := time.Now()
	results, err := r.runAll(ctx, chosen, newTable(stdout, chosen))
	if err != nil {
		return err
	}
	problems = append(problems, faults(results)...)
	for _, p := range problems {
		fmt.Fprintln(stdout, "  "+p)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d problems", len(problems))
	}
	fmt.Fprintf(stdout, "%d mutations, all caught, in %.0fs\n", len(chosen), time.Since(began).Seconds())
	return nil
}
