package main

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// steadily is a run of half an hour in which the store's size saws, as clean-ups make it
// do, and nothing grows after the first minutes.
func steadily() *endured {
	c := newCrowd("", 64, 1_000_000, 30*time.Minute)
	rest := sample{heap: 1 << 20, rss: 20 << 20, goroutines: 8, files: 12, size: 1 << 20}
	r := &endured{framework: "gin", store: "file", before: rest, after: rest, crowd: c}
	r.after.created = c.sessions
	for i := range 180 {
		full := min(i, 15) * 1000
		r.samples = append(r.samples, sample{
			at: time.Duration(i) * 10 * time.Second, sessions: 4*full + i%6*2000, size: 300*4*full + i%7<<20, connections: 20,
			heap: 500*4*full + i%3<<20, rss: 120<<20 + i%5<<20, goroutines: 30 + i%4, files: 40 + i%3,
		})
	}
	return r
}

func TestAStoreThatStaysAsItIsPasses(t *testing.T) {
	if failures := steadily().judge(); len(failures) != 0 {
		t.Errorf("an even run: %v", errors.Join(failures...))
	}
	r := steadily() // a store in memory has no size and no connections
	for i := range r.samples {
		r.samples[i].size, r.samples[i].connections = -1, -1
	}
	if failures := r.judge(); len(failures) != 0 {
		t.Errorf("an even run in memory: %v", errors.Join(failures...))
	}
}

// A log that saws with a long period is no leak, whatever the phase of its teeth.
func TestALogThatIsCompactedPasses(t *testing.T) {
	for phase := range 18 {
		r := steadily()
		for i := range r.samples {
			r.samples[i].size = 10<<20 + (i+phase)%18<<20
		}
		if failures := r.judge(); len(failures) != 0 {
			t.Errorf("phase %d: %v", phase, errors.Join(failures...))
		}
	}
}

// A leak of a few bytes for each session is seen through the ups and downs.
func TestALeakIsNoticed(t *testing.T) {
	const perSample = 1_000_000 / 180
	for _, test := range []struct {
		want string
		leak func(i int, r *endured)
	}{
		{"sessions in the store: rises by", func(i int, r *endured) { r.samples[i].sessions += i * perSample / 50 }},
		{"size of the store: rises by", func(i int, r *endured) { r.samples[i].size += 8 * i * perSample }},
		{"heap in use: rises by", func(i int, r *endured) { r.samples[i].heap += 8 * i * perSample }},
		{"resident memory: rises by", func(i int, r *endured) { r.samples[i].rss += 24 * i * perSample }},
		{"goroutines: rises by", func(i int, r *endured) { r.samples[i].goroutines += i / 5 }},
		{"descriptors: rises by", func(i int, r *endured) { r.samples[i].files += i / 5 }},
		{"connections to the store: rises by", func(i int, r *endured) { r.samples[i].connections += i / 10 }},
		{"after the load: 1 sessions", func(_ int, r *endured) { r.after.sessions = 1 }},
		{"after the load: heap", func(_ int, r *endured) { r.after.heap = 18 << 20 }},
		{"after the load: goroutines", func(_ int, r *endured) { r.after.goroutines = 80 }},
		{"999999 sessions were created", func(_ int, r *endured) { r.after.created = 999_999 }},
	} {
		r := steadily()
		for i := range r.samples {
			test.leak(i, r)
		}
		failures := r.judge()
		if len(failures) != 1 || !strings.Contains(failures[0].Error(), test.want) {
			t.Errorf("%v, want %q", failures, test.want)
		}
	}
	r := steadily()
	r.samples = r.samples[:19]
	if failures := r.judge(); len(failures) != 1 || !strings.Contains(failures[0].Error(), "too few") {
		t.Errorf("19 samples: %v", failures)
	}
}

// On a busy machine sessions begin faster and slower, and a store's size follows. That is no
// leak, and hides none.
func TestAChangingRateIsNoLeak(t *testing.T) {
	for leak, want := range map[int]string{0: "", 8: "size of the store: rises by"} {
		r := steadily()
		created := 0
		for i := range r.samples {
			s := &r.samples[i]
			created += 3000 + 2000*(i/20%3)
			s.created = created
			s.recent = r.recent(*s)
			s.sessions = s.recent
			s.size = 2<<20 + 300*s.recent + leak*created
		}
		failures := r.judge()
		if want == "" && len(failures) != 0 || want != "" && (len(failures) != 1 || !strings.Contains(failures[0].Error(), want)) {
			t.Errorf("with a leak of %d bytes a session: %v, want %q", leak, failures, want)
		}
	}
	r := steadily()
	for i := range r.samples {
		r.samples[i].created = 1000 * i
	}
	for i, want := range map[int]int{0: 0, 10: 10_000, 15: 15_000, 16: 15_000, 179: 15_000} {
		if got := r.recent(r.samples[i]); got != want {
			t.Errorf("at %v, %d can be there, want %d", r.samples[i].at, got, want)
		}
	}
}

func TestTheLineThroughSamples(t *testing.T) {
	g := gauge{of: func(s sample) int { return s.heap }}
	for _, test := range []struct {
		heap       []int
		mean, rise float64
	}{
		{[]int{5, 5, 5, 5}, 5, 0},
		{[]int{1, 2, 3, 4}, 2.5, 3},
		{[]int{4, 3, 2, 1}, 2.5, -3},
		{[]int{1, 9, 9, 1}, 5, 0},
	} {
		var samples []sample
		for i, heap := range test.heap {
			samples = append(samples, sample{heap: heap, at: time.Duration(10+i) * time.Second})
		}
		mean, rise := g.line(samples)
		if math.Abs(mean-test.mean) > 1e-9 || math.Abs(rise-test.rise) > 1e-9 {
			t.Errorf("%v: mean %v and rise %v, want %v and %v", test.heap, mean, rise, test.mean, test.rise)
		}
	}
}

// What the command charts reads, and the document shows.
func TestTheFiguresAreWritten(t *testing.T) {
	var text strings.Builder
	f, r := &figures{w: &text}, steadily()
	f.head()
	for _, s := range r.samples {
		f.add(r, s)
	}
	table(f, []*endured{r}, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	rows, document, found := strings.Cut(text.String(), "\n\n")
	if lines := strings.Split(rows, "\n"); !found || len(lines) != 181 || strings.Count(lines[180], "\t") != strings.Count(lines[0], "\t") {
		t.Errorf("the rows are %q", rows)
	}
	for _, want := range []string{"Measured on 2026-11-30: ", "| sessions created | 1,000,000 |\n", "| file, gin |\n", "| connections to the store | 20, +0.0 % |\n"} {
		if !strings.Contains(document, want) {
			t.Errorf("no %q in %s", want, document)
		}
	}
}
