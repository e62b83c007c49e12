package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A gauge is a figure that must stay flat: its median in the last third of the
// samples must not exceed that in the first third by more than a share and a
// constant.
type gauge struct {
	name  string
	of    func(sample) int
	unit  func(int) string
	share float64
	plus  int
}

func number(n int) string { return fmt.Sprint(n) }

// In a run of seconds, the shares and constants are above what the garbage
// collector, pools and a changing load add to an even state. In one of minutes,
// a leak of one object in a hundred requests is far above them.
var gauges = []gauge{
	{"heap", func(s sample) int { return s.heap }, mega, 0.25, 3 << 20},
	{"RSS", func(s sample) int { return s.rss }, mega, 0.25, 24 << 20},
	{"goroutines", func(s sample) int { return s.goroutines }, number, 0.2, 16},
	{"open files", func(s sample) int { return s.files }, number, 0.2, 8},
	{"sessions", func(s sample) int { return s.sessions }, number, 0.3, 100},
}

// middle returns the median of a gauge.
func (g gauge) middle(samples []sample) int {
	values := make([]int, len(samples))
	for i, s := range samples {
		values[i] = g.of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// ends returns a gauge's medians in the first and the last third.
func (g gauge) ends(samples []sample) (first, last int) {
	third := max(1, len(samples)/3)
	return g.middle(samples[:third]), g.middle(samples[len(samples)-third:])
}

// judge returns what has grown.
func judge(before sample, samples []sample, after sample, l *load) (failures []error) {
	if len(samples) < 6 {
		return []error{fmt.Errorf("%d samples are too few", len(samples))}
	}
	for _, g := range gauges {
		first, last := g.ends(samples)
		if most := int(float64(first)*(1+g.share)) + g.plus; last > most {
			failures = append(failures, fmt.Errorf("%s: from %s to %s, want %s at most", g.name, g.unit(first), g.unit(last), g.unit(most)))
		}
	}
	over := slices.MaxFunc(samples, func(a, b sample) int { return cmp.Compare(a.sessions-a.allowed, b.sessions-b.allowed) })
	if over.sessions > over.allowed {
		failures = append(failures, fmt.Errorf("sessions: %d, but only %d were begun so recently that they can be alive", over.sessions, over.allowed))
	}
	if !slices.ContainsFunc(samples, func(s sample) bool { return s.sessions > 0 }) {
		failures = append(failures, errors.New("no session was ever stored: nothing was tested"))
	}
	for _, what := range leftOver(before, after, l.workers) {
		failures = append(failures, fmt.Errorf("after the load: %s", what))
	}
	return failures
}

// leftOver returns what remains after all clients have left and all sessions have
// ended. Each user's empty index may stay.
func leftOver(before, after sample, workers int) []string {
	left := unsettled(before, after, workers, 8<<20)
	if after.sessions > users {
		left = append(left, fmt.Sprintf("%d sessions, though all have ended", after.sessions))
	}
	return left
}

// unsettled returns what the process still has. Pools of connections and workers may stay,
// and some heap.
func unsettled(before, after sample, workers, heap int) (left []string) {
	for _, g := range []gauge{
		{"goroutines", func(s sample) int { return s.goroutines }, number, 0, 2*workers + 16},
		{"open files", func(s sample) int { return s.files }, number, 0, 2*workers + 8},
		{"heap", func(s sample) int { return s.heap }, mega, 0, heap},
	} {
		if most := g.of(before) + g.plus; g.of(after) > most {
			left = append(left, fmt.Sprintf("%s: %s, want %s at most", g.name, g.unit(g.of(after)), g.unit(most)))
		}
	}
	return left
}

// report prints the numbers.
func report(w io.Writer, before sample, samples []sample, after sample) {
	if len(samples) == 0 {
		return
	}
	for _, g := range gauges {
		first, last := g.ends(samples)
		highest := slices.MaxFunc(samples, func(a, b sample) int { return cmp.Compare(g.of(a), g.of(b)) })
		_, _ = fmt.Fprintf(w, "    %-11s before %-10s first third %-10s last third %-10s highest %-10s after %s\n", g.name,
			g.unit(g.of(before)), g.unit(first), g.unit(last), g.unit(g.of(highest)), g.unit(g.of(after)))
	}
}
