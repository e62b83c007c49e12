package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRunsGoTest runs the tool on a small module.
func TestRunsGoTest(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a test binary")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.com/x\n\ngo 1.25.0\n")
	write(t, filepath.Join(dir, "x_test.go"), `package x

import "testing"

func TestGood(t *testing.T) { t.Log("quiet") }

func TestBad(t *testing.T) {
	t.Run("good", func(t *testing.T) { t.Log("quiet") })
	t.Run("bad", func(t *testing.T) { t.Error("loud") })
}
`)
	t.Chdir(dir)
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "")

	var out strings.Builder
	events := filepath.Join(dir, "tmp", "test.json")
	if err := run(t.Context(), []string{"test", "-json", events, "--", "./..."}, &out, &out); err == nil {
		t.Error("a failing test did not fail the run")
	}
	got := out.String()
	for _, want := range []string{"--- FAIL: TestBad/bad", "loud", "FAIL\texample.com/x\t", "2 passed, 2 failed, 0 skipped\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "quiet") || strings.Contains(got, "=== RUN") {
		t.Errorf("too much in:\n%s", got)
	}

	page := filepath.Join(dir, "docs", "promises.md")
	if err := run(t.Context(), []string{"table", "-json", events, "-o", page}, &out, &out); err == nil {
		t.Error("a run without tests of promises was accepted")
	}
	if _, err := os.Stat(page); err != nil {
		t.Error(err)
	}
}

func TestPrinter(t *testing.T) {
	var out strings.Builder
	p := newPrinter(&out)
	err := readEvents(strings.NewReader(`
{"Action":"build-output","ImportPath":"b","Output":"b.go:1: no such thing\n"}
{"Action":"run","Package":"a","Test":"TestHangs"}
{"Action":"output","Package":"a","Test":"TestHangs","Output":"=== RUN   TestHangs\n"}
{"Action":"output","Package":"a","Test":"TestHangs","Output":"panic: test timed out\n"}
{"Action":"output","Package":"ok","Output":"PASS\n"}
{"Action":"output","Package":"ok","Output":"ok  \tok\t0.1s\n"}
{"Action":"pass","Package":"ok"}
{"Action":"output","Package":"a","Output":"FAIL\ta\t1s\n"}
{"Action":"fail","Package":"a"}
stray text
{"Action":"run","Package":"cut","Test":"TestCut"}
{"Action":"output","Package":"cut","Test":"TestCut","Output":"last words\n"}`), p.event)
	if err != nil {
		t.Fatal(err)
	}
	p.close()
	const want = "b.go:1: no such thing\nok  \tok\t0.1s\npanic: test timed out\nFAIL\ta\t1s\n" +
		"stray text\nlast words\n0 passed, 0 failed, 0 skipped\n"
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestTableCommand(t *testing.T) {
	dir := t.TempDir()
	events, page := filepath.Join(dir, "test.json"), filepath.Join(dir, "promises.md")
	var lines strings.Builder
	for _, e := range fullRun() {
		lines.WriteString(`{"Action":"pass","Package":"` + e.Package + `","Test":"` + e.Test + "\"}\n")
	}
	write(t, events, lines.String())
	security := filepath.Join(dir, "security.md")
	write(t, security, "Threats.\n\n"+beginMarker+"\n"+endMarker+"\n")
	args := []string{"table", "-json", events, "-o", page, "-security", security}
	var out strings.Builder

	if err := run(t.Context(), append(args, "-check"), &out, &out); err == nil {
		t.Error("-check accepted a missing page")
	}
	if _, err := os.Stat(page); err == nil {
		t.Error("-check wrote the page")
	}
	if err := run(t.Context(), args, &out, &out); err != nil {
		t.Errorf("write: %v\n%s", err, out.String())
	}
	if err := run(t.Context(), append(args, "-check"), &out, &out); err != nil {
		t.Errorf("check: %v\n%s", err, out.String())
	}

	text, err := os.ReadFile(security)
	if err != nil || !strings.HasPrefix(string(text), "Threats.\n") || !strings.Contains(string(text), "| SEC1 |") {
		t.Errorf("%v, %.200s", err, text)
	}
	write(t, security, strings.Replace(string(text), "`SEC2_words` ", "`SEC2_words` 1", 1))
	if err := run(t.Context(), append(args, "-check"), &out, &out); err == nil || !strings.Contains(out.String(), security+" is out of date") {
		t.Errorf("-check accepted a changed table: %v", err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
