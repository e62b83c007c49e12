package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestDemo walks through the demo in each framework with two browsers.
func TestDemo(t *testing.T) {
	for _, framework := range frameworks {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			address := start(t, framework)
			one, two := newTab(t, address), newTab(t, address)
			signsIn(one)
			packs(one)
			two.open()
			two.enter("Name", "Ann")
			two.press("Sign in")
			two.seesNot("Tent") // values belong to the session
			liveFlash(one, two)
			revokes(one, two)
			signsOut(one)
		})
	}
}

func signsIn(b *tab) {
	b.open()
	b.looksRight("the form to sign in")
	b.do(chromedp.Click(css("input[name=remember]")))
	b.enter("Name", "  ")
	b.press("Sign in")
	b.sees("Enter a name.", "You are not signed in yet.")
	b.looksRight("the form to sign in, with errors")
	b.showsFocus("the form to sign in")
	b.do(chromedp.WaitReady(css("input[name=remember]:checked")), chromedp.WaitReady(css("#name[aria-invalid=true]")))
	long := strings.Repeat("Ann ", 11)
	b.enter("Name", long)
	b.press("Sign in")
	b.sees("Use 40 characters or fewer.")
	if got := b.value("Name"); got != strings.TrimSpace(long) {
		b.Errorf("after an error the field has %q, want what was entered", got)
	}
	b.reload()
	b.seesNot("Use 40", "not signed in")
	if got := b.value("Name"); got != "" {
		b.Errorf("the next page still has %q in the field", got)
	}

	b.do(chromedp.Click(css("input[name=remember]")))
	b.enter("Name", "Ann")
	b.press("Sign in")
	b.sees("Welcome, Ann.")
	b.looksRight("the empty list")
	b.reload() // F1: a flash is seen once
	b.seesNot("Welcome")
	cookie := b.cookie()
	if !cookie.HTTPOnly || cookie.SameSite != network.CookieSameSiteLax || cookie.Session {
		b.Errorf("the cookie of a remembered session is %+v, want it HttpOnly, Lax and lasting", cookie)
	}
}

func (b *tab) cookie() *network.Cookie {
	b.Helper()
	cookies := call(b, network.GetCookies, network.GetCookiesParams{}).Cookies
	if len(cookies) != 1 {
		b.Fatalf("%d cookies, want one", len(cookies))
	}
	return cookies[0]
}

func packs(b *tab) {
	b.enter("What to pack", "Tent")
	b.enter("How many", "some")
	b.press("Pack")
	b.sees("Enter 1 to 99.", "Nothing was packed.")
	if b.value("What to pack") != "Tent" || b.value("How many") != "some" {
		b.Errorf("after an error the fields have %q and %q", b.value("What to pack"), b.value("How many"))
	}
	b.looksRight("the list, with errors")
	b.enter("How many", "2")
	b.press("Pack")
	b.sees("Packed 2 × Tent.")
	b.enter("What to pack", strings.Repeat("Mitten", 10)) // one long word
	b.press("Pack")
	b.press("One more Tent")
	b.sees("3 × Tent")
	b.looksRight("the list")
	b.showsFocus("the list")
	b.press("Remove Tent")
	b.sees("Took out 3 × Tent.")
	b.looksRight("the list, with something to put back")
	b.press("Put it back")
	b.sees("Packed 3 × Tent.")
	b.reload()
	b.seesNot("Packed", "Took out")
	b.sees("3 × Tent")
}

// liveFlash starts a job in the second browser, whose page shows the message as
// soon as it arrives. The first browser has it on its next page.
func liveFlash(one, two *tab) {
	two.press("Live")
	two.waitFor("Connected.")
	two.press("Start a job")
	two.sees("The job has started.")
	two.looksRight("the live page")
	two.waitFor("The job has finished at")
	two.looksRight("the live page, with a message")
	two.reload()
	two.seesNot("The job has")
	two.waitFor("Connected.")
	one.press("Devices")
	one.sees("The job has finished at", "This device")
	one.looksRight("the devices")
	one.reload()
	one.seesNot("The job has")
}

// revokes ends the second browser's session from the first.
func revokes(one, two *tab) {
	rows := run(one, chromedp.Evaluate[int](`document.querySelectorAll(".rows li").length`))
	marked := run(one, chromedp.Evaluate[int](`document.querySelectorAll(".rows .badge").length`))
	if rows != 2 || marked != 1 {
		one.Errorf("%d devices, %d of them marked; want 2 and 1", rows, marked)
	}
	one.press("End")
	one.sees("Ended. That browser is signed out.")
	one.seesNot("Sign out everywhere else")
	two.waitFor("This session has ended")
	two.looksRight("the live page, ended")
	two.press("Packing list")
	two.sees("Any name will do")
	two.enter("Name", "Ann")
	two.press("Sign in")
	one.reload()
	one.press("Sign out everywhere else")
	one.sees("You are signed out everywhere else.")
	two.press("Devices")
	two.sees("Please sign in first.", "Any name will do")
}

func signsOut(b *tab) {
	b.press("Sign out")
	b.sees("You have signed out.", "Any name will do")
	b.looksRight("signed out")
	b.reload()
	b.seesNot("You have signed out.")
}

// TestWithoutJavaScript uses the demo with scripts turned off.
func TestWithoutJavaScript(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, "nethttp"))
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open()
	b.enter("Name", "Ann")
	b.press("Sign in")
	b.sees("Welcome, Ann.")
	b.enter("What to pack", "Map")
	b.press("Pack")
	b.sees("Packed 1 × Map.")
	b.press("Live")
	b.sees("Without JavaScript, the message waits")
	b.press("Start a job")
	for deadline := time.Now().Add(patience); !strings.Contains(b.text(), "The job has finished"); {
		if time.Now().After(deadline) {
			t.Fatal("the message of the job does not come")
		}
		time.Sleep(200 * time.Millisecond) // like a person between two looks
		b.press("Packing list")
	}
}

// TestCookieStore checks what the pages say where sessions are in cookies.
func TestCookieStore(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, "nethttp", "-store", "cookie:"))
	b.open()
	b.enter("Name", "Ann")
	b.press("Sign in")
	b.sees("in your cookie")
	b.press("Devices")
	b.sees("the server has no list of them")
	b.looksRight("the devices, without a list")
	b.press("Live")
	b.sees("no job can reach it")
	b.looksRight("the live page, without messages")
}
