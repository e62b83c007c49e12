package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func checklistOf(events []event) (string, []string) {
	r := newResults()
	for _, e := range events {
		r.event(e)
	}
	return r.checklistTable()
}

func TestChecklistNumbers(t *testing.T) {
	last := 0
	for _, row := range checklist {
		if row.number <= last || row.title == "" || strings.ContainsAny(row.title, "|\n") {
			t.Errorf("%+v after SEC%d", row, last)
		}
		if (row.why == "") != row.required() {
			t.Errorf("%s: want a reason for rows without tests, and only for those", row.id())
		}
		last = row.number
	}
}

func TestChecklistTable(t *testing.T) {
	const pkg = modulePath + "core"
	events := append(fullRun(),
		event{Action: "pass", Package: pkg, Test: "TestSEC39Increments"},
		event{Action: "pass", Package: modulePath + "core/memstore", Test: "TestSEC39Increments"},
		event{Action: "pass", Package: pkg, Test: "FuzzSEC39Bytes"},
		event{Action: "pass", Package: pkg, Test: "FuzzSEC39Bytes/seed#0"},
		pass("TestConformanceFrom/nethttp/files/SEC39_words"),
		pass("TestConformance/gin/redis/SEC57_commits_on_text"),
		pass("TestConformance/gin/redis/SEC57_commits_on_stream"),
		limitOf("TestConformanceFrom/nethttp/files/K1_SEC39_words", "files K1 no"),
		limitOf("TestOther/nethttp/odd/K1_SEC39_words", "odd K1 no"),
		limitOf("TestConformance/gin/cookie/K1_SEC39_words", "cookie K1 no"))
	table, problems := checklistOf(events)
	if len(problems) > 0 {
		t.Errorf("problems: %q", problems)
	}
	n := len(cells())
	want := fmt.Sprintf("adapters: `SEC39_words` %d<br>stores: `SEC39_words` %d<br>"+
		"`FuzzSEC39Bytes` (core), `TestSEC39Increments` (core, core/memstore)<br>limited: cookie, files", n+1, len(storeSuites))
	if got := rowOf(t, table, "SEC39")[1]; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := rowOf(t, table, "SEC57")[1], fmt.Sprintf("adapters: `SEC57_commits_on_…` 2, `SEC57_words` %d", n); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := rowOf(t, table, "SEC55")[1]; !strings.HasPrefix(got, "does not apply: ") {
		t.Errorf("SEC55: %s", got)
	}
}

func TestChecklistProblems(t *testing.T) {
	for _, tc := range []struct {
		name   string
		events []event
		want   string
	}{
		{"no test in a store's suite", slices.DeleteFunc(fullRun(), func(e event) bool {
			return e.Package == modulePath+"core/sealed" && e.Test == "TestEncryptedStore/group/SEC39_words"
		}), "SEC39: no passing test in core/sealed.TestEncryptedStore"},
		{"a test of what does not apply", append(fullRun(), pass("TestSEC55Words")), "SEC55: has tests, but is listed as one that does not apply"},
		{"a test of no row", append(fullRun(), pass("TestSEC66Words")), "SEC66: has tests, but is not in the checklist"},
	} {
		_, problems := checklistOf(tc.events)
		if !slices.Equal(problems, []string{tc.want}) {
			t.Errorf("%s: got %q, want %q", tc.name, problems, tc.want)
		}
	}
	if table, _ := checklistOf(nil); !strings.Contains(table, "**missing**") {
		t.Error("an empty run is accepted")
	}
}
