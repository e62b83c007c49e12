package modeltest

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// generator draws schedules with few clients, users, keys and sessions, so that
// everything meets everything.
type generator struct {
	*rand.Rand
	theme
}

// theme is what a schedule is mostly about.
type theme struct {
	verbs     []verb // of handlers; those listed more often are more frequent
	operators int    // one actor in this many is one
	most      int    // operations of a handler before the header
}

var themes = []theme{
	{handlerVerbs, 24, 4},
	{[]verb{set, set, incr, incr, incr, del, clearAll, commit, commit, look, refresh, wait, logout}, 24, 4},
	{[]verb{flashIt, readFlashes, readFlashes, readFlashes, readFlashes, addTyped, takeTyped, takeTyped, keepFlashes, commit, set, wait}, 24, 4},
	{[]verb{flashIt, flashIt, readFlashes, readFlashes, login, login, logout, renew, set, commit, commit}, 12, 7},
	{[]verb{setTimeouts, setTimeouts, setTimeouts, remember, remember, login, logout, renew, reauth, skipTouch, set, incr, look, commit, commit, wait}, 24, 4},
	{[]verb{login, login, login, login, renew, renew, renew, reauth, reauth, logout, remember, set, incr, commit, commit, skipTouch, list, revokeOwn, revokeOthers, wait}, 5, 4},
}

func generate(seed uint64) *schedule {
	g := generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	g.theme = pick(g, themes...)
	s := &schedule{setup: setup{maxFlashes: 32}}
	if g.oneIn(3) {
		s.setup.limit, s.setup.refuse = 1+g.IntN(2), g.oneIn(2)
	}
	if g.oneIn(6) {
		s.setup.maxFlashes = 2
	}
	if g.oneIn(4) {
		s.setup.unit = 36 + g.IntN(10) // two or three values fit
	}
	s.setup.serve, s.setup.austere = g.oneIn(8), g.oneIn(3)
	if g.oneIn(5) {
		s.setup.carrier = pick(g, core.Bearer, core.Header("X-Session"))
	} else {
		s.setup.hybrid = g.oneIn(4)
	}
	s.setup.near = !s.setup.hybrid && g.oneIn(4)
	// First, one request after another fills the store and the cookie jars.
	calm := 1 + g.IntN(2)
	for i := range calm {
		s.actors = append(s.actors, g.opening(i))
		s.turns = append(s.turns, slices.Repeat([]int{i}, 14)...)
	}
	overlapping := 2 + g.IntN(5)
	faulty := g.oneIn(3)
	for range overlapping {
		s.actors = append(s.actors, g.actor(faulty))
		s.actors[len(s.actors)-1].far = s.setup.near && g.oneIn(2)
	}
	together := pick(g, 0, 2, 3, 4)
	if s.setup.near {
		together = 0 // a copy is old for a request that begins after another process has stored something
	}
	s.turns = append(s.turns, g.order(calm, overlapping, together)...)
	return s
}

func (g generator) oneIn(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

// order draws whose turn it is, in longer or shorter bursts. Often all have loaded
// their sessions before any goes on, if they take a few turns together.
func (g generator) order(first, n, together int) (turns []int) {
	for range together {
		for i := range n {
			turns = append(turns, first+i)
		}
	}
	stay := pick(g, 0.0, 0.3, 0.7, 0.9)
	who := first
	for range 12 * n {
		if g.Float64() >= stay {
			who = first + g.IntN(n)
		}
		turns = append(turns, who)
	}
	return turns
}

// opening is a request that leaves something for others to find.
func (g generator) opening(client int) script {
	s := script{role: request, client: client, status: 200, ops: []op{{do: set, key: "a", n: 1}}}
	if g.oneIn(2) {
		s.ops = append(s.ops, op{do: login, user: pick(g, users...)})
	}
	if g.oneIn(4) {
		s.ops = append(s.ops, op{do: remember, n: 1})
	}
	for range g.IntN(4) {
		s.ops = append(s.ops, g.op(pick(g, flashIt, flashIt, addTyped)))
	}
	return s
}

func (g generator) actor(faulty bool) script {
	s := g.role()
	for faulty && g.oneIn(2) {
		s.faults = append(s.faults, fault{g.IntN(6), pick(g, fails, loses, slow)})
	}
	return s
}

func (g generator) role() script {
	if g.oneIn(g.operators) {
		return script{role: pick(g, revoke, revokeUser, revokeUser, revokeUser, revokeAll), nth: g.IntN(4), user: pick(g, "ann", "ann", "bob")}
	}
	switch g.IntN(26) {
	case 0:
		return script{role: advance, by: pick(g, time.Second, 20*time.Second, 61*time.Second, 4*time.Minute, 11*time.Minute, 25*time.Minute, 31*time.Minute, 91*time.Minute)}
	case 1:
		return script{role: advance, by: pick(g, 4*time.Minute, 11*time.Minute)}
	case 2:
		return script{role: copyCookies}
	case 3: // to the moment at which something ends or becomes due
		return script{role: advance, by: pick(g, reservationTime, touchAfter, lateFor, copyWindow, nearWindow, flashLifetime, idle, lifetime)}
	case 4:
		return script{role: job, nth: g.IntN(4), ops: g.ops(1+g.IntN(3), jobVerbs)}
	}
	return g.request()
}

func (g generator) request() script {
	s := script{role: request, client: g.client(), status: 200}
	s.ops = g.ops(1+g.IntN(g.most), g.verbs)
	if g.oneIn(3) {
		s.status = pick(g, 303, 204, 404, 500, core.StatusHijacked, panics, 205, 299, 300, 399, 400, 499, 599)
	}
	if g.oneIn(4) {
		s.late = g.ops(1+g.IntN(2), lateVerbs)
	}
	if g.oneIn(12) {
		s.cookie = pick(g, nothing, garbage, twice, twiceOursLast, previousOne)
	}
	s.method = pick(g, "POST", "GET")
	if g.oneIn(12) {
		s.method = "HEAD"
	}
	if g.oneIn(8) {
		s.says = pick(g, inAdvance, htmxPreloads, image)
	}
	s.hangup, s.lost, s.early = g.oneIn(12), g.oneIn(12), g.oneIn(4)
	return s
}

func (g generator) client() int {
	if g.oneIn(4) {
		return 1
	}
	return 0
}

// What handlers do; those listed more often are more frequent.
var (
	handlerVerbs = []verb{
		look, look, set, set, set, del, clearAll, incr, incr, incr, flashIt, flashIt, readFlashes, readFlashes, readFlashes, addTyped, takeTyped, keepFlashes,
		commit, commit, renew, reauth, login, login, logout, remember, setTimeouts, skipTouch, refresh, list, revokeOwn, revokeOthers, wait, wait,
	}
	lateVerbs = []verb{look, set, incr, flashIt, readFlashes, readFlashes, addTyped, takeTyped, keepFlashes, commit, renew, reauth, login, logout, setTimeouts, wait}
	jobVerbs  = []verb{look, set, incr, del, clearAll, flashIt, flashIt, addTyped, setTimeouts, reauth, logout, wait}
)

func (g generator) ops(n int, verbs []verb) []op {
	ops := make([]op, n)
	for i := range ops {
		ops[i] = g.op(pick(g, verbs...))
	}
	return ops
}

func (g generator) op(do verb) op {
	o := op{do: do}
	switch do {
	case set:
		o.key, o.n = pick(g, keys...), 1+g.IntN(5)
	case incr:
		o.key, o.n = pick(g, "n", "n", "a"), 1
	case del:
		o.key = pick(g, keys...)
	case flashIt, addTyped, takeTyped:
		o.key = pick(g, kinds...)
	case readFlashes, keepFlashes:
		o.key = pick(g, "", "", "info", "error")
	case login:
		o.user = pick(g, "ann", "ann", "ann", "bob")
	case remember:
		o.n = g.IntN(2)
	case setTimeouts:
		o.own.Idle = pick(g, 0, 2*time.Minute, 20*time.Minute, 50*time.Minute, core.NoTimeout)
		o.own.Lifetime = pick(g, 0, 10*time.Minute, 45*time.Minute, 2*time.Hour, core.NoTimeout)
	case revokeOwn:
		o.n = g.IntN(4)
	}
	return o
}
