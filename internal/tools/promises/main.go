// Command promises runs the tests and reports which promises they keep.
//
//	promises test -json tmp/test.json -- -race work
//	promises table -json tmp/test.json -o docs/promises.md -security docs/security.md
//	promises table -json tmp/test.json -o docs/promises.md -security docs/security.md -check
//
// test runs "go test -json" with the arguments after "--", prints what plain
// "go test" would print, and keeps the events in a file.
//
// table reads that file and writes the tables of the promises and of the security
// checklist, with the names of their tests. It fails if a promise or a row that
// applies has no passing test, or has one that failed or was skipped. With -check
// it writes nothing, and also fails if a file is not what it would write: the committed
// tables name every test, so one that is gone changes them.
//
// A test's name says which promises it checks; see names.go. The rows and
// columns that must be filled are in rows.go and checklist.go.
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
	out := flags.String("o", "docs/promises.md", "file with the table of promises")
	security := flags.String("security", "", "file with the table of the security checklist; none if empty")
	check := flags.Bool("check", false, "write nothing; fail if the table in a file is not the current one")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "test":
		return runTests(ctx, *events, flags.Args(), stdout, stderr)
	case "table":
		return makeTables(*events, *out, *security, *check, stdout)
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

// makeTables writes or checks both pages.
func makeTables(events, out, security string, check bool, stdout io.Writer) error {
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
	more, err := makePage(out, newPage, table, check, stdout)
	if err != nil {
		return err
	}
	problems = append(problems, more...)
	if security != "" {
		table, missing := r.checklistTable()
		more, err := makePage(security, "", table, check, stdout)
		if err != nil {
			return err
		}
		problems = append(append(problems, missing...), more...)
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

// makePage puts a table into its page, or says that it is not there. A page that
// does not exist starts with the text of empty.
func makePage(name, empty, table string, check bool, stdout io.Writer) (problems []string, err error) {
	old, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	text := string(old)
	if text == "" {
		text = empty
	}
	page, err := replaceBetweenMarkers(text, table)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if page == string(old) {
		return nil, nil
	}
	if check {
		return []string{name + " is out of date: run \"make promises\", see with \"git diff --word-diff\" whether a test is gone, and commit it"}, nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
		return nil, err
	}
	fmt.Fprintln(stdout, "wrote", name)
	return nil, nil
}
