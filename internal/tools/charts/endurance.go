package main

import (
	"fmt"
	"math"
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

// timelines draws figures as time passes.
func timelines(list []*recording) sheet {
	// The order in which they came is a matter of chance.
	slices.SortStableFunc(list, func(a, b *recording) int { return strings.Compare(a.store, b.store) })
	s := sheet{
		Title: "Stores in which as many sessions expire as begin",
		Note:  "Growth stops when the first sessions expire. After the load, all do. The scales of the latencies are logarithmic.",
		Extra: timelineStyle,
	}
	const columns = 2
	for i, p := range []struct {
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
		panelWidth := float64(width) / columns
		left, top := float64(i%columns)*panelWidth, head+float64(i/columns)*panelHeight
		s.Height = top + panelHeight
		s.Panels = append(s.Panels, timeline(list, p.column, p.unit, p.log,
			drawn{Title: p.title, XTitle: "minutes", Left: left + plotLeft, Right: left + panelWidth - 86, Top: top + plotTop, Bottom: top + panelHeight - plotBottom}))
	}
	return s
}

// timeline draws one column of all recordings into d.
func timeline(list []*recording, column string, unit unit, log bool, d drawn) drawn {
	least, most, end := math.Inf(1), 0.0, 0.0
	for _, r := range list {
		for i, v := range r.columns[column] {
			end = max(end, r.columns["seconds"][i])
			if v > 0 {
				least, most = min(least, v), max(most, v)
			}
		}
	}
	if most == 0 {
		return d
	}
	low, high, scale := 0.0, most*1.05, func(v float64) float64 { return v }
	if log {
		low, high, scale = math.Log(niceStep(least/2.6)), math.Log(niceStep(most*1.01)), math.Log
	}
	x := func(seconds float64) float64 { return d.Left + seconds/end*(d.Right-d.Left) }
	y := func(v float64) float64 { return d.Bottom - (scale(v)-low)/(high-low)*(d.Bottom-d.Top) }
	for minutes, step := 0.0, niceStep(end/60/8); minutes <= end/60; minutes += step {
		d.XTicks = append(d.XTicks, tick{x(minutes * 60), strconv.FormatFloat(minutes, 'f', -1, 64)})
	}
	if log {
		for v := math.Exp(low); v <= math.Exp(high)*1.01; v = niceStep(v * 1.01) {
			d.YTicks = append(d.YTicks, tick{y(v), unit.text(v)})
		}
	} else {
		for v, step := 0.0, niceStep(high/6/unit.size)*unit.size; v <= high; v += step {
			d.YTicks = append(d.YTicks, tick{y(v), unit.text(v)})
		}
	}
	for _, r := range list {
		l := line{Name: storeTitle(r.store), Class: r.store, NameX: d.Right + 6}
		for i, v := range r.columns[column] {
			if v < 0 || log && v == 0 { // unknown, or no request
				continue
			}
			at := dot{x(r.columns["seconds"][i]), y(v)}
			l.Path += map[bool]string{true: "M", false: "L"}[l.Path == ""] + coordinate(at.X) + " " + coordinate(at.Y)
			l.NameY = at.Y + 4
		}
		if l.Path != "" {
			d.Lines = append(d.Lines, l)
		}
	}
	spread(d.Lines)
	return d
}

// unit is what ticks are multiples of.
type unit struct {
	size float64
	text func(float64) string
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
