package browser

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

// TestF1PagesFetchedInAdvance lets Chromium fetch or render a page in advance, by
// speculation rules, while a flash is waiting, and then show that page.
func TestF1PagesFetchedInAdvance(t *testing.T) {
	for action, purpose := range map[string]string{"prefetch": "prefetch", "prerender": "prefetch;prerender"} {
		t.Run(action, func(t *testing.T) {
			site := newAdvanceSite(t, action)
			b := newTab(t, site.url)
			b.load(chromedp.Navigate(b.base + "/start"))
			b.do(chromedp.Click(`//a`)) // opens a tab without a debugger, in which Chromium prerenders too
			if got := site.await(t, site.asked); got != purpose {
				t.Errorf("the browser asks for the page with the purpose %q, want %q", got, purpose)
			}
			if got := site.await(t, site.shown); !strings.Contains(got, "the next page") || strings.Contains(got, "Saved.") {
				t.Errorf("the browser shows %q", got)
			}
			if len(site.asked) != 0 {
				t.Fatal("the browser fetched the page once more: nothing was tried")
			}
			b.load(chromedp.Navigate(b.base + "/other"))
			b.sees("Saved.")
			b.reload()
			b.seesNot("Saved.")
		})
	}
}

// advanceSite has a page that tells the browser to fetch the next one in advance, and
// then leads to it.
type advanceSite struct {
	url   string
	asked chan string // the purpose of each request for the next page
	shown chan string // the next page, as a person sees it
}

const rules = `<script type="speculationrules">{"%s":[{"urls":["/next"],"eagerness":"immediate"}]}</script>
<script>fetch("/ready").then(() => location.href = "/next")</script>`

// report tells the server what the page says once it is shown.
const report = `<script>
const report = () => fetch("/shown", {method: "POST", body: document.body.innerText})
onload = () => document.prerendering ? document.addEventListener("prerenderingchange", report) : report()
</script>`

func newAdvanceSite(t *testing.T, action string) *advanceSite {
	t.Helper()
	m, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{
		InsecureAllowHTTP: true, Observer: core.SlogObserver(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatal(err)
	}
	a := &advanceSite{asked: make(chan string, 10), shown: make(chan string, 10)}
	ready := make(chan struct{}, 10)
	page := func(w http.ResponseWriter, flashes []core.Flash, content string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for _, f := range flashes {
			content += "<p>" + f.Text
		}
		_, _ = io.WriteString(w, `<!doctype html><title>x</title><link rel=icon href="data:,">`+content)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /start", func(w http.ResponseWriter, _ *http.Request) {
		page(w, nil, "<a href=/flash target=_blank rel=noopener>Start</a>")
	})
	mux.HandleFunc("GET /flash", func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Flash("success", "Saved.")
		page(w, nil, fmt.Sprintf(rules, action))
	})
	mux.HandleFunc("GET /next", func(w http.ResponseWriter, r *http.Request) {
		a.asked <- r.Header.Get("Sec-Purpose")
		ready <- struct{}{}
		page(w, httpadapter.Session(r).Flashes(), "<p>the next page"+report)
	})
	mux.HandleFunc("GET /ready", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-ready:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /other", func(w http.ResponseWriter, r *http.Request) {
		page(w, httpadapter.Session(r).Flashes(), "<p>another page")
	})
	mux.HandleFunc("POST /shown", func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body) // an error shows as a text that is missing
		a.shown <- string(text)
	})
	server := httptest.NewServer(httpadapter.Middleware(m)(mux))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

// await returns what the browser says next.
func (a *advanceSite) await(t *testing.T, said chan string) string {
	t.Helper()
	select {
	case text := <-said:
		return text
	case <-time.After(patience):
		t.Fatal("the browser says nothing")
		return ""
	}
}
