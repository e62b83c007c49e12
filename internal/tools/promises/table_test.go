package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fullRun returns the events of a run that fills every required cell.
func fullRun() []event {
	var all []event
	for _, c := range cells() {
		for _, id := range slices.Concat(corePromises, differences) {
			all = append(all, pass("TestConformance/"+c.String()+"/"+id+"_words"))
		}
	}
	for _, row := range checklist {
		switch row.reach {
		case everywhere:
			for _, c := range cells() {
				all = append(all, pass("TestConformance/"+c.String()+"/"+row.id()+"_words"))
			}
		case somewhere:
			all = append(all, pass("Test"+row.id()+"Words"))
		}
		for _, suite := range storeSuites {
			if row.stores {
				dot := strings.LastIndex(suite, ".")
				all = append(all, event{Action: "pass", Package: modulePath + suite[:dot], Test: suite[dot+1:] + "/group/" + row.id() + "_words"})
			}
		}
	}
	return all
}

func pass(test string) event { return event{Action: "pass", Test: test} }

func tableOf(events []event) (string, []string) {
	r := newResults()
	for _, e := range events {
		r.event(e)
	}
	return r.table()
}

// rowOf returns the cells of one row, core first.
func rowOf(t *testing.T, table, id string) []string {
	t.Helper()
	for line := range strings.Lines(table) {
		if rest, ok := strings.CutPrefix(line, "| "+id+" |"); ok {
			row := strings.Split(strings.TrimSuffix(strings.TrimSpace(rest), "|"), "|")
			for i := range row {
				row[i] = strings.TrimSpace(row[i])
			}
			return row
		}
	}
	t.Fatalf("no row %s in:\n%s", id, table)
	return nil
}

func TestFullRunPasses(t *testing.T) {
	events := append(fullRun(), pass("TestK2LogoutWins"), pass("TestSEC99Extra"))
	for _, adapter := range adapters {
		events = append(events, pass("TestConformance/"+adapter+"/memory/K2_SEC16_more"))
	}
	table, problems := tableOf(events)
	if len(problems) > 0 {
		t.Errorf("problems: %q", problems)
	}
	each, twice := fmt.Sprint(len(adapters)), fmt.Sprint(2*len(adapters))
	if row := rowOf(t, table, "K2"); row[0] != "1" || row[1] != twice || row[2] != each || len(row) != 1+len(backends) {
		t.Errorf("K2: %q", row)
	}
	if row := rowOf(t, table, "SEC16"); row[0] != fmt.Sprint(len(storeSuites)) || row[1] != twice || row[2] != each {
		t.Errorf("SEC16: %q", row)
	}
	if strings.Index(table, "| SEC68 ") > strings.Index(table, "| SEC99 ") {
		t.Error("rows are not in order")
	}
}

func TestProblems(t *testing.T) {
	const victim = "TestConformance/fiber/cookie/K2_words"
	without := func(test string) []event {
		return slices.DeleteFunc(fullRun(), func(e event) bool { return e.Test == test })
	}
	for _, tc := range []struct {
		name   string
		events []event
		want   string
	}{
		{"missing cell", without(victim), "K2: no passing test for fiber/cookie"},
		{"missing AD cell", without("TestConformance/gin/memory/AD2_words"), "AD2: no passing test for gin/memory"},
		{"missing in a header", without("TestConformance/echo/bearer/L2_words"), "L2: no passing test for echo/bearer"},
		{"missing SEC", without("TestSEC42Words"), "SEC42: no passing test"},
		{"missing SEC cell", without("TestConformance/echo/redis/SEC5_words"), "SEC5: no passing test for echo/redis"},
		{
			"case that one adapter did not run", append(fullRun(), pass("TestConformance/gin/redis/K2_more")),
			"K2_more: has not passed for fiber/redis, but for another adapter",
		},
		{"skipped", append(without(victim), event{Action: "skip", Test: victim}), "K2: " + victim + ": skipped"},
		{"skipped beside a pass", append(fullRun(), event{Action: "skip", Test: "TestK2Other"}), "K2: TestK2Other: skipped"},
		{"part skipped", append(fullRun(), event{Action: "skip", Test: victim + "/part"}), "K2: " + victim + "/part: skipped"},
		{"failed", append(fullRun(), event{Action: "fail", Test: "TestK2Other"}), "K2: TestK2Other: failed"},
		{"never ended", append(without(victim), event{Action: "run", Test: victim}), "K2: no passing test for fiber/cookie"},
		{"limit without a pass", append(without(victim), limitOf(victim, "cookie K2 no")), "K2: no passing test for fiber/cookie"},
	} {
		_, problems := tableOf(tc.events)
		if !slices.Contains(problems, tc.want) {
			t.Errorf("%s: got %q, want %q among them", tc.name, problems, tc.want)
		}
	}
}

func TestNothingRun(t *testing.T) {
	want := (len(corePromises)+len(differences))*len(cells()) + len(requiredSEC)
	for _, row := range checklist {
		if row.reach == everywhere {
			want += len(cells())
		}
	}
	want -= len(aboutCookies) * len(adapters)
	if _, problems := tableOf(nil); len(problems) != want {
		t.Errorf("%d problems, want %d", len(problems), want)
	}
}

// TestCookiesAreNotNeededInHeaders: what is about cookies alone has no test where tokens
// travel in a header.
func TestCookiesAreNotNeededInHeaders(t *testing.T) {
	events := slices.DeleteFunc(fullRun(), func(e event) bool {
		c, ok := cellOf(e.Test)
		id, _, _ := strings.Cut(e.Test[strings.LastIndexByte(e.Test, '/')+1:], "_")
		return ok && c.backend == inHeader && aboutCookies[id]
	})
	if len(events) == len(fullRun()) {
		t.Fatal("no test was left out")
	}
	if _, problems := tableOf(events); len(problems) != 0 {
		t.Errorf("problems: %q", problems)
	}
}

func limitOf(test, words string) event {
	return event{Action: "output", Test: test, Output: "    suite.go:12: promise-limit: " + words + "\n"}
}

func TestLimits(t *testing.T) {
	events := append(fullRun(),
		limitOf("TestConformance/echo/cookie/K1_words", "cookie K1 the last response wins"),
		limitOf("TestConformance/gin/cookie/K1_words", "cookie K1 the last response wins"),
		limitOf("TestConformance/fiber/cookie/K1_SEC39_words", "cookie K1 the last response wins"),
		limitOf("TestConformance/gin/memory/K1_words", "cookie K1 another backend's limit"))
	table, problems := tableOf(events)
	if len(problems) > 0 {
		t.Errorf("problems: %q", problems)
	}
	row := rowOf(t, table, "K1")
	each := fmt.Sprint(len(adapters))
	// Columns: core, memory, cookie and others.
	if row[1] != each || row[2] != "limited: 1" || row[3] != each {
		t.Errorf("K1: %q", row)
	}
	if row := rowOf(t, table, "SEC39"); row[1] != each || row[2] != "limited: 1" || row[3] != each {
		t.Errorf("SEC39, which a limited case names: %q", row)
	}
	if !strings.Contains(table, "\n1. the last response wins\n") || strings.Contains(table, "another backend") {
		t.Errorf("footnotes of:\n%s", table)
	}
}

func TestReplaceBetweenMarkers(t *testing.T) {
	first, err := replaceBetweenMarkers(newPage, "one")
	if err != nil {
		t.Fatal(err)
	}
	second, err := replaceBetweenMarkers("Kept.\n"+first+"Kept too.\n", "two")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(second, "one\n") || !strings.Contains(second, "\ntwo\n") ||
		!strings.HasPrefix(second, "Kept.\n") || !strings.HasSuffix(second, "Kept too.\n") {
		t.Errorf("got:\n%s", second)
	}
	if _, err := replaceBetweenMarkers("no markers\n", "x"); err == nil {
		t.Error("a page without markers was accepted")
	}
}
