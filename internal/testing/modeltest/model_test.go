package modeltest

import (
	"fmt"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// model is what must be stored, and which token must have which right, by the promises.
type model struct {
	w        *world
	sessions map[core.ID]*record
	order    []core.ID // in which the sessions were made
	tokens   map[string]grant
	copies   map[string]copied   // on clients
	past     map[core.ID][]state // of sessions that a process may have copies of
	made     int                 // how many tokens
	texts    int                 // how many flashes

	// withdrawn says when a place in a user's index was last taken away. The
	// model knows nothing else of the index.
	withdrawn map[place]int
	places    map[place]*actor    // the last to reserve a place
	entered   map[place]int       // and when
	lapses    map[place]time.Time // unless it is confirmed; those that were taken away are not in it
	reindexed bool                // a session that could not be ended was put back
	unindexed map[core.ID]bool    // putting it back failed
	seen      map[string]int      // how many responses showed a flash
}

// grant is what a token handed to a client stands for.
type grant struct {
	id    core.ID
	token int
}

// place is a place in a user's index.
type place struct {
	user string
	id   core.ID
}

func newModel(w *world) *model {
	return &model{
		w: w, sessions: map[core.ID]*record{}, tokens: map[string]grant{}, copies: map[string]copied{}, past: map[core.ID][]state{}, withdrawn: map[place]int{},
		places: map[place]*actor{}, entered: map[place]int{}, lapses: map[place]time.Time{}, unindexed: map[core.ID]bool{}, seen: map[string]int{},
	}
}

// act is what an actor is doing: a load, a commit or a revocation.
type act struct {
	loading    bool // of the request's session, by its token
	opening    bool // of a job's session, by its ID
	refreshing bool
	committing bool
	sent       bool // the header has been sent
	shows      bool // the response shows flashes
	began      time.Time
	start      time.Time // the same, on the machine's clock
	planned    time.Time // when the record that is about to be stored was made

	trouble   bool // an operation went wrong, on purpose
	mishaps   []string
	stripped  bool // of a renewal after the header
	writes    bool // there is something to store in an existing session
	reload    bool // the next load fetches the newest record
	reloaded  bool
	tried     bool // the session has been looked up, or a place has been reserved
	conflicts int
	retries   bool           // the core was told of a conflict in time to try again
	shed      int            // how many flashes were dropped
	touched   bool           // or it was tried
	touchTold core.EventKind // the event that the observer must get
	touchGone bool           // the session was gone when it was to be touched
	gone      bool           // the core was told that the session is gone, or renewed
	dropped   bool           // the core was told that a login's place in the index is gone
	asked     bool           // a login has looked who has renewed its session
	kept      map[string]int // what it may take along

	saved    core.ID   // what was stored
	result   record    // as it was stored
	token    bool      // with a new token
	again    bool      // with the same token, which the client gets again
	until    time.Time // the client keeps its cookie that long
	fresh    bool      // as a new session
	answered bool      // the core knows that it was stored
	undone   bool      // and was deleted again
	undoing  bool      // or that was tried

	places    map[place]int    // reserved, and when
	since     time.Time        // of the last reservation
	putBack   bool             // one was released, and turned out to be in use by others
	evicted   map[core.ID]bool // to make room for this login
	expired   []core.ID        // what this login or revocation has seen to have expired
	notTheirs map[core.ID]bool // of evicted, those that were another's or nobody's when the core looked
	full      bool             // the limit was reached
	crowded   bool             // not by sessions alone
	doomed    bool             // the user's sessions were revoked since: it must not succeed

	// Of a revocation:
	targets  map[core.ID]bool // which sessions it may end
	named    bool             // they were named rather than listed
	listed   bool
	except   core.ID
	of       string    // only of this user
	theirs   bool      // and it was this user's before
	victims  []core.ID // which must have ended if it succeeds
	ended    []core.ID // which it has ended
	inFlight []commitOf
}

// from returns the record to which a commit of v applies its changes.
func (t *act) from(v *view) *record {
	if t.gone { // and so the login starts a session of its own
		return &record{values: t.kept}
	}
	return &v.base
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

// stored returns the session id if its entry is live, though it may have expired.
func (m *model) stored(id core.ID) *record {
	if r := m.sessions[id]; r != nil && !r.gone && m.w.clock.Before(r.kept()) {
		return r
	}
	return nil
}

// present returns what a request that presents a token must see (L1, L4, T1).
func (m *model) present(v *view, token string) {
	g, known := m.tokens[token]
	r := m.session(g.id)
	v.wasLate, v.former = false, core.ID{} // if it is the second look, the first does not count
	switch {
	case !known || r == nil:
		m.w.counts.when(token != "", "tokens that opened no session")
		m.w.counts.when(known && !m.sessions[g.id].gone, "sessions that had expired")
		if r := m.stored(g.id); known && r != nil && (g.token == r.token || g.token == r.before && m.w.clock.Sub(r.renewed) < lateFor) {
			v.former = g.id // a request in flight may bring it back, unless this one logs out
		}
	case g.token == r.token:
		v.sees(g.id, r)
	case g.token == r.before && m.w.clock.Sub(r.renewed) < lateFor:
		v.wasLate, v.former = true, g.id
		m.w.counts["old tokens remembered"]++
	}
}
