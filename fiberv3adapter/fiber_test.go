package fiberv3adapter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/timeout"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

// Fiber's own flashes travel in a cookie of their own.
func TestFlashesOfFiber(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	app := fiber.New()
	app.Use(Middleware(m))
	app.Get("/save", func(c fiber.Ctx) error {
		Session(c).Flash("success", "Saved.")
		return c.Redirect().With("theirs", "Fiber's").To("/")
	})
	app.Get("/", func(c fiber.Ctx) error {
		return c.SendString(fmt.Sprint(Session(c).Flashes(), c.Redirect().Message("theirs").Value))
	})
	saved := request(t, app, "/save", "")
	cookies := saved.Cookie(t)
	for _, line := range saved.Header.Values("Set-Cookie") {
		if strings.HasPrefix(line, fiber.FlashCookieName+"=") {
			pair, _, _ := strings.Cut(line, ";")
			cookies += "; " + pair
		}
	}
	request(t, app, "/", cookies).Wants(t, 200, "[{success Saved.}]Fiber's")
	request(t, app, "/", saved.Cookie(t)).Wants(t, 200, "[]")
}

// The timeout middleware answers with a copy of the response while the handler
// still runs: that gets the cookie, and what the handler changes then is told.
func TestC6Timeout(t *testing.T) {
	var seen reasons
	m, _ := adapterunit.ServerSide(t, core.Config{Observer: seen.observe})
	release, ended := make(chan struct{}), make(chan error, 1)
	app := fiber.New()
	app.Get("/", Middleware(m), timeout.New(func(c fiber.Ctx) error {
		s := Session(c)
		s.Set("k", "v")
		<-release
		s.Set("k", "late")
		ended <- s.Err()
		return nil
	}, timeout.Config{Timeout: time.Millisecond}))
	r := request(t, app, "/", "")
	r.Wants(t, 408, "Request Timeout")
	_ = r.Cookie(t)
	close(release)
	if err := <-ended; !errors.Is(err, core.ErrTooLate) {
		t.Errorf("a change after the answer: %v", err)
	}
	if got := seen.list(); !slices.Equal(got, []core.Reason{"created", core.ReasonAfterwards}) {
		t.Errorf("too late were %q", got)
	}
}

// A timeout that is answered as a server error rolls back, as any other.
func TestTimeoutThatIsAServerError(t *testing.T) {
	for status, want := range map[int]string{408: "slow", 503: "before"} {
		m, _ := adapterunit.ServerSide(t, core.Config{})
		var value string
		read := func(c ctx) error {
			value, _ = core.Get[string](Session(c), "k")
			return nil
		}
		cookie := serve(t, func(c ctx) error {
			Session(c).Set("k", "before")
			return nil
		}, "", Middleware(m)).Cookie(t)
		serve(t, timeout.New(func(c ctx) error {
			Session(c).Set("k", "slow")
			<-c.Context().Done()
			return nil
		}, timeout.Config{Timeout: time.Millisecond, OnTimeout: func(c ctx) error { return text(c, status, "too slow") }}),
			cookie, Middleware(m)).Wants(t, status, "too slow")
		if serve(t, read, cookie, Middleware(m)); value != want {
			t.Errorf("after a %d the value is %q, want %q", status, value, want)
		}
	}
}

// reasons keeps why changes came too late, and that a session was created.
type reasons struct {
	mu  sync.Mutex
	all []core.Reason
}

func (r *reasons) observe(_ context.Context, e core.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Kind {
	case core.EventTooLate:
		r.all = append(r.all, e.Reason)
	case core.EventCreated:
		r.all = append(r.all, "created")
	}
}

func (r *reasons) list() []core.Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// End sends the response before the middleware's commit, so its handler commits.
func TestEnd(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	app := fiber.New()
	app.Get("/", Middleware(m), func(c fiber.Ctx) error {
		s := Session(c)
		visits, _ := core.Get[int](s, "visits")
		s.Set("visits", visits+1)
		if err := s.Commit(c.Context()); err != nil {
			return err
		}
		m.WriteCookie(s)
		if err := c.SendString(fmt.Sprint("visits: ", visits)); err != nil {
			return err
		}
		return c.End()
	})
	head, body, _ := strings.Cut(in(app).OverTCP(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\n")
	_, line, ok := strings.Cut(head, "Set-Cookie: ")
	if !ok || body != "visits: 0" {
		t.Fatalf("answer is %q %q", head, body)
	}
	cookie, _, _ := strings.Cut(line, ";")
	if answer := in(app).OverTCP(t, "GET / HTTP/1.1\r\nHost: x\r\nCookie: "+cookie+"\r\n\r\n"); !strings.HasSuffix(answer, "visits: 1") {
		t.Errorf("answer is %q", answer)
	}
}
