// Package devpage is a page for developers that answers "Why was I logged
// out?": for recent requests, it shows what the session did and why, and what
// to do about it. It never shows a token or a value.
//
//	sessions, err := core.New(backend, core.Config{Development: true})
//	...
//	page, err := devpage.New(sessions)
//	...
//	mux.Handle("GET /debug/sessions", page)
//
// A [Page] is an [http.Handler]; Echo, Gin and Fiber mount it with
// echo.WrapHandler, gin.WrapH and adaptor.HTTPHandler. It may be inside the
// session middleware or outside: its own requests are not shown.
//
// It is for development only. [New] is an error unless the Manager has
// [core.Config.Development], and only the machine on which the server runs may
// look, under the name localhost, unless [Page.InsecureAllowRemote] is set.
// Paths, users and session IDs of everybody are on it.
//
// In production, [core.Config.Observer] is told the same reasons.
package devpage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// What a Page remembers at most. The oldest goes first.
const (
	maxEntries  = 200  // requests
	maxNotes    = 24   // of one request
	maxText     = 300  // bytes of any one text
	maxSessions = 2000 // whose end can be explained
	maxOwn      = 8    // paths at which the page itself is mounted
)

// Page shows recent requests. It is safe for concurrent use, and keeps a few
// hundred of them in memory, no more.
type Page struct {
	// InsecureAllowRemote shows the page to whoever can reach the server, under
	// any name: for containers and for testing with a telephone. By default
	// only loopback addresses may look, and only under localhost or such an
	// address, which keeps other websites out. A proxy on this machine whose
	// X-Forwarded-For or X-Real-IP name other addresses is refused; one that says
	// nothing of its clients, and asks for localhost, passes for the machine itself. Set it
	// before the first request.
	InsecureAllowRemote bool

	several bool // Managers

	mu       sync.Mutex
	entries  []*entry           // oldest first
	requests map[uint64]*entry  // those of entries that are requests, by number
	fates    map[core.ID]*fate  // what became of sessions
	known    []core.ID          // the keys of fates, oldest first
	revoked  map[string]revoked // by Manager: the last RevokeAll
	own      []string           // paths of this page
}

// revoked says when all sessions were.
type revoked struct{ at time.Time }

// New returns a Page of the requests that managers serve from now on. It is
// an error if one of them is not in development mode.
func New(managers ...*core.Manager) (*Page, error) {
	if len(managers) == 0 {
		return nil, errors.New("devpage: New: no Manager: give it the one whose sessions to explain")
	}
	p := &Page{
		several: len(managers) > 1, requests: map[uint64]*entry{},
		fates: map[core.ID]*fate{}, revoked: map[string]revoked{},
	}
	for _, m := range managers {
		if m == nil {
			return nil, errors.New("devpage: New: the Manager is nil: make one with core.New, and check its error")
		}
		name := fmt.Sprint(m)
		err := m.Observe(func(_ context.Context, e core.Event) { p.observe(name, e) })
		if err != nil {
			return nil, fmt.Errorf("devpage: the page is refused: %w", err)
		}
	}
	return p, nil
}
