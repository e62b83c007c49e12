package core

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// FuzzSEC46Environment: a Config that New takes, or an error.
func FuzzSEC46Environment(f *testing.F) {
	f.Add("30", "12", "2026-01-02T03:04:05Z", "__Host-s", "", "/", "lax", "true")
	f.Add("", " ", "", "", "", "", "", "")
	f.Add("0", "0.5", "", "", "example.com", "/app", "STRICT", "")
	f.Add("1e-12", "-0", "yesterday", "a b", ".-.", "x", "None", "maybe")
	f.Add("1e-12", "12", "", "", "", "", "", "")
	f.Add("1", "0.0000000000001", "", "", "", "", "", "")
	f.Add("NaN", "+Inf", "0000-00-00T00:00:00Z", "s-1", "xn--", "/;", "", "1")
	f.Add("0x1p-9", "876000", "9999-12-31T23:59:59.999999999+23:59", "__HOST-x", "a", "/\x7f", "lax ", "T")
	f.Fuzz(func(t *testing.T, idle, life, notBefore, name, domain, path, sameSite, flag string) {
		all := strings.Join([]string{idle, life, notBefore, name, domain, path, sameSite, flag}, " ")
		if strings.Contains(all, "\x00") {
			return
		}
		for n, v := range map[string]string{
			"IDLE_TIMEOUT_IN_MINUTES": idle, "LIFETIME_IN_HOURS": life, "NOT_BEFORE": notBefore, "COOKIE_NAME": name, "COOKIE_DOMAIN": domain,
			"COOKIE_PATH": path, "COOKIE_SAME_SITE": sameSite, "COOKIE_PARTITIONED": flag,
		} {
			t.Setenv("FUZZ_"+n, v)
		}
		var c Config
		var err error
		alloctest.Bound(t, 64*len(all)+32<<10, func() { c, err = ConfigFromEnv("FUZZ_") })
		if err != nil {
			return
		}
		wantTimeout(t, idle, c.IdleTimeout, time.Minute)
		wantTimeout(t, life, c.Lifetime, time.Hour)
		if err := c.withDefaults().validate(); err != nil {
			t.Errorf("New would refuse it: %v", err)
		}
	})
}

// wantTimeout checks that what was set is what holds, and not the default in
// its place.
func wantTimeout(t *testing.T, text string, got, unit time.Duration) {
	t.Helper()
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	switch {
	case err != nil && strings.TrimSpace(text) == "":
		if got != 0 {
			t.Errorf("nothing is set, and holds as %v", got)
		}
	case n == 0:
		if got != NoTimeout {
			t.Errorf("%q holds as %v", text, got)
		}
	case got != time.Duration(n*float64(unit)) || got <= 0:
		t.Errorf("%q holds as %v", text, got)
	}
}
