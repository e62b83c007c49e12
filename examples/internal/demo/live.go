package demo

import (
	"context"
	"fmt"
	"io"
	"log"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

const (
	jobTime   = 2 * time.Second
	heartbeat = 15 * time.Second // so that a browser that has left is noticed
)

// LivePage shows messages while it is open.
type LivePage struct {
	Supported bool
}

// Live shows messages as they arrive.
func (a *App) Live(s *core.Session) Page {
	p, done := a.page(s, "/live", "Live messages")
	if !done {
		p.Live = &LivePage{Supported: a.reachable}
	}
	return p
}

// StartJob starts a job that outlives the request, and perhaps the session.
func (a *App) StartJob(s *core.Session, _ Field) string {
	user := s.UserID()
	switch {
	case user == "":
		return signInFirst(s)
	case !a.reachable:
		s.Flash("warning", "Sessions in cookies cannot be reached by a job.")
	default:
		go a.job(user)
		s.Flash("info", "The job has started. Its message will appear here.")
	}
	return "/live"
}

// job works for a while, then tells the user in all browsers.
func (a *App) job(user string) {
	time.Sleep(jobTime)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := a.sessions.UpdateUser(ctx, user, func(s *core.Session) error {
		s.Flash("success", "The job has finished at "+time.Now().Format("15:04:05")+".")
		return nil
	})
	if err != nil {
		log.Print(err)
	}
	a.news.tell()
}

// Stream writes the event "flash" whenever the session id has a new message,
// and finally "ended" when the session ends. The page asks for its messages as
// usual, so none is lost on the way. Stream returns when ctx is done, the session
// has ended, or the client has left.
func (a *App) Stream(ctx context.Context, id core.ID, w io.Writer, flush func() error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended, err := a.sessions.Done(ctx, id) // closed when the session has ended
	if err != nil && !isNotFound(err) {
		return // the browser tries again
	}
	told, leave := a.news.join()
	defer leave()
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for ctx.Err() == nil {
		event := "alive"
		switch unread, err := a.unread(ctx, id); {
		case isNotFound(err):
			event = "ended"
		case err != nil:
			return
		case unread:
			event = "flash"
		}
		_, err := fmt.Fprintf(w, "event: %s\ndata: -\n\n", event)
		if err != nil || flush() != nil || event == "ended" {
			return
		}
		select {
		case <-told:
		case <-ended:
		case <-ticker.C:
		}
	}
}

// unread does not count as activity: a page that is left open does not keep its
// session alive.
func (a *App) unread(ctx context.Context, id core.ID) (found bool, err error) {
	err = a.sessions.View(ctx, id, func(s *core.Session) error {
		found = len(s.PeekFlashes()) > 0
		return nil
	})
	return found, err
}

// news tells open pages that somebody has a message. An application of several
// processes uses its message broker for this.
type news struct {
	mu    sync.Mutex
	pages map[chan struct{}]struct{}
}

func (n *news) join() (told <-chan struct{}, leave func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pages == nil {
		n.pages = map[chan struct{}]struct{}{}
	}
	c := make(chan struct{}, 1)
	n.pages[c] = struct{}{}
	return c, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.pages, c)
	}
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.pages {
		select {
		case c <- struct{}{}:
		default: // it has not looked since the last message
		}
	}
}
