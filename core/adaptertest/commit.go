package adaptertest

import (
	"context"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// commitCases are about what is stored, and when nothing is.
var commitCases = []testCase{
	{
		name: "C1_SEC22_visitors_cost_nothing",
		why:  "Bots and health checks must neither fill the store nor get cookies.",
		run:  visitors,
	},
	{
		name: "C1_changes_to_nothing_are_nothing",
		why:  "A new session that holds nothing need not exist.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/nothing", func(r Request) error {
				s := r.Session()
				s.Set("k", "v")
				s.Delete("k")
				s.Remember(true)
				s.Flashes()
				return r.Text(200, "nothing")
			})}})
			for _, target := range []string{"/delete", "/clear", "/renew", "/logout", "/nothing"} {
				s.client().post(target).wantsStatus(200).setsNothing()
			}
			if n := h.faults.count(opSave); n != 0 {
				h.Errorf("%d saves, want none", n)
			}
		},
	},
	{
		name: "C2_SEC23_unchanged_means_no_write",
		why:  "Reading a session costs no write and no cookie.",
		run:  unchanged,
	},
	{
		name: "C2_setting_the_same_value_is_no_change",
		why:  "Code that sets what is already there must not cause a write at every request.",
		run: func(h *harness) {
			s := h.open(setup{})
			c := s.client()
			c.set("k", "v")
			saves := h.faults.count(opSave)
			c.post("/set?value=v").wants(200, "set").setsNothing()
			if n := h.faults.count(opSave); n != saves {
				h.Errorf("%d saves for nothing new", n-saves)
			}
		},
	},
	{
		name: "C1_a_change_is_there_at_the_next_request",
		why:  "Handlers need not save: what they set, delete and clear is kept.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.set("a", "1")
			c.set("b", "2")
			c.set("a", "3")
			c.has("a", "3")
			c.post("/delete?key=a").wants(200, "deleted")
			c.has("a", absent)
			c.has("b", "2")
			c.post("/clear").wants(200, "cleared")
			c.has("b", absent)
		},
	},
	{
		name: "C5_client_hangs_up_in_mid_commit",
		why:  "A commit that has begun is completed: half an order is worse than none.",
		run:  hangUp,
	},
	{
		name: "C5_commit_has_its_own_deadline",
		why:  "A store that hangs must not hold up requests for ever.",
		run: func(h *harness) {
			s := h.open(setup{core: func(c *core.Config) { c.CommitTimeout = 30 * time.Millisecond }})
			h.faults.hook(opSave, func(ctx context.Context) error {
				return h.untilOver(ctx)
			})
			s.client().post("/set?value=v").refusal(503, unavailableBody)
		},
	},
	{
		name: "C7_explicit_commits_any_number",
		why:  "A handler that needs the result calls Commit itself; the client still gets one cookie, the last.",
		run:  explicitCommits,
	},
	{
		name: "C7_SEC30_one_cookie_whatever_is_done",
		why:  "Browsers keep one of two cookies with the same name, and not always the last.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/all", func(r Request) error {
				s := r.Session()
				s.Set("k", "old")
				s.Renew()
				s.Flash("info", "f")
				s.Login("ann")
				s.Logout()
				s.Set("k", "new")
				s.Renew()
				return r.Text(200, "all")
			})}})
			c := s.client()
			c.set("k", "v")
			c.post("/all").wants(200, "all").sets()
			c.has("k", "new")
			c.get("/who").wants(200, "user= new=false ended=false")
		},
	},
}

func visitors(h *harness) {
	s := h.open(setup{})
	c := s.client()
	for range 50 {
		c.get("/get").wants(200, absent).setsNothing()
		c.get("/flashes").wants(200, absent).setsNothing()
		c.post("/logout").wants(200, "out").setsNothing()
		s.with(strings.Repeat("x", 64)).get("/get").wants(200, absent).setsNothing()
		if r := c.get("/blank").wants(200, "blank").setsNothing(); r.header.Get("Vary") != "" {
			h.Fatalf("Vary is %q although the session was not used", r.header.Get("Vary"))
		}
	}
	if n := h.faults.count(opSave) + h.faults.count(opTouch) + h.faults.count(opDelete); n != 0 {
		h.Errorf("%d writes for visitors who wrote nothing", n)
	}
}

func unchanged(h *harness) {
	s := h.open(setup{})
	c := s.client()
	c.set("k", "v")
	saves := h.faults.count(opSave)
	for _, target := range []string{"/get", "/who", "/id", "/peek", "/flashes", "/blank"} {
		c.get(target).wantsStatus(200).setsNothing()
	}
	c.post("/delete?key=not-there").setsNothing()
	if n := h.faults.count(opSave); n != saves || h.faults.count(opTouch) != 0 {
		h.Errorf("reading wrote: %d saves, %d touches", n-saves, h.faults.count(opTouch))
	}
}

func hangUp(h *harness) {
	s := h.open(setup{})
	c := s.client()
	c.set("k", "before")
	committing, ended := h.newGate(), make(chan error, 1)
	h.faults.hook(opSave, func(ctx context.Context) error {
		h.faults.hook(opSave, nil)
		committing.pass()
		ended <- ctx.Err()
		return nil
	})
	ctx, cancel := context.WithCancel(h.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		s.rawUntil(ctx, "POST /set?value=after HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"+c.lines()+"\r\n")
	}()
	h.await(committing)
	cancel()
	<-gone
	time.Sleep(20 * time.Millisecond) // time for the server to notice
	committing.open()
	select {
	case err := <-ended:
		if err != nil {
			h.Errorf("the client cut the commit short: %v", err)
		}
	case <-time.After(patience):
		h.Fatalf("the commit did not continue")
	}
	if !h.clientSide() { // a cookie that no client received is lost with its session
		h.waitFor("the commit", func() bool { return h.events.count(core.EventSaved, "") == 1 })
		c.has("k", "after")
	}
}

func explicitCommits(h *harness) {
	s := h.open(setup{routes: []Route{post("/steps", func(r Request) error {
		s := r.Session()
		for _, v := range []string{"1", "2", "3"} {
			s.Set("k", v)
			if err := s.Commit(r.Context()); err != nil {
				return err
			}
			if got := value(s, "k"); got != v {
				return r.Text(500, "after Commit Get returned "+got)
			}
		}
		s.Renew()
		if err := s.Commit(r.Context()); err != nil {
			return err
		}
		s.Set("last", "by itself")
		return r.Text(200, s.ID().String())
	})}})
	c := s.client()
	r := c.post("/steps").wantsStatus(200).sets()
	c.has("k", "3")
	c.has("last", "by itself")
	c.get("/id").wants(200, r.body)
}
