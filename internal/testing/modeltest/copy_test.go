package modeltest

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

const (
	copyName   = cookieName + "-copy"
	copyWindow = 2 * time.Minute
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
	reads := a.method == "GET" || a.method == "HEAD"
	if !m.w.schedule.setup.hybrid {
		return false
	}
	if reads && lives && c.token == a.token && m.w.clock.Before(c.base.expires) {
		v.id, v.base, v.token, v.aged = c.id, c.base.clone(), m.tokens[a.token].token, true
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
