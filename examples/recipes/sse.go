package recipes

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/ginadapter"
)

// feed stands for whatever tells your application that something has
// happened. Every listener hears everything.
type feed struct {
	mu        sync.Mutex
	listeners map[chan string]bool
}

// listen returns what is published from now on, until stop is called.
func (f *feed) listen() (events <-chan string, stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(chan string, 16)
	if f.listeners == nil {
		f.listeners = map[chan string]bool{}
	}
	f.listeners[c] = true
	return c, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.listeners, c)
	}
}

// publish tells every listener; one that is too slow misses it.
func (f *feed) publish(event string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.listeners {
		select {
		case c <- event:
		default:
		}
	}
}

//recipe:shared

// stream sends events until the session or the connection ends.
func stream(ctx context.Context, done <-chan struct{}, waiting []core.Flash, events <-chan string, w io.Writer, flush func() error) {
	ping := time.NewTicker(15 * time.Second) // notices that a client is gone
	defer ping.Stop()
	_, _ = fmt.Fprint(w, ": open\n\n") // fasthttp sends the header with the first of the body
	for _, f := range waiting {
		_, _ = fmt.Fprintf(w, "event: flash\ndata: %q\n\n", f.Text) // flush reports errors
	}
	for {
		if flush() != nil {
			return
		}
		select {
		case <-done: // logged out, revoked or expired; or ctx has ended
			if ctx.Err() == nil {
				_, _ = fmt.Fprint(w, "event: end\ndata:\n\n") // the page closes its EventSource
				_ = flush()
			}
			return
		case event := <-events:
			_, _ = fmt.Fprintf(w, "data: %q\n\n", event) // quoted: an event must not contain a line break
		case <-ping.C:
			_, _ = fmt.Fprint(w, ": ping\n\n")
		}
	}
}

//recipe:end

func eventsNetHTTP(sessions *core.Manager, news *feed) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		s.SkipTouch() // reconnecting keeps nobody logged in
		done, err := sessions.Done(r.Context(), s.ID())
		if s.UserID() == "" || err != nil {
			w.WriteHeader(http.StatusNoContent) // tells an EventSource to give up
			return
		}
		waiting := s.Flashes() // before the first flush, like everything that needs a cookie
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // for nginx
		events, stop := news.listen()
		defer stop()
		stream(r.Context(), done, waiting, events, w, http.NewResponseController(w).Flush)
	})
	return httpadapter.Middleware(sessions)(mux)
}

//recipe:echo
func eventsEcho(sessions *core.Manager, news *feed) *echo.Echo {
	e := echo.New()
	e.Use(echov5adapter.Middleware(sessions))
	e.GET("/events", func(c *echo.Context) error {
		s, ctx := echov5adapter.Session(c), c.Request().Context()
		s.SkipTouch() // reconnecting keeps nobody logged in
		done, err := sessions.Done(ctx, s.ID())
		if s.UserID() == "" || err != nil {
			return c.NoContent(http.StatusNoContent) // tells an EventSource to give up
		}
		waiting := s.Flashes() // before the first flush, like everything that needs a cookie
		w := c.Response()
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // for nginx
		events, stop := news.listen()
		defer stop()
		stream(ctx, done, waiting, events, w, http.NewResponseController(w).Flush)
		return nil
	})
	return e
}

//recipe:end

func eventsGin(sessions *core.Manager, news *feed) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
	r.GET("/events", func(c *gin.Context) {
		s, ctx := ginadapter.Session(c), c.Request.Context()
		s.SkipTouch() // reconnecting keeps nobody logged in
		done, err := sessions.Done(ctx, s.ID())
		if s.UserID() == "" || err != nil {
			c.Status(http.StatusNoContent) // tells an EventSource to give up
			return
		}
		waiting := s.Flashes() // before the first flush, like everything that needs a cookie
		c.Header("Content-Type", "text/event-stream")
		c.Header("X-Accel-Buffering", "no") // for nginx
		events, stop := news.listen()
		defer stop()
		stream(ctx, done, waiting, events, c.Writer, http.NewResponseController(c.Writer).Flush)
	})
	return r
}

//recipe:fiber
func eventsFiber(server context.Context, sessions *core.Manager, news *feed) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberv3adapter.Middleware(sessions))
	app.Get("/events", func(c fiber.Ctx) error {
		s := fiberv3adapter.Session(c)
		s.SkipTouch() // reconnecting keeps nobody logged in
		// fasthttp does not report that a client hung up: the next flush notices.
		// server ends with your program, so that Shutdown need not wait.
		ctx, cancel := context.WithCancel(server)
		done, err := sessions.Done(ctx, s.ID())
		if s.UserID() == "" || err != nil {
			cancel()
			return c.SendStatus(fiber.StatusNoContent) // tells an EventSource to give up
		}
		waiting := s.Flashes() // here, not in the writer: that runs after the commit
		c.Set("Content-Type", "text/event-stream")
		c.Set("X-Accel-Buffering", "no") // for nginx
		events, stop := news.listen()
		c.RequestCtx().SetBodyStreamWriter(func(w *bufio.Writer) {
			defer cancel()
			defer stop()
			stream(ctx, done, waiting, events, w, w.Flush) // use neither c nor s in here
		})
		return nil
	})
	return app
}

//recipe:end
