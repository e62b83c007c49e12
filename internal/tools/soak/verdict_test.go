package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// even is a run in which nothing happens: n samples between before and after.
func even(n int) (before sample, samples []sample, after sample) {
	before = sample{heap: 1 << 20, rss: 20 << 20, goroutines: 8, files: 12}
	for range n {
		samples = append(samples, sample{heap: 2 << 20, rss: 25 << 20, goroutines: 30, files: 40, sessions: 60, allowed: 100})
	}
	return before, samples, before
}

func TestFlatIsFlat(t *testing.T) {
	l := newLoad("", 16)
	before, samples, after := even(30)
	for i := range samples { // as garbage collectors and pools cause it
		samples[i].heap += i % 3 << 20
		samples[i].goroutines += i % 5
		samples[i].sessions += i % 20
	}
	if failures := judge(before, samples, after, l); len(failures) != 0 {
		t.Errorf("an even run: %v", errors.Join(failures...))
	}
}

func TestGrowthIsNoticed(t *testing.T) {
	l := newLoad("", 16)
	for _, test := range []struct {
		what string
		grow func(i int, s *sample)
		want string
	}{
		{"heap", func(i int, s *sample) { s.heap += i << 18 }, "heap: from"},
		{"RSS", func(i int, s *sample) { s.rss += i << 21 }, "RSS: from"},
		{"goroutines", func(i int, s *sample) { s.goroutines += 2 * i }, "goroutines: from 40 to 80, want 64 at most"},
		{"files", func(i int, s *sample) { s.files += i }, "open files: from 45 to 65, want 62 at most"},
		{"sessions", func(i int, s *sample) { s.sessions += 10 * i; s.allowed += 10 * i }, "sessions: from"},
		{"sessions that are not removed", func(i int, s *sample) { s.sessions = 101 + i/29 }, "sessions: 102, but only 100 were begun"},
		{"no sessions", func(_ int, s *sample) { s.sessions = 0 }, "nothing was tested"},
	} {
		before, samples, after := even(30)
		for i := range samples {
			test.grow(i, &samples[i])
		}
		failures := judge(before, samples, after, l)
		if len(failures) != 1 || !strings.Contains(failures[0].Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.what, failures, test.want)
		}
	}
	before, samples, after := even(3)
	if failures := judge(before, samples, after, l); len(failures) != 1 {
		t.Errorf("3 samples: %v", failures)
	}
}

func TestWhatIsLeftIsNoticed(t *testing.T) {
	for want, leave := range map[string]func(*sample){
		"goroutines: 57, want 56": func(s *sample) { s.goroutines += 49 },
		"open files: 53, want 52": func(s *sample) { s.files += 41 },
		"heap: 10.0 MiB":          func(s *sample) { s.heap += 9 << 20 },
		"7 sessions":              func(s *sample) { s.sessions = users + 1 },
	} {
		before, samples, after := even(30)
		leave(&after)
		failures := judge(before, samples, after, newLoad("", 16))
		if len(failures) != 1 || !strings.Contains(failures[0].Error(), want) {
			t.Errorf("%v, want %q", failures, want)
		}
	}
}

func TestAnswersAreJudged(t *testing.T) {
	good := func() *load {
		l := newLoad("", 16)
		l.sent, l.statuses = 1000, map[int]int{200: 990, 503: 10}
		return l
	}
	if err := good().verdict(); err != nil {
		t.Errorf("a good run: %v", err)
	}
	for want, spoil := range map[string]func(*load){
		"GET /get: status 500 (2 times)": func(l *load) {
			l.complain("GET /get: status %d", 500)
			l.complain("GET /get: status %d", 500)
		},
		"100 of 1000 requests were answered with 503": func(l *load) { l.statuses[503] = 100 },
		"nothing was tested":                          func(l *load) { l.statuses[200] = 499 },
		"0 of 0":                                      func(l *load) { l.sent, l.statuses = 0, nil },
	} {
		l := good()
		spoil(l)
		if err := l.verdict(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestSessionsThatCanBeAlive(t *testing.T) {
	l, now := newLoad("", 16), time.Now()
	for _, ago := range []time.Duration{0, time.Second, 65 * time.Second, 67 * time.Second, time.Hour} {
		l.begun = append(l.begun, now.Add(-ago))
	}
	if n := l.recentlyBegun(now); n != 3 {
		t.Errorf("%d, want the 3 of the last 66 seconds", n)
	}
}
