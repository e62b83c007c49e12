package recipes

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
)

// lines are what a stream sends. next fails the test unless the next line that
// is not empty is want.
type lines struct {
	*testing.T
	scan *bufio.Scanner
}

func (l lines) next(want string) {
	l.Helper()
	for l.scan.Scan() {
		if got := l.scan.Text(); got != "" {
			if got != want {
				l.Fatalf("the stream sends %q, want %q", got, want)
			}
			return
		}
	}
	l.Fatalf("the stream has ended, want %q: %v", want, l.scan.Err())
}

// openEvents starts a stream.
func openEvents(b *browser) lines {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.base+"/events", nil)
	if err != nil {
		b.Fatal(err)
	}
	res, err := b.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = res.Body.Close() })
	if kind := res.Header.Get("Content-Type"); res.StatusCode != 200 || !strings.HasPrefix(kind, "text/event-stream") {
		b.Fatalf("%d %s, want a stream", res.StatusCode, kind)
	}
	return lines{b.T, bufio.NewScanner(res.Body)}
}

func eventsFrameworks(t *testing.T, news *feed) []framework {
	return frameworks(
		func(m *core.Manager) http.Handler { return eventsNetHTTP(m, news) },
		func(m *core.Manager) *echo.Echo { return eventsEcho(m, news) },
		func(m *core.Manager) *gin.Engine { return eventsGin(m, news) },
		func(m *core.Manager) *fiber.App { return eventsFiber(t.Context(), m, news) },
	)
}

func TestEvents(t *testing.T) {
	for i, f := range eventsFrameworks(nil, nil) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			sessions, news := sessiontest.New(t), new(feed)
			b := newBrowser(t, serve(t, eventsFrameworks(t, news)[i].app(sessions.Manager)), nil)
			b.get("/events").wants(204, "")

			ann := sessions.Login("ann", func(s *core.Session) { s.Flash("info", "For you.") })
			id := ann.Session().ID()
			b = newBrowser(t, b.base, ann.Jar())
			events := openEvents(b)
			events.next(": open")
			events.next("event: flash")
			events.next(`data: "For you."`)
			ann.WantFlashes() // committed at the first flush, while the stream goes on

			news.publish("One more.") // it has listened since before its first flush
			events.next(`data: "One more."`)
			if err := sessions.Manager.Revoke(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			events.next("event: end")
			events.next("data:")
			for events.scan.Scan() {
				if got := events.scan.Text(); got != "" {
					t.Errorf("after the end the stream sends %q", got)
				}
			}
			b.get("/events").wants(204, "")
		})
	}
}

// TestEventsAreNoActivity shows that a page that reconnects for ever does not
// keep its user logged in.
func TestEventsAreNoActivity(t *testing.T) {
	for i, f := range eventsFrameworks(nil, nil) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			sessions, news := sessiontest.New(t), new(feed)
			ann := sessions.Login("ann")
			b := newBrowser(t, serve(t, eventsFrameworks(t, news)[i].app(sessions.Manager)), ann.Jar())
			sessions.Advance(20 * time.Minute)
			openEvents(b)
			sessions.Advance(20 * time.Minute)
			b.get("/events").wants(204, "")
		})
	}
}
