package metrics_test

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// text returns what a scrape of r gets.
func text(t *testing.T, r *prometheus.Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	return w.Body.String()
}

// TestSEC67HostileRequestsMakeNoSeries sends what clients can think of. They must not
// make series, nor find a way into one.
func TestSEC67HostileRequestsMakeNoSeries(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 2000
	}
	s := newSite(t, newExports(t, "web"))
	rng := rand.New(rand.NewPCG(1, 2))
	const alphabet = "secretABC%;=\"\\ \t,_-0123456789.{}\x00\xff"
	junk := func() string {
		b := make([]byte, rng.IntN(60))
		for i := range b {
			b[i] = alphabet[rng.IntN(len(alphabet))]
		}
		return string(b)
	}
	cookies := []string{""}
	for i := range n {
		secret := fmt.Sprintf("secret%d", i)
		cookie := cookies[rng.IntN(len(cookies))]
		switch rng.IntN(8) {
		case 0:
			cookie = "__Host-session=" + junk()
		case 1:
			cookie += "; __Host-session=" + junk()
		case 2:
			if len(cookie) > 40 { // another token of this form
				at := 20 + rng.IntN(len(cookie)-20)
				cookie = cookie[:at] + "A" + cookie[at+1:]
			}
		case 3:
			cookie = ""
		}
		do := []string{"login", "logout", "renew", "set", "flash", "read", "fail", "late", secret}[rng.IntN(9)]
		r := httptest.NewRequestWithContext(t.Context(), []string{"GET", "POST", "HEAD", "SECRET"}[rng.IntN(4)], "https://example.com/"+secret+"?do="+do+"&arg="+secret, nil)
		r.Header.Set("Cookie", cookie)
		r.Header.Set("User-Agent", junk())
		r.Header.Set("Sec-Purpose", []string{"", "prefetch", junk()}[rng.IntN(3)])
		s.store.down.Store(rng.IntN(50) == 0)
		s.store.conflicts.Store(int64(rng.IntN(2)))
		s.now.Add(rng.Int64N(100))
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if line, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";"); line != "" && len(cookies) < 50 {
			cookies = append(cookies, line)
		} else if line != "" {
			cookies[rng.IntN(50)] = line
		}
	}
	s.store.down.Store(false)
	for way, r := range map[string]*prometheus.Registry{"otelsatchel": s.otel, "promsatchel": s.prom} {
		_, series := s.series(r)
		lines := strings.Count(text(t, r), "\n")
		t.Logf("%s: %d series after %d requests, %d lines with buckets and comments", way, len(series), n, lines)
		if len(series) > 60 {
			t.Errorf("%s: %d series: %v", way, len(series), series)
		}
		if len(series) < 30 {
			t.Errorf("%s: the requests have not tried much: %v", way, series)
		}
		all := text(t, r)
		for _, cookie := range cookies[1:] {
			if _, token, _ := strings.Cut(cookie, "="); token != "" && strings.Contains(all, token) {
				t.Errorf("%s exports the token %s", way, token)
			}
		}
		for _, part := range []string{"secret", "SECRET", "example.com", "10.0.0.1", `satchel_event="_OTHER"`, `satchel_reason="_OTHER"`} {
			if strings.Contains(all, part) {
				t.Errorf("%s exports %q", way, part)
			}
		}
	}
}
