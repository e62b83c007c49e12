package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the tool makes of the sample to testdata")

// The sample's figures and tables are those in testdata. Look at them after -update.
func TestChartsOfASample(t *testing.T) {
	dir := t.TempDir()
	doc := filepath.Join(dir, "doc.md")
	if err := os.WriteFile(doc, []byte("# Title\n\n"+begin("make bench-charts")+"old\n"+end+"\nThe rest.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-doc", doc, "-images", dir, "-command", "make bench-charts ROUNDS=2", "-note", "A note.", "testdata/peers.txt", "testdata/growth.txt"}
	if err := run(args, io.Discard); err != nil {
		t.Fatal(err)
	}
	made, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(made) != 8 {
		t.Fatalf("%d files, %v; want 7 figures and the document", len(made), err)
	}
	for _, path := range made {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		if strings.HasSuffix(name, ".svg") {
			wellFormed(t, name, got, ">satchel</text>", ">floor</text>")
		}
		golden := filepath.Join("testdata", name)
		want, err := os.ReadFile(golden)
		if *update && err == nil {
			err = os.WriteFile(golden, got, 0o600)
			want = got
		}
		// Some are enough: a figure of bars, one of lines, and the tables.
		if err == nil && !bytes.Equal(got, want) {
			t.Errorf("%s is not as in testdata", name)
		}
	}
}

// wellFormed checks what an image must have whatever it shows.
func wellFormed(t *testing.T, name string, svg []byte, names ...string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for _, want := range append(names, "<title>", "<desc>", "prefers-color-scheme: dark") {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("%s lacks %s", name, want)
		}
	}
	for _, never := range []string{"NaN", "Inf", "{{", "no value"} {
		if bytes.Contains(svg, []byte(never)) {
			t.Errorf("%s has %s", name, never)
		}
	}
}

func TestReplaceNeedsBothLines(t *testing.T) {
	begin := begin("make it")
	for _, text := range []string{"", begin, end, end + begin} {
		if got, err := replace(text, begin, "x"); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestTicksAreRound(t *testing.T) {
	for v, want := range map[float64]float64{0.7: 1, 1: 1, 1.1: 2, 3: 5, 6: 10, 120: 200, 51_000: 100_000} {
		if got := niceStep(v); got != want {
			t.Errorf("after %v comes %v, want %v", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 500: "500 ns", 1000: "1 µs", 999.9999999: "1 µs", 20_000: "20 µs", 5e6: "5 ms", 1e9: "1 s"} {
		if got := round(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

// Names that would lie upon each other are moved apart.
func TestNamesDoNotOverlap(t *testing.T) {
	list := []line{{NameY: 100}, {NameY: 101}, {NameY: 20}, {NameY: 99}}
	spread(list)
	for i, a := range list {
		for _, b := range list[:i] {
			if d := a.NameY - b.NameY; d > -12.5 && d < 12.5 {
				t.Errorf("at %v and %v", a.NameY, b.NameY)
			}
		}
	}
	if list[2].NameY != 20 {
		t.Error("one was moved without need")
	}
}

// What soak has measured becomes an image and the document's table.
func TestEnduranceOfASample(t *testing.T) {
	dir := t.TempDir()
	doc, file := filepath.Join(dir, "doc.md"), filepath.Join(dir, "endurance.txt")
	for path, text := range map[string]string{
		doc: "# Title\n\n" + begin("make endurance") + "old\n" + end + "\nThe rest.\n",
		file: "store\tseconds\tsessions\tsize\theap\tgoroutines\tp50\tp99\n" +
			"postgres\t10\t100\t1000000\t5000000\t12\t900\t4000\n" +
			"memory\t10\t90\t-1\t3000000\t9\t200\t700\n" +
			"postgres\t20\t200\t2000000\t6000000\t12\t800\t5000\n" +
			"memory\t20\t0\t-1\t3000000\t9\t0\t0\n" +
			"\nMeasured on 2026-11-30: 2 cores.\n\n| | memory |\n|-|-|\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"-endurance", file, "-doc", doc, "-images", dir, "-command", "make endurance", "-note", "A note."}
	if err := run(args, io.Discard); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "endurance.svg"))
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, "endurance.svg", svg, ">memory</text>", ">PostgreSQL</text>", ">0 MiB</text>", ">500 µs</text>")
	if n := bytes.Count(svg, []byte(`<path class="memory"`)); n != 5 {
		t.Errorf("%d lines for memory, want 5: its size is unknown", n)
	}
	got, err := os.ReadFile(doc)
	want := "# Title\n\n" + begin("make endurance") + "\nMeasured with `make endurance` on 2026-11-30: 2 cores. A note.\n\n" +
		"| | memory |\n|-|-|\n\n" + end + "\nThe rest.\n"
	if err != nil || string(got) != want {
		t.Errorf("the document is %q, %v; want %q", got, err, want)
	}
	for _, text := range []string{"", "store\tseconds\nmemory\t1\n", "store\tseconds\nmemory\n\nx", "store\tseconds\nmemory\tx\n\nx"} {
		if _, _, err := parseRecordings(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
