package browser

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/satchel-go/satchel/examples/internal/chromium"
)

// patience is how long a step may take on a slow machine.
const patience = 30 * time.Second

// shared is one browser for all tests, started by the first one that needs it.
var shared struct {
	once sync.Once
	ctx  context.Context
	stop func()
	err  error
}

func startChromium() (context.Context, func(), error) {
	path, err := chromium.Find()
	if err != nil {
		return nil, nil, err
	}
	folder, err := os.MkdirTemp("", "satchel-chromium-")
	if err != nil {
		return nil, nil, err
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(folder),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter"),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("lang", "en"),
	)
	ctx, _ := chromedp.NewContext(allocator)
	stop := func() {
		_ = chromedp.Cancel(ctx) // waits until it has ended, if it has not yet
		end()
		_ = os.RemoveAll(folder)
	}
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, nil, fmt.Errorf("%s does not start: %w", path, err)
	}
	return ctx, stop, nil
}

// tab is a separate browser, with its own cookies, that shows one page.
type tab struct {
	*testing.T
	ctx  context.Context
	base string // the address of the application
}

func newTab(t *testing.T, base string) *tab {
	t.Helper()
	shared.once.Do(func() { shared.ctx, shared.stop, shared.err = startChromium() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	ctx, cancel := chromedp.NewContext(shared.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &tab{t, ctx, base}
	if err := chromedp.Listen(ctx, b.listen); err != nil { // and opens the tab
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	return b
}

// listen fails the test if the page has an error, breaks its own content
// security policy, or requests something from elsewhere.
func (b *tab) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.Errorf("an exception in the page: %v", e.ExceptionDetails)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			b.Errorf("the browser reports: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.base+"/") {
			b.Errorf("the page requests %s", e.Request.URL)
		}
	}
}

// run returns the result of an action.
func run[T any](b *tab, action chromedp.Action[T]) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	found, err := chromedp.Run(ctx, action)
	if err != nil {
		b.Fatal(err)
	}
	return found
}

// call sends a command of the protocol to the browser.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	return run(b, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, command, params) })
}

type (
	step = chromedp.Action[chromedp.Void]
	css  = chromedp.CSS
)

func (b *tab) do(steps ...step) { b.Helper(); run(b, chromedp.Steps(steps...)) }

// load takes steps that lead to another page, and waits for it.
func (b *tab) load(steps ...step) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		b.Fatal(err)
	}
	if response.Status != 200 {
		b.Fatalf("%s: %d", response.URL, response.Status)
	}
}

func (b *tab) open()   { b.Helper(); b.load(chromedp.Navigate(b.base + "/")) }
func (b *tab) reload() { b.Helper(); b.load(chromedp.Reload()) }

// press clicks the link or button with exactly this name, and waits for the page
// that it leads to.
func (b *tab) press(name string) {
	b.Helper()
	xpath := fmt.Sprintf(`//*[self::a or self::button][normalize-space()=%q or @aria-label=%q]`, name, name)
	b.load(chromedp.Click(xpath))
}

// enter replaces the text of a field, which it finds by its label.
func (b *tab) enter(label, text string) {
	b.Helper()
	xpath := fmt.Sprintf(`//input[@id=//label[normalize-space()=%q]/@for]`, label)
	b.do(chromedp.Clear(xpath), chromedp.SendKeys(xpath, text))
}

// value returns the text of a field.
func (b *tab) value(label string) string {
	b.Helper()
	return run(b, chromedp.Value(fmt.Sprintf(`//input[@id=//label[normalize-space()=%q]/@for]`, label)))
}

// text returns the page's visible text in one line.
func (b *tab) text() string {
	b.Helper()
	return strings.Join(strings.Fields(run(b, chromedp.Evaluate[string](`document.body.innerText`))), " ")
}

func (b *tab) sees(want ...string) {
	b.Helper()
	text := b.text()
	for _, w := range want {
		if !strings.Contains(text, w) {
			b.Fatalf("the page does not say %q:\n%s", w, text)
		}
	}
}

func (b *tab) seesNot(unwanted ...string) {
	b.Helper()
	text := b.text()
	for _, u := range unwanted {
		if strings.Contains(text, u) {
			b.Fatalf("the page says %q:\n%s", u, text)
		}
	}
}

// waitFor waits until the page says want, without reloading it.
func (b *tab) waitFor(want string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	expression := fmt.Sprintf(`document.body.innerText.includes(%q)`, want)
	if err := chromedp.Do(ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingMutation())); err != nil {
		b.Fatalf("the page never says %q: %v\n%s", want, err, b.text())
	}
}
