package adaptertest

import (
	"slices"
	"strings"
	"sync"

	"github.com/satchel-go/satchel/core"
)

// A backend with a window answers requests that only read from copies, which may be as
// old as the window. So a GET of a client waits until the window is over (Settle), if
// anybody else has changed something since that client's last answer: what a client has
// changed itself, it sees at once. Cases about what ends a session or a token run a second
// time at once, with a POST in place of each GET.

// atOnce ends the name of a case's second run.
const atOnce = "_for_writers"

// windowed returns cases, and after each one about what others must learn of at once, its
// second run.
func windowed(cases []testCase) []testCase {
	var all []testCase
	for _, c := range cases {
		all = append(all, c)
		if c.ends() {
			c.name, c.atOnce = c.name+atOnce, true
			all = append(all, c)
		}
	}
	return all
}

// ends reports whether the case is about ends of sessions and tokens.
func (c testCase) ends() bool {
	words := strings.Split(c.name, "_")
	return slices.ContainsFunc([]string{"L4", "K2", "K3", "I1", "I2", "SEC15", "SEC16", "SEC17", "SEC18", "SEC21"},
		func(id string) bool { return slices.Contains(words, id) })
}

// onlookers keeps count of what clients can know of, in a backend with a window.
type onlookers struct {
	mu             sync.Mutex
	started, ended int // requests
	settledAt      int // changes that every copy is younger than
}

// changes returns how often anybody has changed a session, or tried to.
func (h *harness) changes() int {
	n := h.events.count(core.EventRevoked, "") // also what is ended past the layer of faults
	for _, o := range []op{opSave, opTouch, opDelete} {
		n += h.faults.count(o)
	}
	return n
}

// settle waits until no copy is from before now, if there are changes.
func (h *harness) settle() {
	if h.window == 0 {
		return
	}
	n := h.changes()
	h.onlookers.mu.Lock()
	done := h.onlookers.settledAt == n
	h.onlookers.settledAt = n
	h.onlookers.mu.Unlock()
	switch {
	case done:
	case h.settled != nil:
		h.settled(h.t)
	default:
		h.clock.advance(h.window)
	}
}

// reading returns the method for what would be a GET, once the answer can be known.
func (c *client) reading() string {
	if c.atOnce {
		return "POST"
	}
	c.mu.Lock()
	seen := c.seen
	c.mu.Unlock()
	if seen != c.changes() {
		c.settle()
	}
	return "GET"
}

// request notes that c sends a request, and returns what notes the end. If no other
// request overlapped it, c then knows of all changes until now; but with copies, not of
// one that came too late for the header.
func (c *client) request() (answered func(*reply)) {
	o := &c.onlookers
	o.mu.Lock()
	defer o.mu.Unlock()
	alone := o.started == o.ended
	o.started++
	number, revoked, changes := o.started, c.events.count(core.EventRevoked, ""), c.changes()
	return func(r *reply) {
		o.mu.Lock()
		o.ended++
		alone = alone && o.started == number
		o.mu.Unlock()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.seen = -1
		late := c.copies && len(r.copies) == 0 && c.changes() > changes
		if alone && !late && c.events.count(core.EventRevoked, "") == revoked {
			c.seen = c.changes()
		}
	}
}

// alsoPosted returns routes, with a POST for each GET if the case sends those.
func (h *harness) alsoPosted(routes []Route) []Route {
	if !h.atOnce {
		return routes
	}
	has := map[string]bool{}
	for _, r := range routes {
		has[r.Method+r.Path] = true
	}
	for _, r := range slices.Clone(routes) {
		if r.Method == "GET" && !has["POST"+r.Path] {
			r.Method = "POST"
			routes = append(routes, r)
		}
	}
	return routes
}

// checkWindow checks what m says of its window.
func (h *harness) checkWindow(m *core.Manager) {
	h.Helper()
	if w := m.Traits().Window; w > h.window {
		h.Errorf("the backend's window is %v, its adaptertest.Backend says %v", w, h.window)
	}
}
