package chaos

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what came of a run.
type Report struct {
	Store                       string
	Took                        time.Duration // under load
	Scanned                     bool          // whether the store's bytes were read
	Ops, Unknowns, Sessions     int
	Effective, Void             map[string]int // faults, by name
	Visits, Voids               map[string]int // visits with and without a verdict, by name
	Violations, Lost            []Violation    // Lost: what the store's own durability explains
	Abandoned, Undrained        int            // sessions whose token was lost, or whose flashes could not be read to the end
	Unended                     int            // sessions whose end was never acknowledged
	Shown, Counted, Ended, Kept int            // flashes shown, increments, ends acknowledged, living sessions at the end
}

func (r *Report) count(l *Load) {
	r.Ops, r.Unknowns, r.Sessions, r.Kept = int(l.Ops.Load()), int(l.Unknowns.Load()), len(l.sessions), len(l.living)
	r.Visits, r.Voids = l.visits, l.voids
	r.Shown, r.Counted = l.shown, l.counted
	for _, s := range l.sessions {
		switch {
		case s.visit || l.living[s.ID] != nil:
			continue
		case s.EndAcked != never:
			r.Ended++
		case !s.Abandoned:
			r.Unended++
		}
		switch {
		case s.Abandoned:
			r.Abandoned++
		case !s.Drained:
			r.Undrained++
		}
	}
}

// enough is an error if the run has too little of anything to prove something.
func (r *Report) enough() error {
	for what, n := range map[string]int{"sessions": r.Sessions, "flashes shown": r.Shown, "increments": r.Counted, "acknowledged ends": r.Ended, "sessions left": r.Kept} {
		if n == 0 {
			return fmt.Errorf("%s: no %s: the run proves nothing", r.Store, what)
		}
	}
	if n := r.Abandoned + r.Undrained + r.Unended; 3*n > r.Ended {
		return fmt.Errorf("%s: %d sessions were abandoned, %d not read to the end and %d not ended, beside %d that ended: the run proves too little",
			r.Store, r.Abandoned, r.Undrained, r.Unended, r.Ended)
	}
	if 3*r.Unknowns > r.Ops {
		return fmt.Errorf("%s: %d of %d operations have no answer: the run proves too little", r.Store, r.Unknowns, r.Ops)
	}
	return nil
}

// missing is an error if in so long a run a fault never took effect, or a visit never came to
// its end.
func (w *World) missing(r Report, d time.Duration) (err error) {
	if d < time.Minute {
		return nil
	}
	for _, f := range w.faults {
		if r.Effective[f.Name] == 0 {
			err = errors.Join(err, fmt.Errorf("the fault %q never took effect", f.Name))
		}
	}
	for _, v := range visits {
		if r.Visits[v.name] == 0 && !(v.users && w.noUsers) {
			err = errors.Join(err, fmt.Errorf("the visit %q never came to its end", v.name))
		}
	}
	return err
}

// String is the report in lines.
func (r Report) String() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s: %d operations, %d unknown, %d sessions, %d ended, %d increments, %d flashes shown; %d violations; %d losses that the store's durability explains\n",
		r.Store, r.Ops, r.Unknowns, r.Sessions, r.Ended, r.Counted, r.Shown, len(r.Violations), len(r.Lost))
	_, _ = fmt.Fprintf(&b, "  sessions abandoned: %d, whose flashes were not read to the end: %d\n", r.Abandoned, r.Undrained)
	_, _ = fmt.Fprintf(&b, "  faults: %v; without effect, not counted: %v\n", r.Effective, r.Void)
	_, _ = fmt.Fprintf(&b, "  visits: %v; without a verdict: %v\n", r.Visits, r.Voids)
	if !r.Scanned {
		b.WriteString("  the store's bytes were not looked at\n")
	}
	told := map[string]int{}
	for rule, n := range byRule(r.Lost) {
		_, _ = fmt.Fprintf(&b, "  lost by the store (docs/operations.md, Persistence and Failover): %s: %d\n", rule, n)
	}
	for _, v := range r.Lost {
		if told[v.Rule]++; told[v.Rule] <= 2 {
			_, _ = fmt.Fprintf(&b, "    such as %.600s\n", v)
		}
	}
	return b.String()
}

// table is the table in docs/testing.md, with a row for all together.
func table(reports []Report) string {
	all := Report{Store: "all", Effective: map[string]int{}}
	rows := []string{
		"| store | seconds | operations | unknown | faults that took effect | violations | losses |",
		"|---|---|---|---|---|---|---|",
	}
	for _, r := range reports {
		if r.Store == "" {
			continue // it did not come to an end
		}
		rows = append(rows, r.Row())
		all.Took, all.Ops, all.Unknowns = all.Took+r.Took, all.Ops+r.Ops, all.Unknowns+r.Unknowns
		all.Violations, all.Lost = append(all.Violations, r.Violations...), append(all.Lost, r.Lost...)
		for _, n := range r.Effective {
			all.Effective["of all kinds"] += n
		}
	}
	return strings.Join(append(rows, all.Row()), "\n")
}

// Row is the report as a row of that table.
func (r Report) Row() string {
	total, names := 0, []string{}
	for _, name := range slices.Sorted(maps.Keys(r.Effective)) {
		total += r.Effective[name]
		names = append(names, fmt.Sprintf("%s %d", name, r.Effective[name]))
	}
	return fmt.Sprintf("| %s | %.0f | %d | %d | %d: %s | %d | %d |",
		r.Store, r.Took.Seconds(), r.Ops, r.Unknowns, total, strings.Join(names, ", "), len(r.Violations), len(r.Lost))
}

func byRule(list []Violation) map[string]int {
	n := map[string]int{}
	for _, v := range list {
		n[v.Rule]++
	}
	return n
}
