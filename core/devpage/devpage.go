// Package devpage serves a page for developers that answers "Why was I logged
// out?". For each recent request it shows what the session did, why, and what to
// do about it. It never shows a token or a value.
//
//	sessions, err := core.New(backend, core.Config{Development: true})
//	...
//	page, err := devpage.New(sessions)
//	...
//	mux.Handle("GET /debug/sessions", page)
//
// A [Page] is an [http.Handler]. Mount it in Echo, Gin and Fiber with
// echo.WrapHandler, gin.WrapH and adaptor.HTTPHandler. It may be inside the
// session middleware or outside; it does not show its own requests.
//
// The page is for development only, because it shows everybody's paths, users and
// session IDs. [New] returns an error unless the Manager has
// [core.Config.Development]. Unless [Page.InsecureAllowRemote] is set, only the
// machine on which the server runs may look, under the name localhost or a
// loopback address.
//
// In production, [core.Config.Observer] receives the same reasons.
package devpage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// The most that a Page remembers. It drops the oldest first.
const (
	maxEntries  = 200  // requests
	maxNotes    = 24   // of one request
	maxText     = 300  // bytes of any one text
	maxSessions = 2000 // sessions whose end can be explained
	maxOwn      = 8    // paths at which the page itself was requested
)

// Page shows recent requests. It keeps at most 200 of them in memory, and is safe
// for concurrent use.
type Page struct {
	// InsecureAllowRemote shows the page to everyone who can reach the server,
	// under any name: for containers and for testing with a phone. Set it before
	// the first request.
	//
	// By default only loopback addresses may look, and only under localhost or
	// such an address, which keeps other websites out. A proxy on this machine is
	// refused if its X-Forwarded-For or X-Real-IP name other addresses. A proxy
	// that names no client and asks for localhost passes for the machine itself.
	InsecureAllowRemote bool

	several bool // Managers

	mu       sync.Mutex
	entries  []*entry           // oldest first
	requests map[uint64]*entry  // the entries that are requests, by number
	fates    map[core.ID]*fate  // what became of sessions
	known    []core.ID          // the keys of fates, oldest first
	revoked  map[string]revoked // the last RevokeAll, by Manager
	own      []string           // this page's paths
}

// revoked says when all sessions were revoked.
type revoked struct{ at time.Time }

// New returns a Page of the requests that managers serve from now on. It returns
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
		header := m.NewSession(context.Background()).Carrier() != core.Carrier{}
		err := m.Observe(func(_ context.Context, e core.Event) { p.observe(name, header, e) })
		if err != nil {
			return nil, fmt.Errorf("devpage: the page is refused: %w", err)
		}
	}
	return p, nil
}
