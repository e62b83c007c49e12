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
	used        bool
	noTouch     bool
	touchFailed bool // one wait for a store that is down is enough

	changes  []op
	added    []flash
	read     map[string]bool // texts of the flashes that were read
	login    string
	renew    bool
	remember *bool
	aside    *view     // another user's session, until the login that takes its place is stored
	endings  []core.ID // sessions that were logged out
	refused  bool      // something impossible was asked for

	cookie  grant // what the response hands out
	lasts   bool  // longer than the browser
	deleted bool  // the response deletes the cookie
}

func newView(w *world) *view { return &view{w: w, read: map[string]bool{}} }

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
	return len(v.changes) > 0 || len(v.added) > 0 || v.login != "" || v.renew || v.remember != nil || v.refused
}

// next returns what must be stored if the request's changes are applied to cur.
// This is promise K1.
func (v *view) next(cur *record, now time.Time, shows bool) record {
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
	n.flashes = v.nextFlashes(cur, now, shows)
	n.flashes = n.flashes[v.shed(n.flashes):]
	v.nextIdentity(&n, now)
	return n
}

// nextFlashes is next for the flashes, including those that do not fit.
func (v *view) nextFlashes(cur *record, now time.Time, shows bool) []flash {
	if len(v.added) == 0 && (!shows || len(v.read) == 0) {
		return cur.flashes
	}
	var left []flash // expired ones are removed when the others are written
	for _, f := range append(unread(cur.flashes, now), v.added...) {
		if !shows || !v.read[f.text] {
			left = append(left, f)
		}
	}
	return left
}

// shed returns how many flashes do not fit (promise F5).
func (v *view) shed(flashes []flash) int {
	return max(0, len(flashes)-v.w.schedule.setup.maxFlashes)
}

func (v *view) nextIdentity(n *record, now time.Time) {
	fresh := n.created.IsZero()
	if fresh {
		n.created = now
	}
	if v.login != "" {
		n.user, n.loggedIn, n.remembered = v.login, now, false
	}
	if v.remember != nil {
		n.remembered = *v.remember
	}
	if _, life := n.timeouts(); fresh || v.login != "" {
		n.deadline = now.Add(life)
	} else if v.remember != nil {
		n.deadline = n.begun().Add(life)
	}
	if !v.keepsExpiry() || fresh {
		n.expires, n.touched = n.expiry(now), time.Time{}
	}
}

// keepsExpiry reports whether storing the changes leaves the expiry as it is.
func (v *view) keepsExpiry() bool { return v.noTouch && v.login == "" && v.remember == nil }

// newToken reports whether storing the changes on cur makes a new token.
func (v *view) newToken(cur *record) bool {
	return cur.created.IsZero() || v.login != "" || v.renew || v.remember != nil && *v.remember != cur.remembered
}

// changed reports whether there is anything to store (promise C2).
func (v *view) changed(cur *record, now time.Time, shows bool) bool {
	n := v.next(cur, now, shows)
	same := maps.Equal(n.values, cur.values) && slices.Equal(n.flashes, cur.flashes)
	if cur.created.IsZero() {
		return !same || v.login != ""
	}
	return !same || v.newToken(cur)
}

// visible returns the flashes that the request may read.
func (v *view) visible(now time.Time) []flash {
	var found []flash
	for _, f := range append(unread(v.base.flashes, now), v.added...) {
		if !v.read[f.text] {
			found = append(found, f)
		}
	}
	return found
}

// forget drops what is not stored.
func (v *view) forget() {
	v.changes, v.added, v.login, v.renew, v.remember, v.aside, v.refused = nil, nil, "", false, nil, nil, false
}

// undo drops what is not stored, and returns to the session that a login has put aside.
func (v *view) undo() {
	if a := v.aside; a != nil {
		v.id, v.base, v.token, v.minted = a.id, a.base, a.token, a.minted
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
}

// letGo makes the view a new, empty session.
func (v *view) letGo() {
	v.id, v.base, v.token, v.minted = core.ID{}, record{}, 0, false
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
	case set, incr, del, clearAll:
		v.changes = append(v.changes, o)
	case flashIt:
		v.added = append(v.added, flash{o.key, text, now.Add(flashLifetime)})
	case readFlashes:
		for _, f := range v.visible(now) {
			if o.key == "" || f.kind == o.key {
				v.read[f.text] = true
			}
		}
	case keepFlashes:
		for _, f := range append(slices.Clone(v.base.flashes), v.added...) {
			if o.key == "" || f.kind == o.key {
				delete(v.read, f.text)
			}
		}
	case renew:
		v.renew = true
	case remember:
		on := o.n == 1
		v.remember = &on
	case skipTouch:
		v.noTouch = true
	case login:
		v.logIn(o.user)
	case logout:
		v.logOut()
	}
}

func (v *view) logIn(user string) {
	remembers, aside := v.remember, v.aside
	switch {
	case v.readOnly:
		v.refused = true
		return
	case v.standing() == late:
		v.startOver()
		v.remember = remembers
	case v.user() != "" && v.user() != user:
		if !v.id.IsZero() {
			was := *v
			aside = &was
		}
		v.startOver()
		v.remember, v.aside = remembers, aside
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
