package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// runner builds and runs tests, with and without mutations.
type runner struct {
	root    string
	temp    string
	timeout time.Duration
	jobs    int
}

func newRunner(root string, timeout time.Duration, jobs int) (*runner, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, err
	}
	return &runner{root: abs, temp: temp, timeout: timeout, jobs: max(1, jobs)}, nil
}

func (r *runner) close() { _ = os.RemoveAll(r.temp) } // the system removes what is left

func (r *runner) path(file string) string { return filepath.Join(r.root, filepath.FromSlash(file)) }

func (r *runner) read(file string) (string, error) {
	source, err := os.ReadFile(r.path(file))
	return string(source), err
}

// result is the outcome of one mutation and one of its tests. err is nil if the
// test caught it.
type result struct {
	mutation mutation
	test     target
	took     time.Duration
	err      error
}

// runAll runs all tests without mutations and then with them. It shows the
// results of the latter as they come, in order.
func (r *runner) runAll(ctx context.Context, all []mutation, show func(result)) ([]result, error) {
	together, err := combine(all, r.read)
	if err != nil {
		return nil, err
	}
	overlay, err := r.overlay(r.temp, together.sources())
	if err != nil {
		return nil, err
	}
	var results []result
	for _, m := range all {
		for _, t := range m.tests {
			results = append(results, result{mutation: m, test: t})
		}
	}
	binaries, err := r.buildAll(ctx, results, overlay)
	if err != nil {
		return nil, err
	}
	sound := r.baseline(ctx, results, binaries)
	done := make([]chan struct{}, len(results))
	for i := range done {
		done[i] = make(chan struct{})
	}
	go each(r.jobs, len(results), func(i int) {
		defer close(done[i])
		res := &results[i]
		if res.err = sound[res.test]; res.err != nil {
			return
		}
		began := time.Now()
		if together.parts[res.mutation.name] {
			res.err = r.run(ctx, binaries[res.test.pkg], res.test, res.mutation.name)
		} else {
			res.err = r.alone(ctx, i, res.mutation, res.test)
		}
		res.took = time.Since(began)
	})
	for i := range results {
		<-done[i]
		show(results[i])
	}
	return results, nil
}

// each calls f with every number below n, some at a time.
func each(jobs, n int, f func(int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// buildAll builds the tests of all packages with all combined mutations, and returns where they
// are. The go command builds many packages at once, but one of a name in a folder.
func (r *runner) buildAll(ctx context.Context, results []result, overlay string) (map[string]string, error) {
	binaries, folders, named := map[string]string{}, map[string][]string{}, map[string]int{}
	for _, res := range results {
		pkg := res.test.pkg
		if binaries[pkg] != "" {
			continue
		}
		name := path.Base(pkg)
		dir := filepath.Join(r.temp, fmt.Sprint("tests", named[name]))
		named[name]++
		folders[dir] = append(folders[dir], pkg)
		binaries[pkg] = filepath.Join(dir, name+".test")
	}
	for dir, pkgs := range folders {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
		if err := r.build(ctx, dir, overlay, pkgs...); err != nil {
			return nil, err
		}
	}
	return binaries, nil
}

// baseline runs each test without a mutation, and returns what is wrong with it.
func (r *runner) baseline(ctx context.Context, results []result, binaries map[string]string) map[target]error {
	var tests []target
	sound := map[target]error{}
	for _, res := range results {
		if _, seen := sound[res.test]; !seen {
			sound[res.test] = nil
			tests = append(tests, res.test)
		}
	}
	var mu sync.Mutex
	each(r.jobs, len(tests), func(i int) {
		t := tests[i]
		out, failed := r.test(ctx, binaries[t.pkg], t, "")
		err := passes(t, out, failed)
		mu.Lock()
		sound[t] = err
		mu.Unlock()
	})
	return sound
}

// passes says what is wrong with a test that was run without a mutation.
func passes(t target, out string, failed error) error {
	switch {
	case failed != nil:
		return fmt.Errorf("%s fails without the mutation: %w\n%s", t.name, failed, tail(out))
	case says(out, "SKIP", t):
		return fmt.Errorf("%s was skipped", t.name)
	case !says(out, "PASS", t):
		return fmt.Errorf("there is no test %s in %s", t.name, t.pkg)
	}
	return nil
}

// alone builds t with m and nothing else, and returns nil if t catches m.
func (r *runner) alone(ctx context.Context, n int, m mutation, t target) error {
	dir := filepath.Join(r.temp, fmt.Sprint(n))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // close removes its parent
	overlay, err := r.overlayOf(dir, m)
	if err != nil {
		return err
	}
	binary := filepath.Join(dir, "mutant.test")
	if err := r.build(ctx, binary, overlay, t.pkg); err != nil {
		return err
	}
	return r.run(ctx, binary, t, "")
}

// run returns nil if t itself fails with the mutation that on names.
func (r *runner) run(ctx context.Context, binary string, t target, on string) error {
	out, failed := r.test(ctx, binary, t, on)
	switch {
	case failed == nil:
		return fmt.Errorf("SURVIVED: %s stays green", t.name)
	case strings.Contains(out, "panic: test timed out"):
		return fmt.Errorf("%s hangs without saying why", t.name)
	case !says(out, "FAIL", t):
		return fmt.Errorf("%s has not failed by itself: %w\n%s", t.name, failed, tail(out))
	}
	return nil
}

// overlays writes the list for a build with all mutations, "overlay.json", and into folders with
// their names those for mutations that need a build of their own.
func (r *runner) overlays(dir string, all []mutation) error {
	together, err := combine(all, r.read)
	if err != nil {
		return err
	}
	if _, err := r.overlay(dir, together.sources()); err != nil {
		return err
	}
	for _, m := range all {
		if together.parts[m.name] {
			continue
		}
		own := filepath.Join(dir, m.name)
		if err := os.Mkdir(own, 0o755); err != nil {
			return err
		}
		if _, err := r.overlayOf(own, m); err != nil {
			return err
		}
	}
	return nil
}

// overlayOf writes the sources of m alone.
func (r *runner) overlayOf(dir string, m mutation) (string, error) {
	sources := map[string]string{}
	for _, e := range m.edits {
		source, err := r.read(e.file)
		if err != nil {
			return "", err
		}
		if sources[e.file], err = e.apply(source); err != nil {
			return "", err
		}
	}
	return r.overlay(dir, sources)
}

// overlay writes sources, and the list of them for the go command.
func (r *runner) overlay(dir string, sources map[string]string) (string, error) {
	replace := map[string]string{}
	for name, source := range sources {
		file := filepath.Join(dir, fmt.Sprintf("source-%d.go", len(replace)))
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			return "", err
		}
		replace[r.path(name)] = file
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, list, 0o600)
}

// build builds the tests of packages, into a folder if there are several. Without debug data,
// linking takes half as long.
func (r *runner) build(ctx context.Context, binary, overlay string, pkgs ...string) error {
	args := append([]string{"test", "-c", "-o", binary, "-ldflags=-s -w", "-overlay", overlay}, pkgs...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = r.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: go test -c: %w\n%s", strings.Join(pkgs, " "), err, tail(string(out)))
	}
	return nil
}

// test runs one test, in its package's folder like the go command.
func (r *runner) test(ctx context.Context, binary string, t target, on string) (string, error) {
	// The limit is for binaries that ignore their own.
	ctx, cancel := context.WithTimeout(ctx, r.timeout+30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.v", "-test.run", t.pattern(), "-test.timeout", r.timeout.String())
	cmd.Dir = r.path(t.pkg)
	cmd.Env = append(os.Environ(), variable+"="+on)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), errors.Join(err, ctx.Err())
}

// says reports whether out contains t's own line with this verdict.
func says(out, verdict string, t target) bool {
	for line := range strings.Lines(out) {
		if strings.HasPrefix(strings.TrimLeft(line, " "), "--- "+verdict+": "+t.name+" (") {
			return true
		}
	}
	return false
}

// tail returns the last lines of an output.
func tail(out string) string {
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
