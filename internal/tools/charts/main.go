// Command charts draws the figures of docs/benchmarks.md, and writes its tables, from
// what the command medians has printed.
//
//	charts -doc docs/benchmarks.md -images docs/images -command "make bench-charts" tmp/bench-peers.txt tmp/bench-growth.txt
//
// The first file has the benchmarks beside other libraries, the second those of growing
// stores and of memory. With -endurance, it draws the figure of docs/testing.md from what the
// command soak has written. The images have a light and a dark form, of which the browser
// chooses one.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/satchel-go/satchel/internal/tools/benchresults"
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "charts:", err)
		os.Exit(1)
	}
}

func run(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("charts", flag.ContinueOnError)
	flags.SetOutput(stderr)
	doc := flags.String("doc", "docs/benchmarks.md", "document whose tables are replaced")
	images := flags.String("images", "docs/images", "folder for the figures")
	command := flags.String("command", "make bench-charts", "the command that made the figures, for the document")
	note := flags.String("note", "", "what else the document has to say about the run")
	endurance := flags.String("endurance", "", "`file` of what soak has measured, instead of the two of benchmarks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *endurance != "" {
		return drawEndurance(*endurance, *doc, *images, *command, *note)
	}
	if flags.NArg() != 2 {
		return errors.New("want two files: the benchmarks beside other libraries, and those of growing stores")
	}
	var results [2]*benchresults.Results
	for i, name := range flags.Args() {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if results[i], err = benchresults.Parse(bytes.NewReader(text)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, f := range figures(results[0], results[1]) {
		var svg bytes.Buffer
		if err := f.draw(&svg); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(*images, "benchmarks-"+f.name()+".svg"), svg.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return fill(*doc, "make bench-charts", tables(results[0], *command, *note))
}

// drawEndurance draws what soak has measured, and puts its table into the document.
func drawEndurance(file, doc, images, command, note string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	list, table, err := parseRecordings(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var svg bytes.Buffer
	if err := timelines(list).draw(&svg); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(images, "endurance.svg"), svg.Bytes(), 0o644); err != nil {
		return err
	}
	facts, table, _ := strings.Cut(table, "\n\n")
	facts = strings.Replace(facts, "Measured on", "Measured with `"+command+"` on", 1)
	return fill(doc, "make endurance", strings.TrimSpace(facts+" "+note)+"\n\n"+table)
}

// fill puts tables between the lines of a document that are for those of a command.
func fill(doc, command, tables string) error {
	text, err := os.ReadFile(doc)
	if err != nil {
		return err
	}
	replaced, err := replace(string(text), begin(command), tables)
	if err != nil {
		return fmt.Errorf("%s: %w", doc, err)
	}
	return os.WriteFile(doc, []byte(replaced), 0o644)
}

// The tables stand between these lines.
func begin(command string) string { return "<!-- figures: " + command + " -->\n" }

const end = "<!-- end of figures -->\n"

// replace puts tables between the lines of text that are for them.
func replace(text, begin, tables string) (string, error) {
	before, rest, ok := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("want the lines %q and %q", begin, end)
	}
	return before + begin + "\n" + tables + "\n" + end + after, nil
}
