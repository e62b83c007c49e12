package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// shows is what a page says of each test: how many have passed, by row, and by
// column or test.
type shows map[string]map[string]int

// namedTest is one test in a cell: `name` and how often it passed, or in which packages.
var namedTest = regexp.MustCompile("`([^`]+)` (?:([0-9]+)|\\(([^)]*)\\))")

// showsOf reads the tables of a page.
func showsOf(page string) shows {
	found := shows{}
	var header []string
	for line := range strings.Lines(page) {
		cells := cellsOf(line)
		if len(cells) < 2 {
			header = nil
			continue
		}
		if header == nil {
			header = cells
			continue
		}
		if len(cells) != len(header) || !slices.Equal(idsOf(cells[0]), cells[:1]) {
			continue
		}
		row := found[cells[0]]
		if row == nil {
			row = map[string]int{}
			found[cells[0]] = row
		}
		for i, text := range cells {
			if n, err := strconv.Atoi(text); err == nil {
				row[header[i]] = n
			}
		}
		for _, m := range namedTest.FindAllStringSubmatch(cells[len(cells)-1], -1) {
			if n, err := strconv.Atoi(m[2]); err == nil {
				row[m[1]] = n
				continue
			}
			for pkg := range strings.SplitSeq(m[3], ", ") {
				row[m[1]+" in "+pkg]++
			}
		}
	}
	return found
}

// cellsOf returns the cells of a line of a table, none of any other line.
func cellsOf(line string) []string {
	line = strings.TrimSpace(line)
	if len(line) < 2 || !strings.HasPrefix(line, "|") || !strings.HasSuffix(line, "|") {
		return nil
	}
	cells := strings.Split(line[1:len(line)-1], "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

// gone lists what the old page shows and the new one does not, or less often. The
// table is made from the existing tests. Without the old page, a test that is
// deleted everywhere would take its line with it unnoticed.
func gone(old, page string) (texts []string) {
	before, now := showsOf(old), showsOf(page)
	for _, id := range slices.SortedFunc(maps.Keys(before), compareRows) {
		for _, what := range slices.Sorted(maps.Keys(before[id])) {
			if was, is := before[id][what], now[id][what]; is < was {
				texts = append(texts, fmt.Sprintf("%s: %s: %d passed, the page has %d", id, what, is, was))
			}
		}
	}
	return texts
}

func compareRows(a, b string) int {
	kind := func(id string) string { return strings.TrimRight(id, "0123456789") }
	if kind(a) != kind(b) {
		return strings.Compare(kind(a), kind(b))
	}
	return compareIDs(a, b)
}
