package adaptertest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// concurrencyCases are about requests of one client that overlap.
var concurrencyCases = []testCase{
	{
		name:    "K1_SEC39_different_keys_are_all_kept",
		why:     "Pages load in parallel: what one request sets must not undo what another set.",
		run:     func(h *harness) { overlappingSets(h, "a1", "b1") },
		limited: func(h *harness) { overlappingSets(h, absent, "b1") },
	},
	{
		name:    "K1_same_key_the_last_commit_wins",
		why:     "Of two plain sets the later one wins: it is what the user did last.",
		run:     func(h *harness) { sameKey(h) },
		limited: func(h *harness) { sameKey(h) },
	},
	{
		name:    "K1_SEC39_fifty_updates_give_fifty_numbers",
		why:     "Update never loses a count, and after Commit each request knows its own.",
		run:     fiftyUpdates,
		limited: lastUpdateWins,
	},
	{
		name:    "K1_flash_survives_a_read_by_another",
		why:     "A page that shows its flashes must not remove one that was added in the meantime.",
		run:     func(h *harness) { flashDuringRead(h, "info:second") },
		limited: func(h *harness) { flashDuringRead(h, absent) },
	},
	{
		name: "K1_clear_removes_what_others_add_meanwhile",
		why:  "Clear means everything that is there when it takes effect.",
		run: func(h *harness) {
			g := h.newGate()
			c := h.open(setup{routes: gatedRoutes(g)}).client()
			c.set("k", "v")
			c.during(g, "/slow-clear", func() { c.set("added", "meanwhile") }).wants(200, "passed")
			c.has("k", absent)
			c.has("added", absent)
		},
	},
	{
		name: "K1_endless_conflicts_end_in_an_error",
		why:  "When the commit's time is over the client gets an error, and nothing is half done.",
		run: func(h *harness) {
			c := h.open(setup{core: func(c *core.Config) { c.CommitTimeout = 250 * time.Millisecond }}).client()
			c.set("k", "v")
			h.faults.hook(opSave, func(context.Context) error { return core.ErrConflict })
			c.post("/set?value=x").refusal(503, unavailableBody)
			h.faults.up()
			c.has("k", "v")
		},
		limited: func(h *harness) { sameKey(h) }, // there are no conflicts
	},
	{
		name: "K1_lost_answer_is_not_applied_again",
		why:  "If a save's answer was lost, it is unknown whether the save took place: counting again could count twice.",
		run:  lostAnswer,
	},
	{
		name:    "K2_SEC16_logout_wins",
		why:     "A request in flight across a logout must never bring the session back.",
		run:     logoutWins,
		limited: logoutLoses,
	},
	{
		name:    "K2_SEC16_revocation_wins",
		needs:   "I2",
		why:     "A session that an operator ended stays ended, whatever was in flight.",
		run:     revocationWins,
		limited: func(h *harness) { h.unsupportedRevoke() },
	},
	{
		name:    "K3_SEC4_renewal_has_one_winner",
		why:     "Two renewals at once must not leave two live tokens.",
		run:     oneWinner,
		limited: everyRenewalLives,
	},
	{
		name: "K1_SEC62_goroutines_share_a_session",
		why:  "A handler may use its session from many goroutines.",
		run:  goroutines,
	},
}

func overlappingSets(h *harness, a, b string) {
	g := h.newGate()
	c := h.open(setup{routes: gatedRoutes(g)}).client()
	c.set("k", "v")
	c.during(g, "/slow-set?key=b&value=b1", func() { c.set("a", "a1") }).wants(200, "passed")
	c.has("a", a)
	c.has("b", b)
	c.has("k", "v")
}

func sameKey(h *harness) {
	g := h.newGate()
	c := h.open(setup{routes: gatedRoutes(g)}).client()
	c.set("k", "v")
	c.during(g, "/slow-set?key=k&value=last", func() { c.set("k", "first") }).wants(200, "passed")
	c.has("k", "last")
}

func fiftyUpdates(h *harness) {
	const n = 50
	c := h.open(setup{}).client()
	c.set("k", "v")
	var replies []<-chan *reply
	for range n {
		replies = append(replies, c.async("/incr"))
	}
	var got []int
	for _, r := range replies {
		number, err := strconv.Atoi(h.result(r).wantsStatus(200).body)
		if err != nil {
			h.Fatalf("no number: %v", err)
		}
		got = append(got, number)
	}
	slices.Sort(got)
	for i, number := range got {
		if number != i+1 {
			h.Fatalf("numbers %v, want 1 to %d, each once", got, n)
		}
	}
	c.has("k", "v")
}

func lastUpdateWins(h *harness) {
	c := h.open(setup{}).client()
	c.set("k", "v")
	copied := c.twin()
	c.post("/incr").wants(200, "1")
	copied.post("/incr").wants(200, "1")
	c.post("/incr").wants(200, "2") // one after the other loses nothing
	c.has("k", "v")
}

func flashDuringRead(h *harness, want string) {
	g := h.newGate()
	c := h.open(setup{routes: gatedRoutes(g)}).client()
	c.post("/flash?kind=info&text=first")
	c.during(g, "/slow-flashes", func() { c.post("/flash?kind=info&text=second") }).wants(200, "passed")
	c.get("/flashes").wants(200, want)
}

func lostAnswer(h *harness) {
	c := h.open(setup{}).client()
	c.post("/incr").wants(200, "1")
	h.faults.loseAnswer(opSave, fmt.Errorf("%w: %w", core.ErrUnavailable, errDown))
	saves := h.faults.count(opSave)
	c.post("/incr").wantsStatus(503) // the handler returns the error
	if n := h.faults.count(opSave) - saves; n != 1 {
		h.Errorf("%d saves after a lost answer, want 1", n)
	}
	h.faults.up()
	if r := c.post("/incr"); r.body != "2" && r.body != "3" {
		h.Errorf("the count is %s, want 2 or 3", r.body)
	}
}

func renewAtOnce(h *harness, n int) []*client {
	s := h.open(setup{})
	c := s.client()
	c.set("k", "v")
	clients := make([]*client, n)
	var replies []<-chan *reply
	for i := range clients {
		clients[i] = c.twin()
		replies = append(replies, clients[i].async("/renew"))
	}
	for _, r := range replies {
		h.result(r).wants(200, "renewed")
	}
	tokens := map[string]*client{c.token(): c}
	for _, twin := range clients {
		tokens[twin.token()] = twin
	}
	var alive []*client
	for _, twin := range tokens {
		if twin.get("/get").body == "v" {
			alive = append(alive, twin)
		}
	}
	return alive
}

func oneWinner(h *harness) {
	if alive := renewAtOnce(h, 50); len(alive) != 1 {
		h.Errorf("%d tokens are alive, want 1", len(alive))
	}
	h.wantEvents(1, core.EventRenewed, "")
}

func everyRenewalLives(h *harness) {
	if alive := renewAtOnce(h, 5); len(alive) < 5 {
		h.Errorf("%d tokens are alive, want those of all 5 renewals", len(alive))
	}
}

func goroutines(h *harness) {
	const n = 32
	s := h.open(setup{routes: []Route{post("/many", func(r Request) error {
		s := r.Session()
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				k := fmt.Sprintf("k%d", i)
				s.Set(k, "v")
				core.Get[string](s, k)
				counter.Update(s, func(n int) int { return n + 1 })
				s.Flash("info", k)
				s.PeekFlashes()
				s.Keys()
				s.UserID()
				s.Delete(k)
			})
		}
		wg.Wait()
		v, _ := counter.Get(s)
		return r.Text(200, strconv.Itoa(v))
	})}})
	c := s.client()
	c.set("k", "v")
	c.post("/many").wants(200, strconv.Itoa(n))
	if got := c.get("/flashes").body; strings.Count(got, "|") != n-1 {
		h.Errorf("flashes %q, want %d", got, n)
	}
	c.has("k", "v")
}
