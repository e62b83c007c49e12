package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/satchel-go/satchel/internal/tools/benchresults"
)

// show writes a table for each route, and how each of ours compares: with the best of
// the other libraries, the floor, and its framework alone.
func show(w io.Writer, r *benchresults.Results) error {
	var out strings.Builder
	fmt.Fprintf(&out, "\nMedians of %d rounds. \"ratio\" is the time of the first in its group divided by this one's;\n"+
		"\"floor\" and \"bare\" are this one's time divided by that of a session without guards, and of the framework alone.\n", r.Rounds())
	route := ""
	for _, k := range r.Order {
		if k.Route != route {
			route = k.Route
			fmt.Fprintf(&out, "\n%-34s %12s %7s %7s %7s %7s\n", route, "time", "allocs", "ratio", "floor", "bare")
		}
		line := fmt.Sprintf("%-34s %12s %7.0f %7s %7s %7s", k.Backend+"/"+k.Library, benchresults.Duration(r.Time(k)), r.Allocs(k),
			ratio(r, k.First(), k), ratio(r, k, k.Floor()), ratio(r, k, k.Bare()))
		fmt.Fprintln(&out, strings.TrimRight(line, " "))
	}
	fmt.Fprintln(&out)
	for _, k := range r.Order {
		if !k.IsOurs() {
			continue
		}
		takes := func(share, of string) {
			if share != "" {
				fmt.Fprintf(&out, "%s: %s/%s takes %s of %s\n", k.Route, k.Backend, k.Library, share, of)
			}
		}
		if best, ok := r.Best(k, func(string) bool { return true }); ok {
			takes(ratio(r, k, best), "the best peer, "+best.Library)
		}
		if best, ok := r.Best(k, hasIdle); ok && k.Route == "read" {
			takes(ratio(r, k, best), "the best peer with an idle timeout, "+best.Library)
		}
		takes(ratio(r, k, k.Floor()), "the floor")
		takes(ratio(r, k, k.Bare()), benchresults.Framework(k.Library)+" alone")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func hasIdle(library string) bool { return strings.HasSuffix(library, benchresults.WithIdle) }

// ratio returns the ratio of a's time by b's, or "" where they are one or one is missing.
func ratio(r *benchresults.Results, a, b benchresults.Key) string {
	if a == b || !r.Has(a) || !r.Has(b) {
		return ""
	}
	return fmt.Sprintf("%.2f", r.Ratio(a, b))
}
