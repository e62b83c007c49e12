package modeltest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/satchel-go/satchel/core"
)

// counts says how often the schedules have put a promise to the test. A test that
// provokes nothing shows nothing.
type counts map[string]int

// What every run of at least enoughSchedules must provoke, with the minimum counts.
var evidence = []struct {
	promise, what string
	least         int
}{
	{"L1", "tokens that opened no session", 100},
	{"L2", "two cookies of our name", 100},
	{"L3", "sessions that could not be loaded", 100},
	{"L4", "old tokens remembered", 100},
	{"L4", "requests that were answered from a copy", 100},
	{"L4", "copies that were too old", 100},
	{"L4", "reads that the process's copy answered", 100},
	{"L4", "reads of what another process had changed, within the window", 50},
	{"SEC11", "copies beside another token", 20},
	{"C1", "requests that wrote nothing and got no cookie", 100},
	{"C2", "writes that changed nothing", 100},
	{"C3", "commits that failed", 100},
	{"C4", "changes that were rolled back", 100},
	{"C5", "commits after the client had gone", 100},
	{"C6", "changes after the header that were stored", 100},
	{"C7", "cookies that were set", 100},
	{"C7", "tokens in headers", 100},
	{"K1", "conflicts after which a commit was tried again", 100},
	{"K2", "changes that were dropped", 100},
	{"K2", "sessions that were read after their end, within the window", 20},
	{"K2", "sessions that were read after another process had ended them", 20},
	{"K3", "renewals that lost to another", 100},
	{"T1", "sessions that had expired", 100},
	{"T1", "sessions with timeouts of their own", 100},
	{"T2", "touches", 100},
	{"T3", "cookies that outlive the browser", 100},
	{"T3", "cookies that followed new timeouts", 20},
	{"F1", "flashes that were read but kept, since they were not shown", 100},
	{"F1", "flashes that were withheld from a page in advance", 100},
	{"F2", "flashes that were read where they were added", 100},
	{"F3", "flashes that were taken back", 100},
	{"F4", "reads that left other kinds alone", 100},
	{"F5", "flashes that had to make room", 100},
	{"F6", "flashes that two overlapping requests showed", 100},
	{"E2", "sessions that were too large", 100},
	{"E2", "values that were too large", 100},
	{"F5", "flashes that were dropped for values", 100},
	{"I1", "logins", 100},
	{"I1", "sessions that made room for a login", 100},
	{"I1", "logouts with an old token", 100},
	{"I1", "users who proved again who they are", 100},
	{"I1", "logins that kept what they had loaded", 20},
	{"I2", "revocations", 100},
	{"I2", "logins in flight across a revocation", 100},
	{"I1", "logins of users who were logged in already", 100},
	{"I1", "logins of another user", 100},
	{"I3", "logouts that left a new session", 100},
}

// What every such run must do at least 100 times each.
var variety = slices.Concat(
	each("actors: ", request, job, revoke, revokeUser, revokeAll, advance, copyCookies),
	each("operations: ", look, set, del, clearAll, incr, flashIt, readFlashes, addTyped, takeTyped, keepFlashes, commit, renew, reauth,
		login, logout, remember, setTimeouts, skipTouch, refresh, list, revokeOwn, revokeOthers, wait),
	each("store operations: ", fails, loses, slow),
)

func each[T ~string](kind string, all ...T) (whats []string) {
	for _, one := range all {
		whats = append(whats, kind+string(one))
	}
	return whats
}

// missing lists what a run has not done often enough, by promise. What serves all
// of them is under "".
func (c counts) missing() map[string][]string {
	texts := map[string][]string{}
	for _, what := range variety {
		if c[what] < 100 {
			texts[""] = append(texts[""], fmt.Sprintf("%d %s, want at least 100", c[what], what))
		}
	}
	for _, e := range evidence {
		if c[e.what] < e.least {
			texts[e.promise] = append(texts[e.promise], fmt.Sprintf("%d %s, want at least %d", c[e.what], e.what, e.least))
		}
	}
	return texts
}

const enoughSchedules = 20_000

func (c counts) plus(d counts) {
	for what, n := range d {
		c[what] += n
	}
}

func (c counts) when(happened bool, what string) {
	if happened {
		c[what]++
	}
}

// commit counts what a commit provoked, before the view is brought up to date.
func (c counts) commit(a *actor, err error) {
	v, t := a.view, &a.act
	stored := !t.saved.IsZero() && !t.undone && err == nil
	c["commits"]++
	c["conflicts after which a commit was tried again"] += t.conflicts
	c.when(a.told(core.EventDropped), "changes that were dropped")
	c.when(t.gone && v.renew && v.login == "", "renewals that lost to another")
	c.when(err != nil, "commits that failed")
	c.when(len(v.tooMuch) > 0, "values that were too large")
	c.when(errors.Is(err, core.ErrTooLarge) && len(v.tooMuch) == 0, "sessions that were too large")
	c.when(stored && t.shed > 0 && a.w.schedule.setup.unit > 0, "flashes that were dropped for values")
	c.when(err == nil && v.id.IsZero() && !v.wishes() && !v.presented, "requests that wrote nothing and got no cookie")
	c.when(err == nil && v.standing() == live && !v.id.IsZero() && v.wishes() && t.saved.IsZero() && !t.gone, "writes that changed nothing")
	c.when(stored && a.hangup, "commits after the client had gone")
	c.when(stored && t.sent, "changes after the header that were stored")
	c.when(stored && v.login != "", "logins")
	c.when(stored && v.again, "users who proved again who they are")
	c.when(stored && v.deleted, "logouts that left a new session")
	c.when(t.touched, "touches")
	for _, f := range v.base.flashes {
		c.when(err == nil && !t.shows && v.read[f.text] && a.x != nil, "flashes that were read but kept, since they were not shown")
	}
	for _, f := range v.added {
		c.when(stored && t.shows && v.read[f.text], "flashes that were read where they were added")
	}
	if room := a.w.schedule.setup.maxFlashes; stored && v.base.created.IsZero() == false {
		c.when(len(unread(v.base.flashes, t.began))+len(v.added) > room, "flashes that had to make room")
	}
}
