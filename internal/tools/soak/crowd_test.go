package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The crowd begins as many sessions as it should, though a few are refused, goes on with the
// cookie that it was given, and notices what should not be answered.
func TestTheCrowdBeginsTheSessions(t *testing.T) {
	var asked, begun, followed atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch _, err := r.Cookie("session"); {
		case err == nil:
			followed.Add(1)
		case asked.Add(1)%100 == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			begun.Add(1)
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "x", Path: "/"})
		}
		if r.URL.Path == "/logout" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer server.Close()
	c := newCrowd(server.URL, 4, 400, 200*time.Millisecond)
	begin := time.Now()
	c.run(t.Context())
	if took := time.Since(begin); took < 150*time.Millisecond {
		t.Errorf("it took %v: the sessions are not spread over the duration", took)
	}
	var s sample
	c.latency(&s)
	if begun.Load() < 400 || begun.Load() > 403 || s.created != int(begun.Load()) || s.requests < s.created+int(followed.Load()) || followed.Load() < 80 {
		t.Errorf("%d begun, %d followed; it counts %+v", begun.Load(), followed.Load(), s)
	}
	if n := c.statuses[http.StatusServiceUnavailable]; n < 4 {
		t.Errorf("%d refused, want 4 at least", n)
	}
	if s.p50 <= 0 || s.p99 < s.p50 || s.slowest < s.p99 {
		t.Errorf("latencies: %+v", s)
	}
	if err := c.verdict(); err == nil || !strings.Contains(err.Error(), "POST /logout: status 418") {
		t.Errorf("the verdict on a bad answer: %v", err)
	}
}
