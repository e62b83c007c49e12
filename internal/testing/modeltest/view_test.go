package modeltest

import (
	"maps"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// standing is what a request may do.
type standing int

const (
	live     standing = iota
	late              // its session was ended or renewed: it reads nothing, and what it writes is dropped
	readOnly          // the store could not be reached
)

// view is the session as one request sees it: what was stored when it looked, and
// what it wants to change since then.
type view struct {
	w           *world
	id          core.ID // zero: nothing is stored
	base        record  // as it was loaded or stored last
	token       int     // the token that gives it the right to the session
	byID        bool    // the right is the application's
	minted      bool    // the token was made in this request, and no client has it yet
	readOnly    bool
	wasLate     bool    // only a login starts a session (promises K2, L4)
	former      core.ID // the session that it then no longer has: a logout ends it
	presented   bool    // the request had a cookie of ours
	inAdvance   bool    // its page is perhaps shown later
	used        bool
	aged        bool      // what it sees may be a copy
	asked       time.Time // when the store was asked for it; zero for a copy
	copyState   int
	noTouch     bool
	touchFailed bool // one wait for a store that is down is enough

	changes  []op
	sizes    map[string]int  // of the values that they set
	tooMuch  map[string]bool // the values that they could not set
	added    []flash
	read     map[string]bool // texts of the flashes that were read
	own      map[string]bool // and of those that this request has added
	login    string
	renew    bool
	again    bool // besides renew: the user has proved again who they are
	remember *bool
	timeouts *core.Timeouts
	aside    *view     // another user's session, until the login that takes its place is stored
	endings  []core.ID // sessions that were logged out
	refused  bool      // something impossible was asked for

	cookie  grant     // what the response hands out
	until   time.Time // the cookie lasts that long; zero: as long as the browser
	deleted bool      // the response deletes the cookie
}

func newView(w *world) *view {
	return &view{w: w, read: map[string]bool{}, own: map[string]bool{}, sizes: map[string]int{}, tooMuch: map[string]bool{}}
}

// sees makes r the session that the request sees.
func (v *view) sees(id core.ID, r *record) { v.id, v.base, v.token = id, r.clone(), r.token }

func (v *view) standing() standing {
	switch {
	case v.readOnly:
		return readOnly
	case v.wasLate && v.login == "" && v.id.IsZero():
		return late
	}
	return live
}

func (v *view) user() string {
	if v.login != "" {
		return v.login
	}
	return v.base.user
}

// wishes reports whether the request wants to change anything.
func (v *view) wishes() bool {
	return len(v.changes) > 0 || len(v.tooMuch) > 0 || len(v.added) > 0 || v.login != "" || v.renew || v.retimes() || v.refused
}

// retimes reports whether the request changes the session's timeouts.
func (v *view) retimes() bool { return v.remember != nil || v.timeouts != nil }

// next returns what must be stored if the request's changes are applied to cur, and how many
// unread flashes that drops. This is promise K1.
func (v *view) next(cur *record, now time.Time, shows bool) (n record, shed int) {
	n = v.nextWhole(cur, now, shows)
	shed = v.shed(&n, now)
	return n, shed
}

// nextWhole is next with the flashes that do not fit.
func (v *view) nextWhole(cur *record, now time.Time, shows bool) record {
	n := cur.clone()
	for _, c := range v.changes {
		switch c.do {
		case set:
			n.values[c.key] = c.n
		case incr:
			n.values[c.key] += c.n
		case del:
			delete(n.values, c.key)
		case clearAll:
			clear(n.values)
		}
	}
	v.nextIdentity(&n, now)
	n.flashes = v.nextFlashes(cur, now, shows)
	n.flashed = n.flashed || len(n.flashes) > 0
	return n
}

// nextFlashes is next for the flashes, including those that do not fit.
func (v *view) nextFlashes(cur *record, now time.Time, shows bool) []flash {
	if len(v.added) == 0 && (!shows || len(v.read) == 0) {
		return cur.flashes
	}
	var left []flash // expired ones are removed when the others are written
	for _, f := range unread(slices.Concat(cur.flashes, v.added), now) {
		if !shows || !v.read[f.text] {
			left = append(left, f)
		}
	}
	return left
}

// shed drops the oldest flashes, as many as do not fit into n, and returns their number (promise F5).
func (v *view) shed(n *record, now time.Time) (unshown int) {
	if v.tooLarge(n) {
		n.flashes = unread(n.flashes, now)
	}
	for len(n.flashes) > 0 && (len(n.flashes) > v.w.schedule.setup.maxFlashes || v.tooLarge(n)) {
		n.flashes = n.flashes[1:]
		unshown++
	}
	return unshown
}

func (v *view) nextIdentity(n *record, now time.Time) {
	fresh := n.created.IsZero()
	if fresh {
		n.created = now
	}
	if v.login != "" {
		n.user, n.remembered, n.own = v.login, false, core.Timeouts{}
	}
	if v.begins() {
		n.loggedIn = now
	}
	if v.remember != nil {
		n.remembered = *v.remember
	}
	if v.timeouts != nil {
		n.own = *v.timeouts
	}
	switch life := n.timeouts().Lifetime; {
	case life == core.NoTimeout && (fresh || v.begins() || v.retimes()):
		n.deadline = time.Time{}
	case fresh || v.begins():
		n.deadline = now.Add(life)
	case v.retimes():
		n.deadline = n.begun().Add(life)
	}
	if !v.keepsExpiry() || fresh {
		n.expires, n.touched = n.expiry(now), time.Time{}
	}
}

// begins reports whether storing the changes starts the absolute lifetime again.
func (v *view) begins() bool { return v.login != "" || v.again }

// keepsExpiry reports whether storing the changes leaves the expiry as it is.
func (v *view) keepsExpiry() bool { return v.noTouch && !v.begins() && !v.retimes() }

// newToken reports whether storing the changes on cur makes a new token.
func (v *view) newToken(cur *record) bool {
	return cur.created.IsZero() || v.login != "" || v.renew || v.remembersAnew(cur) && !v.inHeaders()
}

// remembersAnew reports whether Remember changes whether the client's cookie outlives its browser.
func (v *view) remembersAnew(cur *record) bool {
	return v.remember != nil && *v.remember != cur.remembered
}

// inHeaders reports whether there is no cookie.
func (v *view) inHeaders() bool { return v.w.schedule.setup.carrier != core.Carrier{} }

// sendsAgain reports whether storing the changes makes the client keep its token for
// another time (promise T3).
func (v *view) sendsAgain(cur *record, now time.Time) bool {
	n := *cur
	v.nextIdentity(&n, now)
	return v.timeouts != nil && !v.inHeaders() && !cur.created.IsZero() && !v.newToken(cur) && !v.byID && n.remembered
}

// lengthens reports whether a remembered client's cookie would end too early with the
// changes.
func (v *view) lengthens(cur *record, now time.Time) bool {
	n := *cur
	v.nextIdentity(&n, now)
	return v.sendsAgain(cur, now) && !cur.deadline.IsZero() && (n.deadline.IsZero() || n.deadline.After(cur.deadline))
}

// changed reports whether there is anything to store (promise C2).
func (v *view) changed(cur *record, now time.Time, shows bool) bool {
	n := v.nextWhole(cur, now, shows) // a flash that is dropped at once is a change, of which an event tells
	same := maps.Equal(n.values, cur.values) && slices.Equal(n.flashes, cur.flashes)
	if cur.created.IsZero() {
		return !same || v.login != ""
	}
	return !same || v.newToken(cur) || v.remembersAnew(cur) || v.timeouts != nil
}

// visible returns the flashes that the request may read (promises F1, F2).
func (v *view) visible(now time.Time) []flash {
	return slices.DeleteFunc(append(unread(v.base.flashes, now), v.added...), func(f flash) bool {
		return v.read[f.text] || v.inAdvance && !v.own[f.text]
	})
}

// wanted returns those of them that o is about, oldest first (promise F4).
func (v *view) wanted(o op, now time.Time) []flash {
	found := slices.DeleteFunc(v.visible(now), func(f flash) bool {
		return f.typed != (o.do == takeTyped) || o.key != "" && f.kind != o.key
	})
	if o.do == takeTyped {
		return found[:min(1, len(found))]
	}
	return found
}

// forget drops what is not stored.
func (v *view) forget() {
	clear(v.sizes)
	clear(v.tooMuch)
	v.changes, v.added, v.login, v.renew, v.again, v.remember, v.timeouts, v.aside, v.refused = nil, nil, "", false, false, nil, nil, nil, false
}

// undo drops what is not stored, and returns to the session that a login has put aside.
func (v *view) undo() {
	if a := v.aside; a != nil {
		v.id, v.base, v.token, v.minted, v.asked, v.aged = a.id, a.base, a.token, a.minted, a.asked, a.aged
	}
	v.forget()
}

// lose is letGo for a session that was ended or renewed.
func (v *view) lose() {
	if !v.id.IsZero() {
		v.former = v.id
	}
	v.letGo()
	v.wasLate = true
	v.copyIs(copyOld)
}

// letGo makes the view a new, empty session.
func (v *view) letGo() {
	v.id, v.base, v.token, v.minted, v.asked, v.aged = core.ID{}, record{}, 0, false, time.Time{}, false
	v.read = map[string]bool{}
}

// startOver is letGo for a login or a logout.
func (v *view) startOver() {
	v.forget()
	v.letGo()
}

// do applies a handler's operation o.
func (v *view) do(o op, text string) {
	now := v.w.clock
	if o.do != wait && o.do != skipTouch && o.do != keepFlashes && o.do != commit {
		v.used = true
	}
	switch o.do {
	case set, incr:
		v.put(o)
	case del:
		delete(v.sizes, o.key)
		delete(v.tooMuch, o.key)
		v.changes = append(v.changes, o)
	case clearAll:
		clear(v.sizes)
		clear(v.tooMuch)
		v.changes = []op{o}
	case flashIt, addTyped:
		v.added = append(v.added, flash{o.key, text, o.do == addTyped, now.Add(flashLifetime)})
		v.own[text] = true
	case readFlashes, takeTyped:
		for _, f := range v.wanted(o, now) {
			v.read[f.text] = true
		}
	case keepFlashes:
		for _, f := range append(slices.Clone(v.base.flashes), v.added...) {
			if o.key == "" || f.kind == o.key {
				delete(v.read, f.text)
			}
		}
	case renew:
		v.renew = true
	case reauth:
		v.refused = v.refused || v.readOnly || v.byID || v.standing() == live && v.user() == ""
		v.renew, v.again = true, true
	case remember:
		on := o.n == 1
		v.remember = &on
	case setTimeouts:
		v.timeouts = &o.own
	case skipTouch:
		v.noTouch = true
	case login:
		v.logIn(o.user)
	case logout:
		v.logOut()
	}
}

func (v *view) logIn(user string) {
	remembers, timeouts, aside := v.remember, v.timeouts, v.aside
	switch {
	case v.readOnly:
		v.refused = true
		return
	case v.standing() == late:
		v.startOver()
		v.remember, v.timeouts = remembers, timeouts
	case v.user() != "" && v.user() != user:
		if !v.id.IsZero() {
			was := *v
			aside = &was
		}
		v.startOver()
		v.remember, v.timeouts, v.aside = remembers, timeouts, aside
	}
	v.login = user
}

func (v *view) logOut() {
	if v.readOnly { // it fails, whatever is rolled back
		v.forget()
		return
	}
	if v.aside != nil {
		v.endings = append(v.endings, v.aside.id)
	}
	switch {
	case !v.id.IsZero():
		v.endings = append(v.endings, v.id)
	case !v.former.IsZero():
		v.endings = append(v.endings, v.former)
		v.former, v.wasLate = core.ID{}, false
		v.w.counts["logouts with an old token"]++
	}
	v.startOver()
}
