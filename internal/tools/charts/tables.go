package main

import (
	"fmt"
	"strings"

	"github.com/satchel-go/satchel/internal/tools/benchresults"
)

type key = benchresults.Key

// Routes and backends, as the benchmarks name them.
const (
	read, write, anonymous, flash = "read", "write", "anonymous", "flash"

	memory, cookie, file, redis = "memory", "cookie", "file", "redis"
)

var backends = []string{memory, cookie, redis}

// tables returns the generated part of the document.
func tables(r *benchresults.Results, command, note string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "Measured on %s with `%s`: %s, %s cores, %s/%s, %s. Medians of %d rounds.", r.Facts["date"], command,
		r.Facts["cpu"], r.Facts["cores"], r.Facts["goos"], r.Facts["goarch"], r.Facts["go"], r.Rounds())
	if note != "" {
		fmt.Fprintf(&out, " %s", note)
	}
	out.WriteString("\n\n| request, backend | Satchel | allocations | of the floor | of net/http alone | best peer | Satchel takes |\n|-|-|-|-|-|-|-|\n")
	for _, route := range []string{read, write, flash, anonymous} {
		for _, backend := range backends {
			k := key{Route: route, Backend: backend, Library: benchresults.Ours}
			if !r.Has(k) {
				continue
			}
			peer, share := "", ""
			if best, ok := r.Best(k, func(string) bool { return true }); ok {
				peer, share = best.Library+", "+benchresults.Duration(r.Time(best)), percent(r.Ratio(k, best))
			}
			fmt.Fprintf(&out, "| %s, %s | %s | %.0f | %s | %s | %s | %s |\n", route, title(backend), benchresults.Duration(r.Time(k)), r.Allocs(k),
				times(r, k, k.Floor()), times(r, k, k.Bare()), peer, share)
		}
	}
	out.WriteString("\n| framework | alone | read in memory | of alone | write in memory | of alone |\n|-|-|-|-|-|-|\n")
	for _, f := range []struct{ name, library string }{{"net/http", "satchel"}, {"Echo v4", "satchel-echo"}, {"Gin", "satchel-gin"}, {"Fiber v2", "satchel-fiber"}} {
		k := key{Route: read, Backend: memory, Library: f.library}
		if !r.Has(k) || !r.Has(k.Bare()) {
			continue
		}
		fmt.Fprintf(&out, "| %s | %s |", f.name, benchresults.Duration(r.Time(k.Bare())))
		for _, route := range []string{read, write} {
			k.Route = route
			fmt.Fprintf(&out, " %s | %s |", benchresults.Duration(r.Time(k)), times(r, k, k.Bare()))
		}
		fmt.Fprintln(&out)
	}
	return out.String()
}

func times(r *benchresults.Results, a, b key) string {
	if !r.Has(a) || !r.Has(b) {
		return ""
	}
	return fmt.Sprintf("%.1f ×", r.Ratio(a, b))
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// title returns a backend as text.
func title(backend string) string {
	if backend == redis {
		return "Redis"
	}
	return backend
}
