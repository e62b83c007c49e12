package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// ours is the prefix of the libraries that others are compared with.
const ours = "satchel"

// withIdle is the suffix of other libraries that have an idle timeout.
const withIdle = "-idle"

// floor is the name of a session written by hand, without guards. It is no library.
const floor = "floor"

// bare is the backend of the frameworks alone.
const bare = "bare"

// framework returns the framework under a library.
func framework(library string) string {
	for _, f := range []string{"echo", "gin", "fiber"} {
		if strings.Contains(library, f) {
			return f
		}
	}
	return "nethttp"
}

// key names a benchmark: BenchmarkSession/route/backend/library.
type key struct{ route, backend, library string }

// sample is one benchmark in one round.
type sample struct{ nanoseconds, allocs float64 }

// results has the samples of each benchmark in the order of rounds, and the
// benchmarks sorted by route, as they ran, backend and library, ours first.
type results struct {
	order   []key
	samples map[key][]sample
}

// parse reads the output of go test. Every benchmark must have run as often as
// the others; otherwise disturbances did not hit all of them.
func parse(r io.Reader) (*results, error) {
	res := &results{samples: map[key][]sample{}}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		k, ok := parseName(fields[0])
		if !ok {
			continue
		}
		var s sample
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", lines.Text(), err)
			}
			switch fields[i+1] {
			case "ns/op":
				s.nanoseconds = value
			case "allocs/op":
				s.allocs = value
			}
		}
		if s.nanoseconds <= 0 {
			return nil, fmt.Errorf("%q: no time", lines.Text())
		}
		if _, seen := res.samples[k]; !seen {
			res.order = append(res.order, k)
		}
		res.samples[k] = append(res.samples[k], s)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(res.order) == 0 {
		return nil, errors.New("no benchmark has run")
	}
	for _, k := range res.order {
		if n, want := len(res.samples[k]), len(res.samples[res.order[0]]); n != want {
			return nil, fmt.Errorf("%s/%s/%s ran %d times, others %d times", k.route, k.backend, k.library, n, want)
		}
	}
	res.sort()
	return res, nil
}

func (r *results) sort() {
	var routes []string
	for _, k := range r.order {
		if !slices.Contains(routes, k.route) {
			routes = append(routes, k.route)
		}
	}
	others := func(k key) int {
		switch {
		case strings.HasPrefix(k.library, ours):
			return 0
		case k.library == floor:
			return 1
		}
		return 2
	}
	slices.SortFunc(r.order, func(a, b key) int {
		return cmp.Or(cmp.Compare(slices.Index(routes, a.route), slices.Index(routes, b.route)),
			cmp.Compare(a.backend, b.backend), cmp.Compare(others(a), others(b)), cmp.Compare(a.library, b.library))
	})
}

// parseName parses "BenchmarkSession/read/redis/scs-idle-2"; the last number is
// the number of processors.
func parseName(name string) (key, bool) {
	if at := strings.LastIndexByte(name, '-'); at >= 0 {
		if _, err := strconv.Atoi(name[at+1:]); err == nil {
			name = name[:at]
		}
	}
	parts := strings.Split(name, "/")
	if len(parts) != 4 {
		return key{}, false
	}
	return key{parts[1], parts[2], parts[3]}, true
}

// print writes a table for each route, and how each of ours compares: with the best of
// the other libraries, the floor, and its framework alone.
func (r *results) print(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "\nMedians of %d rounds. \"ratio\" is the time of the first in its group divided by this one's;\n"+
		"\"floor\" and \"bare\" are this one's time divided by that of a session without guards, and of the framework alone.\n", len(r.samples[r.order[0]]))
	route := ""
	for _, k := range r.order {
		if k.route != route {
			route = k.route
			fmt.Fprintf(&out, "\n%-34s %12s %7s %7s %7s %7s\n", route, "time", "allocs", "ratio", "floor", "bare")
		}
		first := key{k.route, k.backend, ours}
		line := fmt.Sprintf("%-34s %12s %7.0f %7s %7s %7s", k.backend+"/"+k.library, duration(r.time(k)), r.allocs(k),
			r.column(first, k), r.column(k, r.floor(k)), r.column(k, r.bare(k)))
		fmt.Fprintln(&out, strings.TrimRight(line, " "))
	}
	fmt.Fprintln(&out)
	for _, k := range r.order {
		if !strings.HasPrefix(k.library, ours) {
			continue
		}
		r.compare(&out, k, "the best peer", func(string) bool { return true })
		if k.route == "read" {
			r.compare(&out, k, "the best peer with an idle timeout", func(library string) bool { return strings.HasSuffix(library, withIdle) })
		}
		if times := r.column(k, r.floor(k)); times != "" {
			fmt.Fprintf(&out, "%s: %s/%s takes %s of the floor\n", k.route, k.backend, k.library, times)
		}
		if times := r.column(k, r.bare(k)); times != "" {
			fmt.Fprintf(&out, "%s: %s/%s takes %s of %s alone\n", k.route, k.backend, k.library, times, framework(k.library))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// compare says what share of the time k takes of the best other library on its
// backend: the one with the highest ratio.
func (r *results) compare(w io.Writer, k key, title string, counts func(library string) bool) {
	var best key
	for _, other := range r.order {
		if other.route != k.route || other.backend != k.backend || strings.HasPrefix(other.library, ours) || other.library == floor || !counts(other.library) {
			continue
		}
		if best == (key{}) || r.ratio(k, other) > r.ratio(k, best) {
			best = other
		}
	}
	if best != (key{}) {
		fmt.Fprintf(w, "%s: %s/%s takes %.2f of %s, %s\n", k.route, k.backend, k.library, r.ratio(k, best), title, best.library)
	}
}

// column returns the ratio of a's time by b's, or "" where they are one or one is missing.
func (r *results) column(a, b key) string {
	if a == b || r.samples[a] == nil || r.samples[b] == nil {
		return ""
	}
	return fmt.Sprintf("%.2f", r.ratio(a, b))
}

// floor returns the floor beside k, and bare the framework of k alone.
func (r *results) floor(k key) key { return key{k.route, k.backend, floor} }
func (r *results) bare(k key) key  { return key{k.route, bare, framework(k.library)} }

func (r *results) time(k key) float64 {
	return median(r.samples[k], func(s sample) float64 { return s.nanoseconds })
}

func (r *results) allocs(k key) float64 {
	return median(r.samples[k], func(s sample) float64 { return s.allocs })
}

// ratio returns the median of a's time by b's in the same round.
func (r *results) ratio(a, b key) float64 {
	ratios := make([]float64, len(r.samples[a]))
	for i := range ratios {
		ratios[i] = r.samples[a][i].nanoseconds / r.samples[b][i].nanoseconds
	}
	return median(ratios, func(v float64) float64 { return v })
}

// median returns the middle of what f makes of list, which is not empty.
func median[T any](list []T, f func(T) float64) float64 {
	values := make([]float64, len(list))
	for i, v := range list {
		values[i] = f(v)
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

func duration(nanoseconds float64) string {
	if nanoseconds < 1000 {
		return fmt.Sprintf("%.0f ns", nanoseconds)
	}
	return fmt.Sprintf("%.1f µs", nanoseconds/1000)
}
