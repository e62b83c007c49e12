package modeltest

import (
	"fmt"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// schedule is one run of the test: who does what, in which order.
type schedule struct {
	setup  setup
	actors []script
	turns  []int // whose turn it is, step by step; then in order until all are done
}

// setup has the differences between Managers.
type setup struct {
	limit      int  // Config.SessionLimit
	refuse     bool // LimitPolicy is RefuseLogin
	maxFlashes int
	serve      bool // ServeWhenUnavailable
	austere    bool // the index is not memstore's
	carrier    core.Carrier
	hybrid     bool // clients have copies
	near       bool // the process has copies, and there is another that has none
	unit       int  // sessions have at most maxBytes, and a value n has n units; 0: there is room for all
}

// role says what an actor is.
type role string

const (
	request     role = "request"
	job         role = "job"          // Manager.Update
	revoke      role = "revoke"       // Manager.Revoke
	revokeUser  role = "revoke user"  // Manager.RevokeUser
	revokeAll   role = "revoke all"   // Manager.RevokeAll
	advance     role = "clock"        // time passes
	copyCookies role = "copy cookies" // client 0 has client 1's cookie from now on
)

// What a request may carry instead of its client's cookie.
const (
	nothing       = "no cookie"
	garbage       = "a token that was never issued"
	previousOne   = "the cookie that its client had before"
	twice         = "two cookies of our name"
	twiceOursLast = "two cookies of our name, the right one last"
)

// What browsers say of a request, in a header.
const (
	inAdvance    = "Sec-Purpose: prefetch;prerender"
	htmxPreloads = "Hx-Preloaded: true"
	image        = "Sec-Fetch-Dest: image"
)

// panics takes the place of a status.
const panics = -1

// script is what one actor does.
type script struct {
	role   role
	client int    // whose cookies a request carries, and who gets its answer
	cookie string // what it carries instead, "" for the client's own
	method string
	says   string // what the browser says of the request in a header
	status int    // of the response
	hangup bool   // the client is gone when the handler commits
	lost   bool   // the response never arrives
	early  bool   // the response arrives before the handler ends
	ops    []op   // before the header
	late   []op   // after the header
	far    bool   // in the process without copies
	nth    int    // which session a job or an operator means
	user   string // whose
	by     time.Duration
	faults []fault
}

// fault is what goes wrong in an actor's nth operation on the store.
type fault struct {
	at   int
	what mishap
}

type mishap string

const (
	fails mishap = "fails"       // and nothing has happened
	loses mishap = "answer lost" // the operation takes effect, but its actor never learns of it
	slow  mishap = "slow"        // it is answered after all deadlines
)

// verb is something that handlers do.
type verb string

const (
	look         verb = "look"
	set          verb = "Set"
	del          verb = "Delete"
	clearAll     verb = "Clear"
	incr         verb = "Update"
	flashIt      verb = "Flash"
	readFlashes  verb = "Flashes"
	addTyped     verb = "FlashKey.Add"
	takeTyped    verb = "FlashKey.Take"
	keepFlashes  verb = "KeepFlashes"
	commit       verb = "Commit"
	renew        verb = "Renew"
	reauth       verb = "Reauthenticate"
	login        verb = "Login"
	logout       verb = "Logout"
	remember     verb = "Remember"
	setTimeouts  verb = "SetTimeouts"
	skipTouch    verb = "SkipTouch"
	refresh      verb = "Refresh"
	list         verb = "List"
	revokeOwn    verb = "RevokeOwn"
	revokeOthers verb = "RevokeOthers"
	wait         verb = "wait"
)

type op struct {
	do   verb
	key  string // of a value, or a flash's kind
	n    int    // a value; which session RevokeOwn means; 0 or 1 for Remember
	user string
	own  core.Timeouts // of SetTimeouts
}

func (o op) String() string {
	switch o.do {
	case set, incr:
		return fmt.Sprintf("%s(%s, %d)", o.do, o.key, o.n)
	case del, flashIt, readFlashes, addTyped, takeTyped, keepFlashes:
		return fmt.Sprintf("%s(%s)", o.do, o.key)
	case login:
		return fmt.Sprintf("%s(%s)", o.do, o.user)
	case setTimeouts:
		return fmt.Sprintf("%s(%v, %v)", o.do, o.own.Idle, o.own.Lifetime)
	case remember, revokeOwn:
		return fmt.Sprintf("%s(%d)", o.do, o.n)
	}
	return string(o.do)
}

func (s script) String() string {
	var b strings.Builder
	fmt.Fprint(&b, s.role)
	switch s.role {
	case request:
		fmt.Fprintf(&b, " of client %d", s.client)
	case job, revoke:
		fmt.Fprintf(&b, " session %d", s.nth)
	case revokeUser:
		fmt.Fprintf(&b, " %s", s.user)
	case advance:
		fmt.Fprintf(&b, " %v", s.by)
	}
	for _, word := range []string{s.cookie, s.method, s.says} {
		if word != "" {
			fmt.Fprintf(&b, ", %s", word)
		}
	}
	fmt.Fprintf(&b, ": %v", s.ops)
	if s.role == request {
		fmt.Fprintf(&b, ", status %d, then %v", s.status, s.late)
	}
	for _, flag := range []struct {
		on   bool
		word string
	}{{s.far, "elsewhere"}, {s.hangup, "hangs up"}, {s.lost, "response lost"}, {s.early, "response arrives early"}} {
		if flag.on {
			fmt.Fprintf(&b, ", %s", flag.word)
		}
	}
	for _, f := range s.faults {
		fmt.Fprintf(&b, ", store operation %d: %s", f.at, f.what)
	}
	return b.String()
}

func (s *schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "setup: %+v\n", s.setup)
	for i, a := range s.actors {
		fmt.Fprintf(&b, "actor %d: %v\n", i, a)
	}
	fmt.Fprintf(&b, "turns: %v\n", s.turns)
	return b.String()
}
