// Package benchresults reads what the benchmarks beside other libraries have printed.
package benchresults

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

// Ours is the prefix of the libraries that others are compared with.
const Ours = "satchel"

// WithIdle is the suffix of other libraries that have an idle timeout.
const WithIdle = "-idle"

// floor is the name of a session written by hand, without guards. It is no library.
const floor = "floor"

// bare is the backend of the frameworks alone.
const bare = "bare"

// Framework returns the framework under a library.
func Framework(library string) string {
	for _, f := range []string{"echo", "gin", "fiber"} {
		if strings.Contains(library, f) {
			return f
		}
	}
	return "nethttp"
}

// Key names a benchmark: BenchmarkSession/route/backend/library.
type Key struct{ Route, Backend, Library string }

// sample is one benchmark in one round.
type sample struct{ nanoseconds, allocs, bytes float64 }

// Results has the samples of each benchmark in the order of rounds.
type Results struct {
	// Order has the benchmarks sorted by route, as they ran, backend and library: ours
	// first, then the floor.
	Order []Key

	// Facts are the lines "name: text" about the machine and the run, such as "cpu".
	Facts map[string]string

	samples map[Key][]sample
}

// Parse reads the output of go test. Every benchmark must have run as often as
// the others; otherwise disturbances did not hit all of them.
func Parse(r io.Reader) (*Results, error) {
	res := &Results{Facts: map[string]string{}, samples: map[Key][]sample{}}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if name, fact, ok := strings.Cut(lines.Text(), ": "); ok && !strings.ContainsAny(name, " /") {
			res.Facts[name] = fact
		}
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
			case "bytes/session", "cookie-bytes":
				s.bytes = value
			}
		}
		if s.nanoseconds <= 0 {
			return nil, fmt.Errorf("%q: no time", lines.Text())
		}
		if _, seen := res.samples[k]; !seen {
			res.Order = append(res.Order, k)
		}
		res.samples[k] = append(res.samples[k], s)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(res.Order) == 0 {
		return nil, errors.New("no benchmark has run")
	}
	for _, k := range res.Order {
		if n, want := len(res.samples[k]), len(res.samples[res.Order[0]]); n != want {
			return nil, fmt.Errorf("%s/%s/%s ran %d times, others %d times", k.Route, k.Backend, k.Library, n, want)
		}
	}
	res.sort()
	return res, nil
}

func (r *Results) sort() {
	var routes []string
	for _, k := range r.Order {
		if !slices.Contains(routes, k.Route) {
			routes = append(routes, k.Route)
		}
	}
	others := func(k Key) int {
		switch {
		case k.IsOurs():
			return 0
		case k.Library == floor:
			return 1
		}
		return 2
	}
	slices.SortFunc(r.Order, func(a, b Key) int {
		return cmp.Or(cmp.Compare(slices.Index(routes, a.Route), slices.Index(routes, b.Route)),
			cmp.Compare(a.Backend, b.Backend), cmp.Compare(others(a), others(b)), cmp.Compare(a.Library, b.Library))
	})
}

// parseName parses "BenchmarkSession/read/redis/scs-idle-2"; the last number is
// the number of processors.
func parseName(name string) (Key, bool) {
	if at := strings.LastIndexByte(name, '-'); at >= 0 {
		if _, err := strconv.Atoi(name[at+1:]); err == nil {
			name = name[:at]
		}
	}
	parts := strings.Split(name, "/")
	if len(parts) != 4 {
		return Key{}, false
	}
	return Key{parts[1], parts[2], parts[3]}, true
}

// Floor returns the floor beside k.
func (k Key) Floor() Key { return Key{k.Route, k.Backend, floor} }

// Bare returns the framework of k alone.
func (k Key) Bare() Key { return Key{k.Route, bare, Framework(k.Library)} }

// First returns ours on net/http beside k.
func (k Key) First() Key { return Key{k.Route, k.Backend, Ours} }

// IsOurs reports whether k is ours, in whatever framework.
func (k Key) IsOurs() bool { return strings.HasPrefix(k.Library, Ours) }

// IsPeer reports whether k is another library: neither ours, nor the floor, nor a
// framework alone.
func (k Key) IsPeer() bool { return !k.IsOurs() && k.Library != floor && k.Backend != bare }

// Best returns the peer on k's backend that is hardest to beat, among those that count:
// the one of whose time k takes the largest share.
func (r *Results) Best(k Key, counts func(library string) bool) (best Key, ok bool) {
	for _, other := range r.Order {
		if other.Route != k.Route || other.Backend != k.Backend || !other.IsPeer() || !counts(other.Library) {
			continue
		}
		if !ok || r.Ratio(k, other) > r.Ratio(k, best) {
			best, ok = other, true
		}
	}
	return best, ok
}

// Has reports whether k has run.
func (r *Results) Has(k Key) bool { return r.samples[k] != nil }

// Rounds returns how often each has run.
func (r *Results) Rounds() int { return len(r.samples[r.Order[0]]) }

// Bytes returns the median of the bytes of a stored session, or of its cookie.
func (r *Results) Bytes(k Key) float64 {
	return median(r.samples[k], func(s sample) float64 { return s.bytes })
}

// Time returns the median time, in nanoseconds.
func (r *Results) Time(k Key) float64 {
	return median(r.samples[k], func(s sample) float64 { return s.nanoseconds })
}

// Allocs returns the median number of allocations.
func (r *Results) Allocs(k Key) float64 {
	return median(r.samples[k], func(s sample) float64 { return s.allocs })
}

// Ratio returns the median of a's time by b's in the same round.
func (r *Results) Ratio(a, b Key) float64 {
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

// Duration returns a time as text.
func Duration(nanoseconds float64) string {
	if nanoseconds < 1000 {
		return fmt.Sprintf("%.0f ns", nanoseconds)
	}
	return fmt.Sprintf("%.1f µs", nanoseconds/1000)
}
