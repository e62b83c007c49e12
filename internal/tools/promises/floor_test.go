package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// checkAfter writes the pages from a run and changes the run. It returns what
// table -check then says about the pages, and what table says on rewriting them.
func checkAfter(t *testing.T, before, after []event) (checked, written string) {
	t.Helper()
	dir := t.TempDir()
	json, page, security := filepath.Join(dir, "test.json"), filepath.Join(dir, "promises.md"), filepath.Join(dir, "security.md")
	write(t, security, beginMarker+"\n"+endMarker+"\n")
	args := []string{"table", "-json", json, "-o", page, "-security", security}
	var out strings.Builder
	writeEvents(t, json, before)
	if err := run(t.Context(), args, &out, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	writeEvents(t, json, after)
	out.Reset()
	if err := run(t.Context(), append(args, "-check"), &out, &out); err == nil {
		t.Errorf("-check accepts it:\n%s", out.String())
	}
	checked = out.String()
	out.Reset()
	if err := run(t.Context(), args, &out, &out); err != nil {
		t.Errorf("what was removed on purpose: %v\n%s", err, out.String())
	}
	written = out.String()
	out.Reset()
	if err := run(t.Context(), append(args, "-check"), &out, &out); err != nil {
		t.Errorf("-check after that: %v\n%s", err, out.String())
	}
	return checked, written
}

func writeEvents(t *testing.T, file string, events []event) {
	t.Helper()
	var lines strings.Builder
	for _, e := range events {
		lines.WriteString(`{"Action":"` + e.Action + `","Package":"` + e.Package + `","Test":"` + e.Test + "\"}\n")
	}
	write(t, file, lines.String())
}

// inEachCell is a case of the adapter suite that has passed everywhere.
func inEachCell(name string) (all []event) {
	for _, c := range cells() {
		all = append(all, pass("TestConformance/"+c.String()+"/"+name))
	}
	return all
}

func unit(pkg, test string) event {
	return event{Action: "pass", Package: modulePath + pkg, Test: test}
}

func TestATestThatIsGone(t *testing.T) {
	more := slices.Concat(fullRun(), inEachCell("K2_more"), inEachCell("AD2_more"), inEachCell("SEC5_more"),
		[]event{unit("core", "TestK2LogoutWins"), unit("core/memstore", "TestK2LogoutWins"), unit("core", "TestSEC5Cookies")})
	without := func(part string) []event {
		return slices.DeleteFunc(slices.Clone(more), func(e event) bool { return strings.HasSuffix(e.Package+"."+e.Test, part) })
	}
	gone := fmt.Sprintf("0 passed, the page has %d", len(cells()))
	for _, tc := range []struct {
		name  string
		after []event
		want  string
	}{
		{"in all adapters and backends", without("/K2_more"), "K2: K2_more: " + gone},
		{"on one backend", slices.DeleteFunc(without("/gin/memory/K2_more"), func(e event) bool {
			return strings.HasSuffix(e.Test, "/memory/K2_more")
		}), fmt.Sprintf("K2: K2_more: %d passed, the page has %d", len(cells())-len(adapters), len(cells()))},
		{"the same, by column", without("/K2_more"), fmt.Sprintf("K2: redis: %d passed, the page has %d", len(adapters), 2*len(adapters))},
		{"under another name", append(without("/K2_more"), inEachCell("K2_other")...), "K2: K2_more: " + gone},
		{"a difference between frameworks", without("/AD2_more"), "AD2: AD2_more: " + gone},
		{"a row of the checklist", without("/SEC5_more"), "SEC5: SEC5_more: " + gone},
		{"a unit test", without("core.TestK2LogoutWins"), "K2: TestK2LogoutWins in core: 0 passed, the page has 1"},
		{"a unit test under another name", append(without("core.TestK2LogoutWins"), unit("core", "TestK2Other")), "K2: TestK2LogoutWins in core: 0 passed, the page has 1"},
		{"a unit test of the checklist", without("TestSEC5Cookies"), "SEC5: TestSEC5Cookies in core: 0 passed, the page has 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checked, written := checkAfter(t, more, tc.after)
			if !strings.Contains(checked, "  "+tc.want+"\n") {
				t.Errorf("-check says:\n%s\nwant %q", checked, tc.want)
			}
			if !strings.Contains(written, "  "+tc.want+"\n") {
				t.Errorf("writing says:\n%s\nwant %q", written, tc.want)
			}
		})
	}
}

// TestADifferenceThatIsGone: regenerating cannot remove a whole row.
func TestADifferenceThatIsGone(t *testing.T) {
	_, problems := tableOf(slices.DeleteFunc(fullRun(), func(e event) bool { return strings.Contains(e.Test, "/AD9_") }))
	for _, c := range cells() {
		if want := "AD9: no passing test for " + c.String(); !slices.Contains(problems, want) {
			t.Errorf("%q: no %q", problems, want)
		}
	}
}

// TestPromisesAreThoseOfTheDocs keeps the rows in step with what the
// documentation promises.
func TestPromisesAreThoseOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../../docs/semantics.md")
	if err != nil {
		t.Fatal(err)
	}
	var promised []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "## Client-side sessions") {
			break // the promises that they do not keep
		}
		if rest, ok := strings.CutPrefix(line, "- **"); ok {
			id, _, _ := strings.Cut(rest, "**")
			if slices.Equal(idsOf(id), []string{id}) {
				promised = append(promised, id)
			}
		}
	}
	if !slices.Equal(promised, corePromises) {
		t.Errorf("docs/semantics.md promises %q, and tests are wanted for %q", promised, corePromises)
	}
}

// TestCommittedPages shows that the pages are read as they are written: each row
// shows something that could go missing.
func TestCommittedPages(t *testing.T) {
	for file, rows := range map[string][]string{
		"promises.md": slices.Concat(corePromises, differences, requiredSEC), "security.md": requiredSEC,
	} {
		text, err := os.ReadFile("../../../docs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		found := showsOf(string(text))
		for _, id := range rows {
			named := 0
			for what := range found[id] {
				if slices.Contains(idsOf(strings.Fields(what)[0]), id) {
					named++
				}
			}
			if strings.HasPrefix(id, "SEC") && file == "promises.md" {
				named = len(found[id]) // their tests are named in the other page
			}
			if named == 0 {
				t.Errorf("%s: %s shows no test", file, id)
			}
		}
	}
}
