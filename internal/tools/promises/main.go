// Command promises runs the tests and reports which promises they keep.
//
//	promises test -json tmp/test.json -- -race work
//	promises table -json tmp/test.json -o docs/promises.md
//	promises table -json tmp/test.json -o docs/promises.md -check
//
// test runs "go test -json" with the arguments after "--", prints what plain
// "go test" would print, and keeps the events in a file. table reads that
// file and writes the table of promises; it fails if a promise that applies
// has no passing test, or has one that failed or was skipped. With -check it
// writes nothing and also fails if the file is not what it would write.
//
// A test tells by its name which promises it checks; see names.go. The rows
// and columns that must be filled are in rows.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "promises:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errors.New("want a command: test or table")
	}
	flags := flag.NewFlagSet("promises "+args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	events := flags.String("json", "tmp/test.json", "file of test events")
	out := flags.String("o", "docs/promises.md", "file with the table")
	check := flags.Bool("check", false, "write nothing; fail if the table in the file is not the current one")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "test":
		return runTests(ctx, *events, flags.Args(), stdout, stderr)
	case "table":
		return makeTable(*events, *out, *check, stdout)
	}
	return fmt.Errorf("unknown command %q: want test or table", args[0])
}

// runTests keeps the events under a temporary name until the run is over, so
// that an interrupted run is not taken for a complete one.
func runTests(ctx context.Context, file string, args []string, stdout, stderr io.Writer) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	partial := file + ".partial"
	f, err := os.Create(partial)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // closed below; this is for the early returns

	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p := newPrinter(stdout)
	readErr := readEvents(io.TeeReader(pipe, f), p.event)
	if readErr != nil {
		// Drain, or go test would block on a full pipe.
		_, _ = io.Copy(io.Discard, pipe)
	}
	waitErr := cmd.Wait()
	p.close()
	if err := errors.Join(readErr, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(partial, file); err != nil {
		return err
	}
	if waitErr != nil {
		return fmt.Errorf("go test: %w", waitErr)
	}
	if p.failed > 0 {
		return fmt.Errorf("%d tests failed", p.failed)
	}
	return nil
}

func makeTable(events, out string, check bool, stdout io.Writer) error {
	f, err := os.Open(events)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	r := newResults()
	if err := readEvents(f, r.event); err != nil {
		return fmt.Errorf("%s: %w", events, err)
	}
	table, problems := r.table()

	old, err := os.ReadFile(out)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	page, err := replaceBetweenMarkers(string(old), table)
	if err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	switch {
	case page == string(old):
	case check:
		problems = append(problems, out+" is out of date: run \"make promises\" and commit it")
	default:
		if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(out, []byte(page), 0o644); err != nil {
			return err
		}
		fmt.Fprintln(stdout, "wrote", out)
	}
	if len(problems) == 0 {
		fmt.Fprintln(stdout, "every promise that applies has a passing test")
		return nil
	}
	for _, p := range problems {
		fmt.Fprintln(stdout, "  "+p)
	}
	return fmt.Errorf("%d problems", len(problems))
}
