package modeltest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// play runs the actor's script.
func (a *actor) play() {
	a.step() // begins when its turn comes
	w := a.w
	ctx := context.Background()
	w.counts["actors: "+string(a.role)]++
	switch a.role {
	case request:
		a.serve()
	case advance:
		w.clock = w.clock.Add(a.by)
		if w.schedule.setup.near {
			time.Sleep(a.by + 1) // copies age by the machine's clock; no deadline is at that very moment
		}
		w.note("%v pass", a.by)
	case copyCookies:
		w.clients[0] = w.clients[1]
	case job:
		if id, ok := w.model.pick(a.nth); ok {
			a.job(ctx, id)
		}
	case revoke:
		if id, ok := w.model.pick(a.nth); ok {
			a.revocation(func() error { return a.manager.Revoke(ctx, id) }, id)
		}
	case revokeUser:
		a.revocation(func() error { _, err := a.manager.RevokeUser(ctx, a.user); return err })
	case revokeAll:
		a.revocation(func() error { return a.manager.RevokeAll(ctx) })
	}
}

// mayAge reports whether the actor's process may answer what it reads from copies.
func (a *actor) mayAge() bool { return a.w.schedule.setup.near && !a.far }

// onlyReads reports whether the request may be answered from a copy.
func (a *actor) onlyReads() bool { return a.method == "GET" || a.method == "HEAD" }

// serve does what an adapter does with a request.
func (a *actor) serve() {
	w := a.w
	jar := &w.clients[a.client]
	tokens, carrier := jar.tokens(a.cookie), w.schedule.setup.carrier
	ctx, hangUp := context.WithCancel(context.Background())
	defer hangUp()
	if len(tokens) == 1 { // of two, neither counts
		a.token = tokens[0]
	}
	a.x = &exchange{ctx: ctx, method: a.method, says: a.says, carrier: carrier, lines: carry(carrier, tokens...), response: map[string]string{}}
	if len(tokens) == 1 && w.schedule.setup.hybrid {
		a.x.copied = jar.copied
	}
	if g := w.model.tokens[a.token]; g.token > 0 {
		w.note("request with token %d of %s", g.token, w.model.name(g.id))
	} else {
		w.note("request without a known token")
	}
	w.counts.when(a.cookie == twice || a.cookie == twiceOursLast, "two cookies of our name")
	if !a.load(len(tokens) > 0) {
		return
	}
	for _, o := range a.ops {
		a.do(o)
	}
	if a.hangup {
		hangUp()
	}
	a.answer()
	a.step() // the header has been sent
	if a.early && !a.lost {
		jar.take(a.x)
	}
	for _, o := range a.late {
		if a.over || a.broken && o.do == commit {
			continue // there is an error page, and no handler that could commit
		}
		a.do(o)
	}
	a.finish()
	if !a.early && !a.lost {
		a.step()
		jar.take(a.x)
	}
}

// load reports whether there is a session to work with.
func (a *actor) load(presented bool) bool {
	w := a.w
	v := newView(w)
	v.presented, v.inAdvance = presented, a.says == inAdvance || a.says == htmxPreloads
	a.view, a.act, a.events = v, act{loading: true}, nil
	aged, calls := w.model.fromCopy(a, v), a.calls
	var err error
	a.s, err = a.x.load(a.manager)
	switch {
	case aged && a.calls > calls:
		violate("L3", "the store was asked, and the client has a copy")
	case a.token != "" && v.id.IsZero() && a.calls == calls:
		violate("L1", "there is no session, and the store was not asked")
	}
	trouble, unanswered := a.act.trouble, slices.ContainsFunc(a.act.mishaps, func(what string) bool { return !strings.HasSuffix(what, string(slow)) })
	a.act = act{}
	w.counts.when(trouble && (err != nil || a.told(core.EventUnavailable)), "sessions that could not be loaded")
	if err != nil {
		if !trouble || !errors.Is(err, core.ErrUnavailable) {
			violate("L3", "loading failed for no reason: %v", err)
		}
		if len(a.x.answers()) > 0 {
			violate("L3", "the store is down, and the cookie changes")
		}
		return false
	}
	if unanswered && !a.told(core.EventUnavailable) {
		violate("L3", "the store was down, and a request was served as if it had answered")
	}
	if a.told(core.EventUnavailable) {
		if !trouble || !w.schedule.setup.serve {
			violate("L3", "a read-only session for no reason")
		}
		v.readOnly = true
	}
	if v.presented && v.id.IsZero() {
		v.copyIs(copyOld)
	}
	w.note("loaded %s, standing %d", w.model.name(v.id), v.standing())
	if !v.readOnly {
		a.loadTold()
	}
	return true
}

// loadTold checks that the observer was told about the request's cookie (promise L1).
func (a *actor) loadTold() {
	v := a.view
	kind, reasons := core.EventRejected, []core.Reason{core.ReasonUnknown, core.ReasonExpired}
	switch {
	case !v.presented:
		kind, reasons = core.EventAbsent, []core.Reason{core.ReasonNoCookie, ""}
	case !v.id.IsZero():
		kind, reasons = core.EventLoaded, []core.Reason{""}
	case v.wasLate:
		reasons = []core.Reason{core.ReasonSuperseded}
	case a.cookie == twice || a.cookie == twiceOursLast:
		reasons = []core.Reason{core.ReasonDuplicate}
	}
	if len(a.events) != 1 || a.events[0].Kind != kind || !slices.Contains(reasons, a.events[0].Reason) || a.events[0].ID != v.id {
		violate("L1", "the observer was told %v of a load, want %q because of %q", a.events, kind, reasons)
	}
}

// answer commits, as adapters do before the header's first byte.
func (a *actor) answer() {
	m, v := a.w.model, a.view
	status := a.status
	if status == panics {
		status = 500
	}
	a.shows = canShow(status) && a.method != "HEAD" && a.says != image && !v.inAdvance
	wishes := v.wishes()
	if status >= 500 {
		v.undo()
		v.read = map[string]bool{}
	}
	a.begin(status == core.StatusHijacked, a.shows)
	if a.status == panics {
		a.x.slot.Abort()
		err := a.failure()
		m.committed(a, err)
		a.over = true
		if err != nil {
			return
		}
	} else {
		err := a.x.slot.Commit(status)
		minted := v.cookie.token > 0 && !v.deleted
		if err == nil && status == core.StatusHijacked && slices.ContainsFunc(a.events, isLateChange) {
			err = core.ErrTooLate
		}
		a.broken = err != nil && !errors.Is(err, core.ErrTooLate)
		if a.x.reset != a.broken {
			violate("C3", "the commit ended with %v; what the handler had prepared was dropped: %v", err, a.x.reset)
		}
		if a.shows && err == nil {
			m.shown(a)
		}
		m.committed(a, err)
		if missed := slices.ContainsFunc(a.events, isMissedCookie); status == core.StatusHijacked && missed != (minted && !v.id.IsZero()) {
			violate("C6", "the token of an earlier commit was to be sent: %v, and an event tells: %v", minted, missed)
		}
		if a.broken {
			v.read = map[string]bool{}
		}
	}
	a.sent = true
	a.w.counts.when(wishes && status >= 500, "changes that were rolled back")
	a.mustBeTold("C4", core.EventRolledBack, wishes && status >= 500)
	if status != core.StatusHijacked {
		m.header(a)
	}
}

func isMissedCookie(e core.Event) bool {
	return e.Kind == core.EventTooLate && e.Detail == "cookie of an earlier commit"
}

func isLateChange(e core.Event) bool { return e.Kind == core.EventTooLate && !isMissedCookie(e) }

// failure returns what the observer was told about a failed commit, if that was
// the last thing that it was told.
func (a *actor) failure() error {
	for _, e := range a.events {
		if e.Kind == core.EventFailed {
			return e.Err
		}
	}
	return nil
}

// finish ends the request. Changes after the header are stored if they need no cookie.
func (a *actor) finish() {
	if a.over {
		return
	}
	m, v := a.w.model, a.view
	if a.broken || a.status >= 500 {
		v.undo()
		v.read = map[string]bool{}
	}
	if a.shows {
		m.shown(a)
	}
	a.begin(true, a.shows)
	a.x.slot.Finish()
	m.committed(a, a.failure())
}

// canShow reports whether a page with this status shows flashes (promise F1).
func canShow(status int) bool {
	return status >= 200 && status < 300 && status != 204 && status != 205 || status >= 400 && status < 500
}

// job runs Manager.Update.
func (a *actor) job(ctx context.Context, id core.ID) {
	a.view, a.act = newView(a.w), act{opening: true}
	ran := false
	err := a.manager.Update(ctx, id, func(s *core.Session) error {
		a.s, a.act, ran = s, act{}, true
		for _, o := range a.ops {
			a.do(o)
		}
		a.begin(false, false)
		return nil
	})
	switch {
	case ran:
		a.w.model.committed(a, err)
	case errors.Is(err, core.ErrNotFound) && a.w.model.session(id) == nil:
	case errors.Is(err, core.ErrUnavailable) && a.act.trouble:
	default:
		violate("L3", "a job for %s ended with %v", a.w.model.name(id), err)
	}
}

// revocation is one of the calls that end sessions: id if given, otherwise all
// that are listed.
func (a *actor) revocation(call func() error, ids ...core.ID) {
	m := a.w.model
	a.events = nil
	a.act = act{targets: map[core.ID]bool{}, named: len(ids) > 0}
	for _, id := range ids {
		a.act.targets[id] = true
		a.act.victims = append(a.act.victims, id)
	}
	a.settleRevocation(call())
	for _, id := range ids {
		m.w.note("revoked %s", m.name(id))
	}
}

func (a *actor) settleRevocation(err error) {
	m, t := a.w.model, &a.act
	switch {
	case err == nil && !t.named && !t.listed:
		violate("I2", "a revocation succeeded without looking for any session")
	case err == nil:
		m.revoked(t)
		for _, id := range t.ended {
			a.mustBeToldOf("I2", core.EventRevoked, id)
		}
	case errors.Is(err, core.ErrUnavailable) && t.trouble:
	case errors.Is(err, core.ErrNotFound):
		for _, id := range t.victims {
			if m.session(id) != nil && (t.of == "" || t.theirs && m.withdrawn[place{t.of, id}] == 0 && !m.unindexed[id]) {
				violate("I2", "%s exists, and cannot be revoked", m.name(id))
			}
		}
	default:
		violate("I2", "revoking ended with %v", err)
	}
	a.act = act{}
}
