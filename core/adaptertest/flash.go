package adaptertest

import (
	"fmt"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

type form struct {
	Name   string
	Errors map[string]string
}

var formFlash = core.NewFlashKey[form]("form")

// flashCases are about messages for the next page.
var flashCases = []testCase{
	{
		name: "F1_SEC63_shown_once",
		why:  "The next page shows the flash, the one after does not.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.post("/flash?kind=info&text=hello&to=/flashes").wantsStatus(303)
			c.get("/blank").wants(200, "blank")
			c.get("/flashes").wants(200, "info:hello")
			c.get("/flashes").wants(200, absent).setsNothing()
		},
	},
	{
		name: "F2_readable_at_once",
		why:  "A form that is shown again without a redirect shows its own message, and only once.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/now", func(r Request) error {
				r.Session().Flash("error", "now")
				return answer(r, texts(r.Session().Flashes()))
			})}})
			c := s.client()
			c.post("/now").wants(200, "error:now").setsNothing()
			c.get("/flashes").wants(200, absent)
			c.post("/now?status=422").wants(422, "error:now")
			c.get("/flashes").wants(200, absent)
			c.post("/now?to=/flashes").wantsStatus(303).sets()
			c.get("/flashes").wants(200, "error:now")
		},
	},
	{
		name: "F3_peek_and_keep",
		why:  "A handler may look without taking, or change its mind.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{get("/keep", func(r Request) error {
				if own := r.Param("own"); own != "" {
					r.Session().Flash("info", own)
				}
				got := texts(r.Session().Flashes())
				r.Session().KeepFlashes(kinds(r)...)
				return r.Text(200, got)
			})}})
			c := s.client()
			c.post("/flash?kind=info&text=a")
			c.post("/flash?kind=error&text=b")
			c.get("/peek").wants(200, "info:a|error:b").setsNothing()
			c.get("/keep").wants(200, "info:a|error:b").setsNothing()
			c.get("/keep?kind=error").wants(200, "info:a|error:b")
			c.get("/flashes").wants(200, "error:b")
			c.get("/keep?own=c").wants(200, "info:c")
			c.get("/flashes").wants(200, "info:c")
		},
	},
	{
		name: "F4_kinds_and_order",
		why:  "Each part of a page reads its own kind, in the order in which things happened.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			for i, kind := range []string{"info", "error", "info", "a kind of my own", "error"} {
				c.post(query("/flash", "kind", kind, "text", fmt.Sprint(i)))
			}
			c.get("/flashes?kind=error").wants(200, "error:1|error:4")
			c.get("/flashes?kind=nothing").wants(200, absent)
			c.get("/flashes").wants(200, "info:0|info:2|a kind of my own:3")
			c.get("/flashes").wants(200, absent)
		},
	},
	{
		name: "F4_typed_flashes_are_apart",
		why:  "A form's input for the next page is not a message, and messages are not forms.",
		run:  typedFlash,
	},
	{
		name: "F5_SEC64_bounded_in_number",
		why:  "A loop of redirects must not make the session grow without end: the oldest flashes are dropped.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			for i := range 100 {
				c.post(fmt.Sprintf("/flash?kind=n&text=%d", i)).wants(200, "flashed")
			}
			got := strings.Split(c.get("/flashes").body, "|")
			if len(got) != 32 || got[0] != "n:68" || got[31] != "n:99" {
				h.Errorf("flashes are %q, want the last 32", got)
			}
			h.wantEvents(68, core.EventFlashDropped, "")
		},
	},
	{
		name: "F5_bounded_in_time",
		why:  "Yesterday's message means nothing today.",
		run: func(h *harness) {
			c := h.open(setup{core: func(c *core.Config) { c.FlashLifetime = time.Minute }}).client()
			c.post("/flash?kind=info&text=old")
			h.clock.advance(time.Minute + tick)
			c.post("/flash?kind=info&text=new")
			c.get("/flashes").wants(200, "info:new")
		},
	},
	{
		name: "F5_SEC64_never_the_reason_of_an_error",
		why:  "A message that does not fit is dropped with an event; the page is more important.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/long", func(r Request) error {
				r.Session().Flash("info", strings.Repeat("x", 100<<10))
				r.Session().Set("k", "v")
				return r.Text(200, "long")
			})}})
			c := s.client()
			c.post("/long").wants(200, "long").sets()
			c.has("k", "v")
			c.get("/flashes").wants(200, absent)
			h.wantEvents(1, core.EventFlashDropped, "")
		},
	},
	{
		name: "F5_SEC64_inert",
		why:  "A flash is data: its text comes back unchanged, for the template to escape.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			text := "<script>alert('1')</script> & \" ; , \\ ü 漢 \U0001f36a"
			c.post(query("/flash", "kind", "<b>", "text", text))
			c.get("/flashes").wants(200, "<b>:"+text)
		},
	},
	{
		name:    "F6_overlapping_requests_lose_none",
		why:     "If two requests add a flash at the same time, both flashes must be kept.",
		run:     func(h *harness) { overlappingFlashes(h, "info:first|info:late") },
		limited: func(h *harness) { overlappingFlashes(h, "info:late") },
	},
}

func typedFlash(h *harness) {
	s := h.open(setup{routes: []Route{
		post("/form", func(r Request) error {
			formFlash.Add(r.Session(), form{Name: r.Param("name"), Errors: map[string]string{"name": "is missing"}})
			r.Session().Flash("error", "look again")
			return r.Redirect(303, "/form")
		}),
		get("/form", func(r Request) error {
			f, ok := formFlash.Take(r.Session())
			if !ok {
				return r.Text(200, absent)
			}
			return r.Text(200, f.Name+" "+f.Errors["name"])
		}),
	}})
	c := s.client()
	c.post("/form?name=x").wantsStatus(303)
	c.get("/flashes").wants(200, "error:look again")
	c.get("/form").wants(200, "x is missing")
	c.get("/form").wants(200, absent)
}

func overlappingFlashes(h *harness, want string) {
	g := h.newGate()
	c := h.open(setup{routes: gatedRoutes(g)}).client()
	c.set("k", "v")
	c.during(g, "/slow-flash", func() { c.post("/flash?kind=info&text=first") }).wants(200, "passed")
	c.get("/flashes").wants(200, want)
	c.get("/flashes").wants(200, absent)
}
