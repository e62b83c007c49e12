package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/satchel-go/satchel/internal/tools/benchresults"
)

// figure is one image.
type figure interface {
	name() string
	empty() bool
	draw(w io.Writer) error
}

// figures returns those for which there are results.
func figures(peers, growth *benchresults.Results) []figure {
	var list []figure
	for _, f := range []struct{ route, title string }{
		{read, "A request that reads four values"},
		{write, "A request that reads four values and changes one"},
		{flash, "A form that adds a flash, and the page that shows it"},
	} {
		list = append(list, libraries(peers, f.route, f.title))
	}
	list = append(list,
		inFlight(peers),
		grown(growth, "growth", "Time of a request as the store grows", "sessions in the store", []string{"1K", "10K", "100K", "1000K"}),
		grown(growth, "size", "Time of a request as a value grows", "bytes of the value", []string{"0.1KB", "1KB", "4KB", "16KB", "64KB"}),
		bytesOf(peers, growth))
	return slices.DeleteFunc(list, figure.empty)
}

// shown reports whether a figure shows a library: of ours only one, and no variant
// without a difference.
func shown(route, library string) bool {
	return !strings.HasPrefix(library, benchresults.Ours+"-") && (route == read || !strings.HasSuffix(library, benchresults.WithIdle))
}

// libraries compares times on a route.
func libraries(r *benchresults.Results, route, title string) *bars {
	f := &bars{id: route, Title: title, Note: "Shorter is better. × is the multiple of the floor, which is a session by hand that guards nothing.", unit: round}
	for _, backend := range backends {
		g := barGroup{Title: "Sessions in " + heading(backend)}
		for _, k := range r.Order {
			if k.Route == route && k.Backend == backend && shown(route, k.Library) {
				b := bar{Label: k.Library, Class: class(k), value: r.Time(k), Text: benchresults.Duration(r.Time(k))}
				if k != k.Floor() && r.Has(k.Floor()) {
					b.Text += fmt.Sprintf(", %.1f ×", r.Ratio(k, k.Floor()))
				}
				g.Bars = append(g.Bars, b)
			}
		}
		f.add(g)
	}
	return f
}

// bytesOf compares what a session takes.
func bytesOf(peers, growth *benchresults.Results) *bars {
	f := &bars{id: "memory", Title: "Bytes of a session", Note: "An int64, two short strings and 200 bytes; with a user also a name of 18 letters. Shorter is better.", unit: func(v float64) string { return fmt.Sprintf("%.0f", v) }}
	for _, group := range []struct {
		r                     *benchresults.Results
		route, backend, title string
	}{
		{growth, "stored", memory, "Heap, anonymous"},
		{growth, "stored-user", memory, "Heap, with a user"},
		{growth, "stored", redis, "Redis, anonymous"},
		{growth, "stored-user", redis, "Redis, with a user; Satchel's also has an index of the user's sessions"},
		{peers, read, cookie, "Cookie with the session: name and value"},
	} {
		g := barGroup{Title: group.title}
		for _, k := range group.r.Order {
			if k.Route == group.route && k.Backend == group.backend && shown(write, k.Library) {
				g.Bars = append(g.Bars, bar{Label: k.Library, Class: class(k), value: group.r.Bytes(k), Text: f.unit(group.r.Bytes(k))})
			}
		}
		f.add(g)
	}
	return f
}

// inFlight shows times with several requests at once.
func inFlight(r *benchresults.Results) *lines {
	f := &lines{
		id: "inflight", Title: "Time from one answer to the next, by requests in flight", Columns: 2,
		Note: "Of each library one variant. The last point is on one core. Lower is better; both scales are logarithmic.",
	}
	for _, backend := range []string{memory, redis} {
		for _, route := range []string{read, write} {
			labels, suffixes := []string{"1", "4", "16"}, []string{"", "-x4", "-x16"}
			if backend == redis {
				labels, suffixes = append(labels, "16, one core"), append(suffixes, "-x16-1core")
			}
			p := timesIn(route, backend, "requests in flight", labels)
			p.apart = backend == redis
			for _, k := range r.Order {
				if k.Route == route && k.Backend == backend && shown(write, k.Library) {
					p.add(r, k, suffixes)
				}
			}
			f.panels = append(f.panels, p)
		}
	}
	return f
}

// grown shows times by what grows, which the routes' suffixes say.
func grown(r *benchresults.Results, id, title, x string, steps []string) *lines {
	f := &lines{id: id, Title: title, Columns: 3, Note: "The floor is a session by hand that guards nothing. No disk is waited for. Lower is better; the scales are logarithmic."}
	var suffixes, labels []string
	for _, step := range steps {
		suffixes = append(suffixes, "-"+step)
		labels = append(labels, strings.NewReplacer("1000K", "1M", "0.1KB", "100", "KB", "K").Replace(step))
	}
	for _, route := range []string{read, write} {
		for _, backend := range []string{memory, file, redis} {
			p := timesIn(route, backend, x, labels)
			for _, library := range []string{benchresults.Ours, "floor"} {
				p.add(r, key{Route: route, Backend: backend, Library: library}, suffixes)
			}
			f.panels = append(f.panels, p)
		}
	}
	return f
}

// timesIn returns a panel without lines, for times on a route.
func timesIn(route, backend, x string, labels []string) panel {
	p := panel{Title: route + ", " + heading(backend), XTitle: x, unit: unit{1, round}, log: true}
	for i, text := range labels {
		p.xTicks = append(p.xTicks, tick{evenly(i, len(labels)), text})
	}
	return p
}

// evenly returns the place of number i of n.
func evenly(i, n int) float64 { return float64(i) / float64(max(n-1, 1)) }

// add adds the times of k's library on its route with each suffix, as far as there are any.
func (p *panel) add(r *benchresults.Results, k key, suffixes []string) {
	s := series{Name: k.Library, Class: class(k), dots: true}
	for i, suffix := range suffixes {
		at := k
		at.Route += suffix
		if r.Has(at) {
			s.points = append(s.points, dot{evenly(i, len(suffixes)), r.Time(at)})
		}
	}
	if s.points != nil {
		p.series = append(p.series, s)
	}
}

// class returns the style of a library: ours, the floor, or a peer.
func class(k key) string {
	switch {
	case k.IsOurs():
		return "ours"
	case k == k.Floor():
		return "floor"
	}
	return "peer"
}

// heading returns a backend as it stands in a title.
func heading(backend string) string {
	switch backend {
	case cookie:
		return "the cookie"
	case file:
		return "files"
	}
	return title(backend)
}
