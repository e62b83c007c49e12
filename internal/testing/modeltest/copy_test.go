package modeltest

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/nearcache"
)

const (
	copyName   = cookieName + "-copy"
	copyWindow = 2 * time.Minute
	nearWindow = 20 * time.Second
)

// copied is the content of a copy on a client: the session as it was at a time, for one token.
type copied struct {
	id    core.ID
	token string
	at    time.Time
	base  record
}

// What is known of the copy that a request's client has.
const (
	copyGood = iota
	copyOld
	copyWrong
)

// plain is a sealer that seals nothing: the cipher has tests of its own.
type plain struct{}

func (plain) Seal(_ context.Context, scope core.Scope, r *core.Record) (string, error) {
	data, err := r.MarshalBinary()
	return scope.Purpose + hex.EncodeToString(data), err
}

func (plain) Open(_ context.Context, scope core.Scope, token string) (*core.Record, error) {
	text, ok := strings.CutPrefix(token, scope.Purpose)
	data, err := hex.DecodeString(text)
	if !ok || err != nil {
		return nil, core.ErrCorrupt
	}
	return core.ParseRecord(data)
}

// fromCopy reports whether a request is answered from its client's copy, without the store.
// If so, it sees what the copy says.
func (m *model) fromCopy(a *actor, v *view) bool {
	c, known := m.copies[a.x.copied]
	lives := known && m.w.clock.Sub(c.at) < copyWindow
	reads := a.onlyReads()
	if !m.w.schedule.setup.hybrid {
		return false
	}
	if reads && lives && c.token == a.token && m.w.clock.Before(c.base.expires) {
		v.sees(c.id, &c.base)
		v.aged = true
		m.w.counts["requests that were answered from a copy"]++
		m.w.counts.when(m.session(c.id) == nil, "sessions that were read after their end, within the window")
		return true
	}
	m.w.counts.when(reads && known && c.token != a.token, "copies beside another token")
	m.w.counts.when(reads && known && !lives, "copies that were too old")
	if v.asked = m.w.clock; reads || !lives {
		v.copyState = copyOld
	}
	return false
}

// refetched makes r, as the store had it at a time, what v sees; nil if it is gone. It reports
// whether the session is there.
func (v *view) refetched(r *record, asked time.Time) bool {
	if r == nil || r.token != v.token && !v.byID {
		return false
	}
	if !r.saved.Equal(v.base.saved) {
		v.copyIs(copyOld)
	}
	v.base, v.asked, v.aged = r.clone(), asked, false
	return true
}

// hasCopy reports whether what v sees is from the client's copy.
func (v *view) hasCopy() bool { return v.aged && v.w.schedule.setup.hybrid }

// touchesFromCopy reports whether a fetches the session id to touch it, of which it has a copy.
func (a *actor) touchesFromCopy(id core.ID) bool {
	return a.act.committing && id == a.view.id && a.view.hasCopy() && !a.act.writes
}

func (v *view) copyIs(state int) { v.copyState = max(v.copyState, state) }

// refresh is the handler's Session.Refresh.
func (a *actor) refresh() {
	v := a.view
	a.act, a.events = act{refreshing: true}, nil
	switch err := a.s.Refresh(context.Background()); {
	case err == nil && !a.act.gone && v.standing() == live:
	case errors.Is(err, core.ErrReadOnly) && v.readOnly:
	case errors.Is(err, core.ErrEnded) && v.standing() == late:
	case errors.Is(err, core.ErrEnded) && a.act.gone:
		if v.login == "" {
			a.mustBeTold("K2", core.EventDropped, v.wishes())
			v.forget()
			v.lose()
		}
	case errors.Is(err, core.ErrUnavailable) && a.act.trouble:
	default:
		violate("L3", "a refresh ended with %v", err)
	}
	a.act = act{}
}

// handsOutCopy checks what the response says about the client's copy, and reports whether that is
// all that it says about the session.
func (m *model) handsOutCopy(a *actor, token string) (alone bool) {
	v, got := a.view, a.x.copies()
	out := v.cookie.token > 0 || v.deleted
	none, deletes := false, a.x.copied != ""
	switch {
	case !m.w.schedule.setup.hybrid, v.readOnly:
		none = true
	case out && v.id.IsZero(): // it is deleted with the token
		deletes = deletes && v.deleted
		none = !deletes
	case v.copyState == copyGood, v.copyState == copyOld && !out && (!v.used || a.broken):
		none = true
	case !v.id.IsZero() && !v.asked.IsZero():
		deletes = !m.w.clock.Before(v.asked.Add(copyWindow)) // it comes too late
	default:
		none = !deletes
	}
	switch {
	case none != (len(got) == 0) || len(got) > 1:
		violate("C2", "copies %q, want none: %v", got, none)
	case none:
		return false
	case deletes != (got[0].token == ""):
		violate("K2", "the copy is set to %q, want its deletion: %v", got[0].token, deletes)
	case !deletes:
		c := copied{v.id, token, v.asked, v.base.clone()}
		c.base.roundTouch()
		m.copies[got[0].token] = c
	}
	return !out && v.copyState == copyOld
}

// near is the process's copies. It tells the model of every answer that is one.
type near struct {
	*nearcache.Store
	w *world
}

// WithConfig implements [core.Configurable]: they have the Manager's clock already.
func (n *near) WithConfig(core.Config) (core.Store, error) { return n, nil }

func (n *near) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	a := n.w.running
	calls := a.calls
	e, err := n.Store.Load(ctx, id)
	if a.calls == calls {
		n.w.model.served(a, id, e, core.IsFresh(ctx))
	}
	return e, err
}

// state is what was stored of a session from a time on, on the machine's clock.
type state struct {
	version core.Version
	expires time.Time
	base    record
	since   time.Time
	own     bool // the process that has copies has made it so
}

// changed notes that the session id is no longer as it was.
func (m *model) changed(id core.ID, own bool) {
	if m.w.schedule.setup.near {
		e, _ := m.w.raw.Load(context.Background(), id) // none if it is gone
		m.past[id] = append(m.past[id], state{e.Version, e.Expires, m.sessions[id].clone(), time.Now(), own})
	}
}

// served is called for every copy that the process has read. It is no older than the window or than
// the process's own changes, and for reading alone (promises K2, L4).
func (m *model) served(a *actor, id core.ID, e core.Entry, fresh bool) {
	if fresh || !a.act.loading || !a.onlyReads() {
		violate("L4", "a copy of %s answers what needs the newest state", m.name(id))
	}
	past := m.past[id]
	last := len(past) - 1
	i := last
	for ; i >= 0 && (past[i].version != e.Version || !past[i].expires.Equal(e.Expires)); i-- {
		if past[i].own {
			violate("K2", "a copy of %s is older than what the same process has made of it", m.name(id))
		}
	}
	if i < 0 {
		violate("K1", "a copy of %s was never stored", m.name(id))
	}
	if i < last && time.Since(past[i+1].since) >= nearWindow {
		violate("L4", "a copy of %s is %v old", m.name(id), time.Since(past[i+1].since))
	}
	m.w.note("copy of %s, version %d", m.name(id), e.Version)
	m.w.counts["reads that the process's copy answered"]++
	m.w.counts.when(i < last, "reads of what another process had changed, within the window")
	m.w.counts.when(past[last].base.gone, "sessions that were read after another process had ended them")
	if r := &past[i].base; r.token == m.tokens[a.token].token && r.live(m.w.clock) {
		a.view.sees(id, r)
		a.view.aged = true
	}
}
