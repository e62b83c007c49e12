package modeltest

import (
	"fmt"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// model is what is stored, and who has which right, as the promises want it.
type model struct {
	w        *world
	sessions map[core.ID]*record
	order    []core.ID // of the sessions' making
	tokens   map[string]grant
	made     int // how many tokens
	texts    int // how many flashes

	// withdrawn says when a place in a user's index was last taken away. It
	// is all that the model knows of the index.
	withdrawn map[place]int
	places    map[place]*actor // who reserved a place last
	entered   map[place]int    // and when
	reindexed bool             // a session that could not be ended was put back
	unindexed map[core.ID]bool // putting it back has failed
	seen      map[string]int   // by how many responses a flash was shown
}

// grant is what a token that a client was given stands for.
type grant struct {
	id    core.ID
	token int
}

// place is one in a user's index.
type place struct {
	user string
	id   core.ID
}

func newModel(w *world) *model {
	return &model{
		w: w, sessions: map[core.ID]*record{}, tokens: map[string]grant{}, withdrawn: map[place]int{},
		places: map[place]*actor{}, entered: map[place]int{}, unindexed: map[core.ID]bool{}, seen: map[string]int{},
	}
}

// act is what an actor has under way: a load, a commit or a revocation.
type act struct {
	loading    bool // of the request's session, by its token
	opening    bool // of a job's session, by its ID
	committing bool
	sent       bool // the header has gone
	shows      bool // the response shows flashes
	began      time.Time
	start      time.Time // the same, on the machine's clock
	planned    time.Time // when the record that is about to be stored was made

	trouble   bool // an operation went wrong, on purpose
	mishaps   []string
	stripped  bool // of a renewal that came after the header
	reload    bool // the next load fetches the newest record
	reloaded  bool
	conflicts int
	retries   bool           // the core was told of a conflict in time to try again
	shed      int            // how many flashes had to go
	touched   bool           // or tried to be
	touchTold core.EventKind // what the observer must learn of it
	touchGone bool           // the session was gone when it was to be touched
	gone      bool           // the core was told that the session is gone, or renewed
	dropped   bool           // the core was told that a login's place in the index is gone

	saved    core.ID // what was stored
	result   record  // as it was stored
	token    bool    // with a new token
	fresh    bool    // as a new session
	answered bool    // the core knows that it was stored
	undone   bool    // and was deleted again
	undoing  bool    // or was tried to be

	places  map[place]int    // reserved, and when
	since   time.Time        // of the last reservation
	putBack bool             // one was released, and turned out to be of use to others
	evicted map[core.ID]bool // to make room for this login
	full    bool             // the limit was reached
	doomed  bool             // the user's sessions were revoked meanwhile: it must not end well

	// Of a revocation:
	targets  map[core.ID]bool // which sessions it may end
	named    bool             // they were named, not listed
	listed   bool
	except   core.ID
	of       string    // only of this user
	theirs   bool      // and it was this user's at first
	victims  []core.ID // which must have ended if it says so
	ended    []core.ID // which it has ended
	inFlight []commitOf
}

// commitOf names one commit of an actor.
type commitOf struct {
	a       *actor
	commits int
}

// name is short for an ID: S0 is the first session that was stored.
func (m *model) name(id core.ID) string {
	if i := slices.Index(m.order, id); i >= 0 {
		return fmt.Sprintf("S%d", i)
	}
	if !id.IsZero() {
		return "new session"
	}
	return ""
}

// session returns the live session id, or nil.
func (m *model) session(id core.ID) *record {
	if r := m.sessions[id]; r != nil && r.live(m.w.clock) {
		return r
	}
	return nil
}

// present is what a request that presents a token must see (L1, L4, T1).
func (m *model) present(v *view, token string) {
	g, known := m.tokens[token]
	r := m.session(g.id)
	switch {
	case !known || r == nil:
		m.w.counts.when(token != "", "tokens that were good for nothing")
		m.w.counts.when(known && !m.sessions[g.id].gone, "sessions that had expired")
	case g.token == r.token:
		v.id, v.base, v.token = g.id, r.clone(), g.token
	case g.token == r.before && m.w.clock.Sub(r.renewed) < lateFor:
		v.wasLate = true
		m.w.counts["old tokens remembered"]++
	}
}
