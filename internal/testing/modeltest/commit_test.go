package modeltest

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// begin notes that a commit begins. The header may have gone already.
func (a *actor) begin(sent, shows bool) {
	a.commits++
	a.events = nil
	v := a.view
	a.act = act{committing: true, sent: sent, shows: shows, began: a.w.clock, start: time.Now()}
	// A request that is not activity keeps the expiry, and must first look it up.
	a.act.writes = !v.id.IsZero() && (v.wishes() || shows && len(v.read) > 0)
	a.act.reload = (v.noTouch || v.hasCopy()) && a.act.writes
	if v.byID && v.id.IsZero() {
		v.wasLate = true // a job has ended its session, and has no client for a new one
	}
}

// strip leaves out what needs a cookie, after the header, from changes to cur; the rest is not too late.
func (a *actor) strip(cur *record) {
	v := a.view
	if !a.act.sent || v.standing() != live || v.id.IsZero() || v.begins() {
		return
	}
	if v.newToken(cur) {
		v.renew, v.remember, a.act.stripped = false, nil, true
	}
	if v.lengthens(cur, a.w.clock) {
		v.timeouts, a.act.stripped = nil, true
	}
}

// told reports whether the observer was told of kind since the commit began.
func (a *actor) told(kind core.EventKind) bool {
	return slices.ContainsFunc(a.events, func(e core.Event) bool { return e.Kind == kind })
}

func (a *actor) mustBeTold(promise string, kind core.EventKind, must bool) {
	if must && !a.told(kind) {
		violate(promise, "no event %q", kind)
	}
}

// mustBeToldOf is mustBeTold for what happened to the session id.
func (a *actor) mustBeToldOf(promise string, kind core.EventKind, id core.ID) {
	if !slices.ContainsFunc(a.events, func(e core.Event) bool { return e.Kind == kind && e.ID == id }) {
		violate(promise, "no event %q of %s", kind, a.w.model.name(id))
	}
}

// committed checks the end of a commit: its changes took effect, or the request
// and the observer were told why not. It brings the view up to date.
func (m *model) committed(a *actor, err error) {
	v, t := a.view, &a.act
	m.loggedOut(a, err)
	if t.saved.IsZero() && (!t.gone || t.touchGone) {
		a.strip(&v.base)
	}
	a.mustBeTold("K1", core.EventConflict, t.retries)
	a.mustBeTold("T2", t.touchTold, t.touchTold != "")
	if t.stripped {
		a.mustBeTold("C6", core.EventTooLate, err == nil && !a.told(core.EventDropped))
		if errors.Is(err, core.ErrTooLate) {
			err = nil
		}
	}
	ended := errors.Is(err, core.ErrEnded)
	if ended {
		if v.standing() != late && !t.gone && !t.dropped {
			violate("K2", "a commit says that its session has ended, but it has not")
		}
		err = nil
	}
	m.saysExpired(a, ended)
	m.w.counts.commit(a, err)
	if err == nil && len(v.tooMuch) > 0 {
		violate("E2", "a value was too large, and the commit succeeds")
	}
	if err == nil && v.refused {
		violate("I1", "a commit succeeds that was asked for something impossible")
	}
	result := core.ID{}
	switch {
	case err != nil:
		m.failed(a, err)
	case v.standing() != live:
		a.mustBeTold("L4", core.EventDropped, v.wishes())
		v.forget()
	case !t.saved.IsZero() && !t.undone:
		m.adopted(a)
		if !m.spared(a) {
			result = v.id
		}
	case t.gone || t.dropped:
		a.mustBeTold("K2", core.EventDropped, v.wishes() && !t.touchGone)
		v.forget()
		v.lose()
	default:
		m.unchanged(a)
	}
	if t.stripped && a.told(core.EventFailed) {
		v.read = map[string]bool{}
	}
	a.results = append(a.results, result)
	t.committing = false
}

// saysExpired checks that a client whose session has expired while its request ran is
// not told that its changes were stored (promise T1).
func (m *model) saysExpired(a *actor, ended bool) {
	v, t := a.view, &a.act
	r := m.sessions[v.id]
	if m.w.clock.Before(v.base.kept()) {
		return // another request has shortened its timeouts, which ends it like a logout
	}
	if r == nil || r.gone || !t.gone || t.touchGone || v.login != "" || !t.writes || !v.wishes() || m.stored(v.id) != nil || ended {
		return
	}
	violate("T1", "%s expired under a request, which was not told", m.name(v.id))
}

// loggedOut checks the sessions that this commit had to end (promises K2, I3).
func (m *model) loggedOut(a *actor, err error) {
	v := a.view
	v.endings = slices.DeleteFunc(v.endings, func(id core.ID) bool {
		if !slices.ContainsFunc(a.events, func(e core.Event) bool { return e.Kind == core.EventLogout && e.ID == id }) {
			if err == nil {
				violate("I3", "%s was logged out, and no event says so", m.name(id))
			}
			return false
		}
		if m.session(id) != nil {
			violate("K2", "%s was logged out, and still lives", m.name(id))
		}
		v.cookie, v.deleted = grant{}, v.presented
		return true
	})
}

// failed checks a commit that failed: with a reason, and with nothing stored.
func (m *model) failed(a *actor, err error) {
	v, t := a.view, &a.act
	unavailable := errors.Is(err, core.ErrUnavailable) || errors.Is(err, core.ErrConflict)
	switch {
	case unavailable && t.trouble:
	case v.readOnly && errors.Is(err, core.ErrReadOnly), v.refused && !v.readOnly:
	case errors.Is(err, core.ErrTooLarge) && (len(v.tooMuch) > 0 || v.overflows(t.from(v))):
	case t.full && v.login != "" && errors.Is(err, core.ErrSessionLimit):
		m.mustBeFull(a, v.login)
	case t.sent && errors.Is(err, core.ErrTooLate) && (v.id.IsZero() || v.begins()):
		a.mustBeTold("C6", core.EventTooLate, true)
	default:
		violate("C3", "a commit failed for no reason: %v", err)
	}
	if !t.saved.IsZero() && !t.undone {
		// No client has the token of a login whose answer was lost, and yet it
		// would be listed.
		if !t.undoing && (t.answered || t.fresh && v.login != "") {
			violate("C3", "a commit failed with %v, and %s is stored", err, m.name(t.saved))
		}
		r := m.sessions[t.saved]
		r.orphan = r.orphan || t.token
	}
	m.placeless(a, unavailable)
	for _, f := range v.added {
		delete(v.read, f.text) // flashes that were never stored were never read; others are shown again
	}
	v.undo()
	if t.gone {
		v.lose()
	}
	if t.sent {
		v.read = map[string]bool{}
	}
}

// placeless checks that a login that failed has given back its place in the user's
// index, so that it keeps out no other (promises I1, I2). It need not if the store
// has left it without an answer again, when it tried that: the place then lapses.
func (m *model) placeless(a *actor, unavailable bool) {
	t := &a.act
	if t.putBack || len(t.mishaps) > 1 || len(t.mishaps) > 0 && !unavailable || t.gone && m.w.schedule.setup.limit == 0 {
		return
	}
	for p, since := range t.places {
		r := m.session(p.id)
		if a.view.base.user == p.user {
			continue // as far as the login knows, a live session's only place; otherwise it lapses
		}
		if m.places[p] == a && m.withdrawn[p] < since && (r == nil || r.user != p.user) {
			violate("I2", "a login of %s failed, but keeps its place", p.user)
		}
	}
}

// adopted checks a commit that stored something.
func (m *model) adopted(a *actor) {
	v, t := a.view, &a.act
	if t.doomed && m.session(t.saved) != nil && !m.spared(a) {
		violate("I2", "a login in flight survived a revocation, as %s", m.name(t.saved))
	}
	for id := range t.evicted {
		if r := m.session(id); r != nil && r.landed && (!t.notTheirs[id] || r.user == v.login) { // otherwise it is an overlapping login, and will be undone
			violate("I1", "a login has taken the place of %s, which still lives", m.name(id))
		}
		if !t.notTheirs[id] {
			a.mustBeToldOf("I1", core.EventRevoked, id)
		}
	}
	if v.aside != nil && m.session(v.aside.id) != nil {
		violate("I1", "another user logged in, and %s still lives", m.name(v.aside.id))
	}
	kind := core.EventSaved
	switch {
	case v.login != "":
		kind = core.EventLogin
		m.sessions[t.saved].landed = true
		t.result.landed = true
		m.exact(v.login)
	case v.base.created.IsZero():
		kind = core.EventCreated
	case v.renew:
		kind = core.EventRenewed
	}
	a.mustBeTold("K1", kind, true)
	a.mustBeTold("F5", core.EventFlashDropped, t.shed > 0)
	v.id, v.base, v.wasLate, v.former = t.saved, t.result, false, core.ID{}
	v.asked, v.aged = v.base.saved, false
	v.copyIs(copyWrong)
	if t.token {
		v.token, v.minted, v.deleted = t.result.token, true, false
	}
	if t.token || t.again {
		v.cookie, v.until = grant{v.id, v.token}, t.until
	}
	m.settle(a)
}

// unchanged checks a commit that stored nothing and reports no error.
func (m *model) unchanged(a *actor) {
	v, t := a.view, &a.act
	if v.changed(&v.base, t.began, t.shows) && v.changed(&v.base, m.w.clock, t.shows) { // a new flash may have expired meanwhile
		violate("K1", "changes to %s were neither stored nor dropped", m.name(v.id))
	}
	if !v.id.IsZero() && v.used && !v.noTouch && v.base.touchDue(t.began) && t.began.Before(v.base.kept()) && !t.touched && !t.reloaded && !v.touchFailed {
		violate("T2", "%s was used, but not touched", m.name(v.id))
	}
	m.settle(a)
}

func (m *model) settle(a *actor) {
	a.view.forget()
	if a.act.shows {
		a.view.read = map[string]bool{}
	}
}

// header checks what the response says about the cookie (promises C1, C3, C7, L4, T3).
func (m *model) header(a *actor) {
	v, answers, carrier := a.view, a.x.answers(), m.w.schedule.setup.carrier
	want := 0
	if v.cookie.token > 0 || v.deleted {
		want = 1
	}
	if len(answers) != want {
		violate("C7", "%d lines with a token, want %d", len(answers), want)
	}
	token := a.token
	if want == 1 {
		token = answers[0].token
	}
	cached := ""
	if alone := m.handsOutCopy(a, token); alone {
		cached = "private"
	} else if len(answers)+len(a.x.copies()) > 0 {
		cached = "no-store"
	}
	if control := a.x.response["Cache-Control"]; control != cached {
		violate("C7", "Cache-Control is %q, want %q", control, cached)
	}
	vary := ""
	if v.used || cached != "" {
		vary = "Cookie"
		if v.inHeaders() {
			vary = carrier.String()
		}
		if v.inAdvance {
			vary += ", Sec-Purpose"
		}
	}
	if a.x.response["Vary"] != vary {
		violate("C7", "Vary is %q, want %q", a.x.response["Vary"], vary)
	}
	if want == 0 {
		return
	}
	m.w.counts["cookies that were set"]++
	if v.deleted {
		if token != "" {
			violate("I3", "a logout hands out %q", token)
		}
		return
	}
	if m.w.counts.when(v.inHeaders(), "tokens in headers"); !v.inHeaders() {
		m.lasts(v, answers[0].attributes)
	}
	if !v.until.IsZero() && !m.w.clock.Before(v.until) && token == "" {
		return // new timeouts have ended the session
	}
	if old, known := m.tokens[token]; known && old != v.cookie || token == "" {
		violate("K3", "a token was handed out twice")
	}
	m.tokens[token] = v.cookie
}

// lasts checks how long a browser keeps the cookie (promise T3).
func (m *model) lasts(v *view, attributes string) {
	want := ""
	if !v.until.IsZero() {
		want = v.until.UTC().Format(http.TimeFormat)
	}
	_, got, _ := strings.Cut(attributes, "Expires=")
	if got, _, _ = strings.Cut(got, ";"); got != want {
		violate("T3", "the cookie lasts until %q, want %q", got, want)
	}
	m.w.counts.when(want != "", "cookies that outlive the browser")
}
