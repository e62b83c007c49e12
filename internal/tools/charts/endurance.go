package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// recording is what the command soak has measured on one store as time passed: a column
// of figures for each name, -1 where one is unknown.
type recording struct {
	store   string
	columns map[string][]float64
}

// parseRecordings reads the recordings, and the table after them.
func parseRecordings(text string) (list []*recording, table string, err error) {
	rows, table, found := strings.Cut(text, "\n\n")
	lines := strings.Split(rows, "\n")
	names := strings.Split(lines[0], "\t")
	if !found || names[0] != "store" {
		return nil, "", fmt.Errorf("want rows of figures, an empty line and a table: did the run end?")
	}
	for n, line := range lines[1:] {
		fields := strings.Split(line, "\t")
		if len(fields) != len(names) {
			return nil, "", fmt.Errorf("line %d: %d fields, want %d", n+2, len(fields), len(names))
		}
		at := slices.IndexFunc(list, func(r *recording) bool { return r.store == fields[0] })
		if at < 0 {
			at = len(list)
			list = append(list, &recording{store: fields[0], columns: map[string][]float64{}})
		}
		for i, name := range names[1:] {
			value, err := strconv.ParseFloat(fields[i+1], 64)
			if err != nil {
				return nil, "", fmt.Errorf("line %d: %w", n+2, err)
			}
			list[at].columns[name] = append(list[at].columns[name], value)
		}
	}
	return list, table, nil
}

// timelines is the figure of recordings as time passes.
func timelines(list []*recording) *lines {
	// The order in which they came is a matter of chance.
	slices.SortStableFunc(list, func(a, b *recording) int { return strings.Compare(a.store, b.store) })
	f := &lines{
		Title:   "Stores in which as many sessions expire as begin",
		Note:    "Growth stops when the first sessions expire. After the load, all do. The scales of the latencies are logarithmic.",
		Extra:   timelineStyle,
		Columns: 2,
	}
	end := 0.0
	for _, r := range list {
		end = max(end, slices.Max(r.columns["seconds"]))
	}
	var minutes []tick
	for at, step := 0.0, niceStep(end/60/8); at <= end/60; at += step {
		minutes = append(minutes, tick{at * 60 / end, strconv.FormatFloat(at, 'f', -1, 64)})
	}
	for _, p := range []struct {
		title, column string
		unit          unit
		log           bool
	}{
		{"sessions in the store", "sessions", one, false},
		{"size of the store", "size", mebibyte, false},
		{"heap in use", "heap", mebibyte, false},
		{"goroutines", "goroutines", one, false},
		{"half of the requests take", "p50", microsecond, true},
		{"99 % of the requests take at most", "p99", microsecond, true},
	} {
		panel := panel{Title: p.title, XTitle: "minutes", xTicks: minutes, unit: p.unit, log: p.log}
		for _, r := range list {
			s := series{Name: storeTitle(r.store), Class: r.store}
			for i, v := range r.columns[p.column] {
				if v > 0 || v == 0 && !p.log { // else it is unknown, or there was no request
					s.points = append(s.points, dot{r.columns["seconds"][i] / end, v})
				}
			}
			if s.points != nil {
				panel.series = append(panel.series, s)
			}
		}
		f.panels = append(f.panels, panel)
	}
	return f
}

var (
	one         = unit{1, func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }}
	mebibyte    = unit{1 << 20, func(v float64) string { return strconv.FormatFloat(v/(1<<20), 'f', -1, 64) + " MiB" }}
	microsecond = unit{1, func(v float64) string { return round(v * 1000) }}
)

func storeTitle(store string) string {
	if store == "postgres" {
		return "PostgreSQL"
	}
	return title(store)
}

// Of the same palette as the other figures.
const timelineStyle = `<style>
svg { --memory: #0072b2; --file: #009e73; --redis: #d55e00; --postgres: #aa4499; }
@media (prefers-color-scheme: dark) {
svg { --memory: #56b4e9; --file: #2fbf95; --redis: #e69f00; --postgres: #dd8fc6; }
}
path.memory { stroke: var(--memory); } path.file { stroke: var(--file); } path.redis { stroke: var(--redis); } path.postgres { stroke: var(--postgres); }
path.memory, path.file, path.redis, path.postgres { stroke-width: 1.5; fill: none; }
text.memory { fill: var(--memory); } text.file { fill: var(--file); } text.redis { fill: var(--redis); } text.postgres { fill: var(--postgres); }
</style>
`
