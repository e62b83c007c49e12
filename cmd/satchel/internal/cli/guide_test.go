package cli_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// TestGuideIncident runs each step of the first hour of an incident in docs/operations.md,
// in its order, as somebody at a terminal does.
func TestGuideIncident(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/operations.md")
	if err != nil {
		t.Skip("the guide is in the repository, not in the module")
	}
	w := redisWorld(t, redistest.Start(t, redistest.Args("--maxmemory", "100mb")).URL(), "satchel:")
	w.fill()
	steps := map[string][]string{ // what each command must print, on either stream
		"look":  {"✓ store: redis at", "4 sessions: 3 logged in, 1 anonymous"},
		"one":   {w.ids["ann2"].String(), "End 2 sessions of ann?", "no sessions of ann"},
		"all":   {"2 sessions would end\n", "2 sessions ended\n", "0 sessions\n"},
		"after": {"watching redis at", "✓ prefix: 0 sampled keys"},
	}
	blocks := regexp.MustCompile("(?s)<!-- incident: (\\w+) -->\n\n```sh\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) != len(steps) {
		t.Fatalf("%d steps in the guide, want %d", len(blocks), len(steps))
	}
	for _, block := range blocks {
		want := steps[string(block[1])]
		for line := range strings.Lines(string(block[2])) {
			command, ok := strings.CutPrefix(strings.TrimSpace(line), "satchel ")
			if !ok {
				continue // the environment
			}
			if len(want) == 0 {
				t.Fatalf("%s: nothing is known of %q", block[1], line)
			}
			reply := map[bool]string{true: "satchel:\n", false: "y\n"}[strings.Contains(command, "--all")]
			ctx, cancel := contextFor(t, command)
			out, talk, code := w.run(ctx, command, typed(reply))
			cancel()
			if !strings.Contains(out+talk, want[0]) && !strings.Contains(strip(out), want[0]) || code != 0 && code != 3 {
				t.Errorf("%s: exit %d, %q, %q; want %q", command, code, out, talk, want[0])
			}
			want = want[1:]
		}
		if len(want) > 0 {
			t.Errorf("%s lacks commands for %q", block[1], want)
		}
	}
}

// contextFor ends a command that would not end by itself.
func contextFor(t *testing.T, command string) (context.Context, func()) {
	if command == "watch" {
		return context.WithTimeout(t.Context(), time.Second)
	}
	return t.Context(), func() {}
}

// strip takes colours away.
func strip(s string) string { return regexp.MustCompile(`\x1b\[\d+m`).ReplaceAllString(s, "") }
