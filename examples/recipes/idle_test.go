package recipes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
	"github.com/satchel-go/satchel/examples/internal/chromium"
)

func idleRoutes(sessions *sessiontest.Sessions) routes {
	answer := func(v map[string]int, err error) (int, string) {
		if err != nil {
			return core.ErrorResponseFor(err).Status, ""
		}
		return 200, fmt.Sprintf(`{"seconds":%d}`, v["seconds"])
	}
	return routes{
		"GET /session":  func(c call) (int, string) { return answer(remaining(c.s, sessions.Now()), nil) },
		"POST /session": func(c call) (int, string) { return answer(extend(c, c.s, sessions.Now())) },
	}
}

// TestIdleWarningChromium runs the page's script in a real browser: the warning comes, and
// the button takes it away.
func TestIdleWarningChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	widget := idleWidget(t)
	sessions := sessiontest.New(t, func(c *core.Config) { c.IdleTimeout = 20 * time.Minute })
	r := idleRoutes(sessions)
	r["GET /"] = func(c call) (int, string) {
		c.s.Login("ann")
		if err := c.s.Commit(c); err != nil {
			return 500, err.Error()
		}
		c.s.SkipTouch()
		sessions.Advance(18*time.Minute + 30*time.Second)
		return 200, `<!doctype html><pre id="seen"></pre>` + widget + `<script>
(async () => {
  const pause = ms => new Promise(done => setTimeout(done, ms)), seen = []
  const look = () => seen.push(box.hidden ? "hidden" : text.textContent)
  for (let i = 0; i < 50 && box.hidden; i++) await pause(100)
  look()
  document.getElementById("stay").click()
  for (let i = 0; i < 50 && !box.hidden; i++) await pause(100)
  look()
  document.getElementById("seen").textContent = seen.join(" | ")
})()</script>`
	}
	for _, f := range mounted(r)[:1] { // the script is the same in all
		out, err := show(t, serve(t, f.app(sessions.Manager))+"/")
		if want := "You will be signed out in 2 minutes. | hidden"; err != nil || !strings.Contains(out, want) {
			t.Errorf("the browser shows %s, want %s: %v", out, want, err)
		}
	}
}

// idleWidget returns the page's element and script.
func idleWidget(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(docs + "/idle-warning.md")
	if err != nil {
		t.Fatal(err)
	}
	_, widget, _ := strings.Cut(string(page), "```html\n")
	widget, _, _ = strings.Cut(widget, "```")
	return widget
}

// show returns what a browser that waits for 15 seconds of its own time then has at url.
func show(t *testing.T, url string) (string, error) {
	t.Helper()
	browser, err := chromium.Find()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "recipes") //nolint:usetesting // TempDir fails if a browser's child still writes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+profile, "--ignore-certificate-errors", "--virtual-time-budget=15000", "--dump-dom", url).Output()
	return string(out), err
}

// TestT2IdleWarningUnattended: a page that nobody looks at lets its session end, is
// reloaded once, and then stays.
func TestT2IdleWarningUnattended(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	widget := idleWidget(t)
	sessions := sessiontest.New(t, func(c *core.Config) { c.IdleTimeout = 20 * time.Minute })
	r := idleRoutes(sessions)
	var pages atomic.Int64
	r["GET /page"] = func(c call) (int, string) {
		n := pages.Add(1)
		if n == 1 {
			c.s.Login("ann")
			if err := c.s.Commit(c); err != nil {
				return 500, err.Error()
			}
		}
		return 200, fmt.Sprintf("<!doctype html><p>page %d of %q</p>", n, c.s.UserID()) + widget
	}
	r["GET /session"] = func(c call) (int, string) {
		seconds := remaining(c.s, c.s.IdleExpiresAt().Add(-time.Millisecond))["seconds"]
		if want := map[string]int{"ann": 1}[c.s.UserID()]; seconds != want {
			t.Errorf("T2: %d seconds while the user is %q, want %d", seconds, c.s.UserID(), want)
		}
		sessions.Advance(20 * time.Minute) // before the page asks again
		return 200, fmt.Sprintf(`{"seconds":%d}`, seconds)
	}
	out, err := show(t, serve(t, mounted(r)[0].app(sessions.Manager))+"/page")
	if want := `page 2 of ""`; err != nil || !strings.Contains(out, want) || pages.Load() != 2 {
		t.Errorf("the browser shows %s after %d pages, want %s: %v", out, pages.Load(), want, err)
	}
}

// TestT2IdleWarning: asking how much time is left is no activity, the button is.
func TestT2IdleWarning(t *testing.T) {
	sessions := sessiontest.New(t, func(c *core.Config) { c.IdleTimeout = 20 * time.Minute })
	for _, f := range mounted(idleRoutes(sessions)) {
		t.Run(f.name, func(t *testing.T) {
			ann := sessions.Login("ann in " + f.name)
			b := newBrowser(t, serve(t, f.app(sessions.Manager)), ann.Jar())
			left := func(r reply, want int) {
				t.Helper()
				var got struct{ Seconds int }
				if err := json.Unmarshal([]byte(r.body), &got); err != nil || got.Seconds > want+1 || got.Seconds < want-10 {
					t.Errorf("T2: %s, want about %d seconds", r.body, want) // the clock runs, and parts of a second count
				}
			}
			left(b.get("/session"), 1200)
			for range 6 { // polls every 3 minutes: they keep nothing alive
				sessions.Advance(3 * time.Minute)
				b.get("/session")
			}
			left(b.get("/session"), 120)
			left(b.send("POST", "/session", "", ""), 1200)
			left(b.get("/session"), 1200)
			sessions.Advance(20 * time.Minute)
			left(b.get("/session"), 0)
			left(b.send("POST", "/session", "", ""), 0)
		})
	}
}
