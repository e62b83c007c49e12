package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	enduranceIdle  = time.Minute
	enduranceSweep = 30 * time.Second

	// enduranceGrace is how long after the load a store must be empty. Redis keeps a user's
	// index for five minutes after the last session.
	enduranceGrace = enduranceIdle + kept + 5*time.Minute + 2*enduranceSweep
)

// endured is a store's run.
type endured struct {
	framework, store string
	before, after    sample
	samples          []sample // under load
	crowd            *crowd
}

// endure begins the sessions on all stores at the same time, each in its own framework,
// and waits until they have ended.
func (p plan) endure(ctx context.Context) (err error) {
	if len(p.frameworks) != len(p.stores) {
		return errors.New("-sessions: want as many frameworks as stores, one for each")
	}
	out, err := os.Create(p.out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	figures := &figures{w: out}
	figures.head()
	began := time.Now()
	runs, failures := make([]*endured, len(p.stores)), make([]error, len(p.stores))
	var wg sync.WaitGroup
	for i, store := range p.stores {
		r := &endured{framework: p.frameworks[i], store: store}
		runs[i] = r
		wg.Go(func() {
			err := p.endureOn(ctx, r, figures)
			if err == nil {
				err = errors.Join(errors.Join(r.judge()...), r.crowd.verdict())
			}
			if err != nil {
				failures[i] = fmt.Errorf("%s on %s: %w", r.framework, r.store, err)
			}
		})
	}
	wg.Wait()
	runs = slices.DeleteFunc(runs, func(r *endured) bool { return r.after.created == 0 })
	if len(runs) > 0 && ctx.Err() == nil {
		table(io.MultiWriter(os.Stdout, figures), runs, began)
	}
	return errors.Join(ctx.Err(), errors.Join(failures...), figures.err)
}

func (p plan) endureOn(ctx context.Context, r *endured, figures *figures) error {
	target, err := p.open(r.store, enduranceSweep)
	if err != nil {
		return err
	}
	defer target.stop()
	probe, err := startProbe(ctx, p.probe, target, "-framework", r.framework, "-idle", enduranceIdle.String())
	if err != nil {
		return err
	}
	defer probe.stop()
	if r.before, err = probe.sample(ctx); err != nil {
		return err
	}
	r.crowd = newCrowd(probe.url, p.workers, p.sessions, p.duration)
	go r.crowd.run(ctx)
	return errors.Join(p.accompany(ctx, r, probe, figures), probe.ended())
}

// accompany samples the process until the load is over and all sessions have ended.
func (p plan) accompany(ctx context.Context, r *endured, probe *probe, figures *figures) error {
	ticks := time.NewTicker(max(p.duration/180, time.Second))
	defer ticks.Stop()
	begin, over, missed := time.Now(), time.Time{}, 0
	for {
		select {
		case <-ctx.Done():
			<-r.crowd.done
			return ctx.Err()
		case <-ticks.C:
		}
		select {
		case <-r.crowd.done:
			if over.IsZero() {
				over = time.Now()
			}
		default:
		}
		s, err := probe.sample(ctx)
		if err != nil {
			if missed++; missed > 3 || probe.Ended() { // a busy machine may be late
				return err
			}
			continue
		}
		s.at = time.Since(begin)
		r.crowd.latency(&s)
		s.recent = r.recent(s)
		figures.add(r, s)
		if over.IsZero() {
			r.samples = append(r.samples, s)
			continue
		}
		r.after = s
		if len(r.left()) == 0 || time.Since(over) > enduranceGrace {
			return nil
		}
	}
}

const sizeGauge = "size of the store"

// enduranceGauges must not rise, on a line through the second half of the load, by more
// than a share of their mean, or a constant that pools and collectors need.
var enduranceGauges = []gauge{
	{"sessions in the store", func(s sample) int { return s.sessions }, thousands, 0.05, 200},
	{sizeGauge, func(s sample) int { return s.size }, mega, 0.05, 1 << 20},
	{"heap in use", func(s sample) int { return s.heap }, mega, 0.05, 1 << 20},
	{"resident memory", func(s sample) int { return s.rss }, mega, 0.05, 8 << 20},
	{"goroutines", func(s sample) int { return s.goroutines }, number, 0.05, 8},
	{"descriptors", func(s sample) int { return s.files }, number, 0.05, 8},
	{"connections to the store", func(s sample) int { return s.connections }, number, 0.05, 4},
}

// known reports whether the store has this figure.
func (g gauge) known(samples []sample) bool { return g.of(samples[0]) >= 0 }

// line returns the mean of a gauge, and by how much it rises from the first sample to the
// last, by least squares. What a store holds follows the rate at which sessions begin, and
// on a busy machine that changes: a part in proportion to the sessions begun recently is
// no rise, unless their number itself does little else than rise.
func (g gauge) line(samples []sample) (mean, rise float64) {
	n, at, begun := float64(len(samples)), 0.0, 0.0
	for _, s := range samples {
		mean += float64(g.of(s)) / n
		at += s.at.Seconds() / n
		begun += float64(s.recent) / n
	}
	var tt, tb, bb, ty, by float64 // sums of products of differences from the means
	for _, s := range samples {
		t, b, y := s.at.Seconds()-at, float64(s.recent)-begun, float64(g.of(s))-mean
		tt, tb, bb, ty, by = tt+t*t, tb+t*b, bb+b*b, ty+t*y, by+b*y
	}
	slope := ty / tt
	if independent := tt*bb - tb*tb; independent > 0.1*tt*bb {
		slope = (ty*bb - by*tb) / independent
	}
	return mean, slope * (samples[len(samples)-1].at - samples[0].at).Seconds()
}

func (g gauge) rise(samples []sample) float64 {
	_, rise := g.line(samples)
	return rise
}

// floor returns the samples with the least size of those around each, some minutes in half an hour.
func floor(samples []sample) []sample {
	around, low := len(samples)/5, slices.Clone(samples)
	for i := range low {
		for _, s := range samples[max(0, i-around):min(len(samples), i+around+1)] {
			low[i].size = min(low[i].size, s.size)
		}
	}
	return low
}

// recent returns how many of the sessions that were begun until now can be in the store.
func (r *endured) recent(now sample) int {
	before := 0
	for _, s := range r.samples {
		if s.at > now.at-enduranceIdle-kept-enduranceSweep {
			break
		}
		before = s.created
	}
	return now.created - before
}

// steady returns the samples in the second half of the load.
func (r *endured) steady() []sample { return r.samples[len(r.samples)/2:] }

// judge returns what has grown, what was not done and what is left.
func (r *endured) judge() (failures []error) {
	if len(r.samples) < 20 {
		return []error{fmt.Errorf("%d samples are too few", len(r.samples))}
	}
	for _, g := range enduranceGauges {
		mean, rise := g.line(r.steady())
		if g.name == sizeGauge { // a log grows until it is compacted, so that its low points count
			rise = min(rise, g.rise(floor(r.steady())))
		}
		if most := max(mean*g.share, float64(g.plus)); g.known(r.samples) && rise > most {
			failures = append(failures, fmt.Errorf("%s: rises by %s in the second half, want %s at most; the mean is %s",
				g.name, g.unit(int(rise)), g.unit(int(most)), g.unit(int(mean))))
		}
	}
	if r.after.created < r.crowd.sessions {
		failures = append(failures, fmt.Errorf("%d sessions were created, want %d", r.after.created, r.crowd.sessions))
	}
	for _, what := range r.left() {
		failures = append(failures, fmt.Errorf("after the load: %s", what))
	}
	return failures
}

// left returns what remains. Pools keep connections to the store, and the store in memory
// keeps the memory of its tables for later sessions.
func (r *endured) left() (left []string) {
	left = unsettled(r.before, r.after, 16, 16<<20)
	if r.after.sessions > 0 {
		left = append(left, fmt.Sprintf("%d sessions, though all have ended", r.after.sessions))
	}
	return left
}

// figures writes what was measured, for the command charts. It is safe for concurrent use.
type figures struct {
	mu  sync.Mutex
	w   io.Writer
	err error
}

// columns are the figures of a sample. Unknown ones are -1; times are in microseconds.
var columns = []struct {
	name string
	of   func(sample) int
}{
	{"seconds", func(s sample) int { return int(s.at.Seconds() + 0.5) }},
	{"created", func(s sample) int { return s.created }},
	{"requests", func(s sample) int { return s.requests }},
	{"sessions", func(s sample) int { return s.sessions }},
	{"size", func(s sample) int { return s.size }},
	{"heap", func(s sample) int { return s.heap }},
	{"rss", func(s sample) int { return s.rss }},
	{"goroutines", func(s sample) int { return s.goroutines }},
	{"files", func(s sample) int { return s.files }},
	{"connections", func(s sample) int { return s.connections }},
	{"p50", func(s sample) int { return s.p50 }},
	{"p99", func(s sample) int { return s.p99 }},
	{"slowest", func(s sample) int { return s.slowest }},
}

// Write implements [io.Writer]. Its error is that of all.
func (f *figures) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		_, f.err = f.w.Write(b)
	}
	return len(b), nil
}

// head writes the names of the columns, and add a row.
func (f *figures) head() {
	names := []string{"store"}
	for _, c := range columns {
		names = append(names, c.name)
	}
	_, _ = fmt.Fprintln(f, strings.Join(names, "\t")) // f keeps the error
}

func (f *figures) add(r *endured, s sample) {
	fields := []string{r.store}
	for _, c := range columns {
		fields = append(fields, fmt.Sprint(c.of(s)))
	}
	_, _ = fmt.Fprintln(f, strings.Join(fields, "\t")) // f keeps the error
}

// table writes the figures as the document has them, after an empty line.
func table(w io.Writer, runs []*endured, began time.Time) {
	row := func(name string, cell func(*endured) string) {
		cells := []string{name}
		for _, r := range runs {
			cells = append(cells, cell(r))
		}
		_, _ = fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) // to the standard output, and to figures
	}
	_, _ = fmt.Fprintf(w, "\nMeasured on %s: %d cores, %s/%s, %s.\n\n", began.Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS,
		runtime.GOARCH, runtime.Version())
	row("", func(r *endured) string { return r.store + ", " + r.framework })
	row("-", func(*endured) string { return "-" })
	row("sessions created", func(r *endured) string { return thousands(r.after.created) })
	row("minutes, requests", func(r *endured) string {
		return fmt.Sprintf("%.1f, %s", r.samples[len(r.samples)-1].at.Minutes(), thousands(r.after.requests))
	})
	row("of them refused with 503", func(r *endured) string { return thousands(r.crowd.statuses[http.StatusServiceUnavailable]) })
	for _, g := range enduranceGauges {
		row(g.name, func(r *endured) string {
			if !g.known(r.samples) {
				return ""
			}
			mean, rise := g.line(r.steady())
			percent := math.Round(1000*rise/max(mean, 1))/10 + 0 // which has no -0
			return fmt.Sprintf("%s, %+.1f %%", g.unit(int(mean+0.5)), percent)
		})
	}
	for _, q := range []struct {
		name string
		of   func(sample) int
	}{
		{"half of the requests take", func(s sample) int { return s.p50 }},
		{"99 % take at most", func(s sample) int { return s.p99 }},
	} {
		g := gauge{of: q.of}
		row(q.name, func(r *endured) string { return micros(g.middle(r.steady())) })
	}
	row("the slowest took", func(r *endured) string {
		slowest := 0
		for _, s := range r.samples {
			slowest = max(slowest, s.slowest)
		}
		return micros(slowest)
	})
	row("sessions at the end", func(r *endured) string { return number(r.after.sessions) })
	row("size at the end", func(r *endured) string {
		if r.after.size < 0 {
			return ""
		}
		return mega(r.after.size)
	})
	row("heap at the end, and before", func(r *endured) string { return mega(r.after.heap) + ", " + mega(r.before.heap) })
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	var parts []string
	for len(text) > 3 {
		parts = append([]string{text[len(text)-3:]}, parts...)
		text = text[:len(text)-3]
	}
	return strings.Join(append([]string{text}, parts...), ",")
}

func micros(n int) string { return fmt.Sprintf("%.2f ms", float64(n)/1000) }
