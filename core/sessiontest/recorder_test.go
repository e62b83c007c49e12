package sessiontest_test

import (
	"strings"
	"testing"

	"github.com/satchel-go/satchel/internal/testing/recorder"
)

// failed runs f as a separate test and returns what it said, or "" if it has not failed.
func failed(t *testing.T, f func(tb testing.TB)) string {
	t.Helper()
	r := recorder.Run(t, func(r *recorder.Recorder) { f(r) })
	if !r.Failed() {
		return ""
	}
	return r.Said()
}

// wants checks a failure's text; "" means no failure.
func wants(t *testing.T, got string, parts ...string) {
	t.Helper()
	if len(parts) == 0 && got != "" {
		t.Errorf("failed: %s", got)
	}
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("failed with %q, want %q in it", got, part)
		}
	}
}
