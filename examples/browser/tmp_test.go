package browser
import ("testing";"github.com/satchel-go/satchel/examples/internal/runtest";"github.com/chromedp/chromedp")
func TestTmp(t *testing.T) {
	folder := "/tmp/shots"
	address := runtest.Start(t, runtest.BuildIn(t, "../echo"), "-addr", "localhost:0").URL
	b, c := newTab(t, address), newTab(t, address)
	b.open("/")
	b.keep(folder, "x-signin", 1280)
	b.do(chromedp.Click(css("input[name=remember]")))
	b.press("Sign in")
	b.keep(folder, "x-signin-err", 360)
	for _, b := range []*tab{b,c} { b.open("/"); b.enter("Name", "Ann Marie of Somewhere"); b.press("Sign in") }
	b.keep(folder, "x-empty", 1280)
	b.enter("What to pack", "Tent"); b.press("Pack")
	b.enter("What to pack", "A rather long thing to pack for the night"); b.press("Pack")
	b.press("Remove Tent")
	b.keep(folder, "x-removed", 360)
	c.press("Live")
	c.waitFor("Connected")
	b.press("Devices")
	b.keep(folder, "x-devices", 360)
	b.press("Sign out everywhere else")
	c.waitFor("has ended")
	c.keep(folder, "x-ended", 1280)
	c.press("Devices")
	c.keep(folder, "x-please", 1280)
}
