package adaptertest

import (
	"fmt"
	"strings"
	"testing"
)

// TestCases checks the table itself: names are unique, every case has an
// explanation, and every promise has a case.
func TestCases(t *testing.T) {
	seen, promises, limits := map[string]bool{}, map[string]int{}, map[string]int{}
	for _, c := range allCases() {
		if seen[c.name] {
			t.Errorf("two cases are called %s", c.name)
		}
		seen[c.name] = true
		for word := range strings.SplitSeq(c.name, "_") { // the first ones are promises
			promises[word]++
		}
		if c.limited != nil {
			limits[c.id()]++
		}
		if c.header && c.cookie != "" {
			t.Errorf("%s is never run", c.name)
		}
		if strings.ContainsAny(c.name, " /") || !strings.HasSuffix(c.why, ".") || c.run == nil {
			t.Errorf("%s: want a name without spaces and an explanation that is a sentence", c.name)
		}
	}
	for prefix, n := range map[string]int{"L": 4, "C": 7, "K": 3, "T": 3, "F": 6, "I": 3, "E": 3, "AD": 33} {
		for i := range n {
			if id := fmt.Sprintf("%s%d", prefix, i+1); promises[id] == 0 {
				t.Errorf("promise %s has no case", id)
			}
		}
	}
	for id, reason := range ClientSideLimits() {
		if limits[id] == 0 || reason == "" {
			t.Errorf("limit %s: %d cases check what happens instead, reason %q", id, limits[id], reason)
		}
		delete(limits, id)
	}
	delete(limits, "SEC7") // for stores that hold tokens; gorillastore declares it
	if len(limits) != 0 {
		t.Errorf("cases of %v have limited versions that no backend declares", limits)
	}
}

// TestLimitsAreLogged checks the line that reports a limit.
func TestLimitsAreLogged(t *testing.T) {
	for _, c := range allCases() {
		if c.name != "I2_SEC18_limit_refuses" { // a case that needs no server
			continue
		}
		b := Cookie()
		failed, said := Record(t, c.name, nil, b)
		if want := "promise-limit: cookie I2 " + b.Limits["I2"]; failed || said != want {
			t.Errorf("failed: %v, said %q, want %q", failed, said, want)
		}
	}
}
