package recipes

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
)

// TestT2IdleWarning: asking how much time is left is no activity, the button is.
func TestT2IdleWarning(t *testing.T) {
	sessions := sessiontest.New(t, func(c *core.Config) { c.IdleTimeout = 20 * time.Minute })
	answer := func(v any) (int, string) {
		data, err := json.Marshal(v)
		if err != nil {
			return 500, err.Error()
		}
		return 200, string(data)
	}
	for _, f := range mounted(routes{
		"GET /session":  func(c call) (int, string) { return answer(remaining(c.s, sessions.Now())) },
		"POST /session": func(c call) (int, string) { return answer(extend(c.s, sessions.Now())) },
	}) {
		t.Run(f.name, func(t *testing.T) {
			ann := sessions.Login("ann in " + f.name)
			b := newBrowser(t, serve(t, f.app(sessions.Manager)), ann.Jar())
			left := func(r reply, want int) {
				t.Helper()
				var got struct{ Seconds int }
				if err := json.Unmarshal([]byte(r.body), &got); err != nil || got.Seconds > want || got.Seconds < want-10 {
					t.Errorf("T2: %s, want about %d seconds", r.body, want) // the clock runs
				}
			}
			left(b.get("/session"), 1200)
			for range 6 { // polls every 3 minutes: they keep nothing alive
				sessions.Advance(3 * time.Minute)
				b.get("/session")
			}
			left(b.get("/session"), 120)
			b.send("POST", "/session", "", "")
			left(b.get("/session"), 1200)
			sessions.Advance(20 * time.Minute)
			left(b.get("/session"), 0)
			left(b.send("POST", "/session", "", ""), 0)
		})
	}
}
