package recipes

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/examples/internal/chromium"
)

// mobileApps are the recipe in each framework.
var mobileApps = map[string]func(web, mobile *core.Manager, spa string) any{
	"nethttp": func(w, m *core.Manager, spa string) any { return mobileNetHTTP(w, m, spa) },
	"echo":    func(w, m *core.Manager, spa string) any { return mobileEcho(w, m, spa) },
	"gin":     func(w, m *core.Manager, spa string) any { return mobileGin(w, m, spa) },
	"fiber":   func(w, m *core.Manager, spa string) any { return mobileFiber(w, m, spa) },
}

func TestMobile(t *testing.T) {
	for name, app := range mobileApps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			web, mobile, err := newWebAndMobile(memstore.New(memstore.Config{}))
			if err != nil {
				t.Fatal(err)
			}
			base := serve(t, app(web, mobile, "https://spa.example"))
			page, phone := newBrowser(t, base, nil), newBrowser(t, base, nil)
			page.post("/login", "name", "ann")
			page.get("/me").wants(200, `{"user":"ann"}`)
			challenged := func(r reply, want string) {
				t.Helper()
				if r.wants(401, `{"error":"log in"}`); r.header.Get("WWW-Authenticate") != want {
					t.Errorf("WWW-Authenticate is %q, want %q", r.header.Get("WWW-Authenticate"), want)
				}
			}
			challenged(phone.get("/api/me"), "Bearer")
			challenged(phone.get("/me"), "")
			in := phone.post("/api/login", "name", "ann")
			token := in.header.Get("Session-Token")
			if token == "" || in.header.Get("Set-Cookie") != "" {
				t.Fatalf("the login answers %v", in.header)
			}
			bearer := []string{"Authorization", "Bearer " + token}
			phone.send("GET", "/api/me", "", "", bearer...).wants(200, `{"user":"ann"}`)
			if list, err := web.List(t.Context(), "ann"); err != nil || len(list) != 2 {
				t.Errorf("%d sessions, %v; want that of the browser and that of the phone", len(list), err)
			}
			// Both Managers know how long the phone stays logged in, whatever they do with its session.
			note := func(s *core.Session) error { s.Set("noted", true); return nil }
			if err := web.UpdateUser(t.Context(), "ann", note); err != nil {
				t.Fatal(err)
			}
			for what, m := range map[string]*core.Manager{"web": web, "mobile": mobile} {
				list, err := m.List(t.Context(), "ann")
				if err != nil || len(list) != 2 {
					t.Fatalf("%s: %d sessions, %v", what, len(list), err)
				}
				browser, app := time.Until(list[0].ExpiresAt), time.Until(list[1].ExpiresAt)
				if browser > 30*time.Minute || app < 29*24*time.Hour {
					t.Errorf("T1, T2: the Manager %s ends the browser's session in %v and the phone's in %v", what, browser, app)
				}
			}
			// Neither token is worth anything where the other one belongs.
			challenged(phone.send("GET", "/me", "", "", bearer...), "")
			challenged(page.get("/api/me"), "Bearer")
			challenged(phone.send("GET", "/me", "", "", "Cookie", "__Host-session="+token), "")
			challenged(phone.send("GET", "/api/me", "", "", "Authorization", "Bearer "+page.token()), `Bearer error="invalid_token"`)

			out := phone.send("POST", "/api/logout", "", "", bearer...)
			if values := out.header.Values("Session-Token"); len(values) != 1 || values[0] != "" {
				t.Errorf("the logout answers %q", values)
			}
			challenged(phone.send("GET", "/api/me", "", "", bearer...), `Bearer error="invalid_token"`)
			page.get("/me").wants(200, `{"user":"ann"}`)
		})
	}
}

// TestMobilePage: the page shows the script that is tested.
func TestMobilePage(t *testing.T) {
	script, err := os.ReadFile("testdata/mobile.js")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(docs + "/mobile.md")
	if err != nil || !strings.Contains(string(page), "```js\n"+string(script)+"```\n") {
		t.Errorf("docs/recipes/mobile.md does not show testdata/mobile.js: %v", err)
	}
}

// TestMobileChromium has a page of another origin log in, read the header, send it and
// log out, in a real browser, whose rules for other origins are not ours.
func TestMobileChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser, err := chromium.Find()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/mobile.js")
	if err != nil {
		t.Fatal(err)
	}
	for name, app := range mobileApps {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			spa := "https://" + strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1)
			web, mobile, err := newWebAndMobile(memstore.New(memstore.Config{}))
			if err != nil {
				t.Fatal(err)
			}
			api := serve(t, app(web, mobile, spa)) + "/api"
			start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				_, _ = fmt.Fprintf(w, `<pre id="seen"></pre><script>const api = %q;
%s
(async () => {
  const seen = [];
  const look = async () => { const a = await send("GET", "/me"); seen.push(a.status + JSON.stringify(await a.json())); };
  try {
    await look();
    await send("POST", "/login", { name: "ada" });
    seen.push("token of " + token.length);
    await look();
    const old = token;
    await send("POST", "/logout");
    seen.push("token of " + token.length);
    token = old;
    await look();
  } catch (e) { seen.push(String(e)); }
  document.getElementById("seen").textContent = seen.join(" | ");
})();</script>`, api, script)
			}), overTLS(l))
			profile, err := os.MkdirTemp("", "recipes") //nolint:usetesting // TempDir fails if a browser's child still writes
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(profile) })
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			out, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
				"--user-data-dir="+profile, "--ignore-certificate-errors", "--virtual-time-budget=10000", "--dump-dom", spa+"/").Output()
			want := `401{"error":"log in"} | token of 64 | 200{"user":"ada"} | token of 0 | 401{"error":"log in"}`
			if err != nil || !strings.Contains(html.UnescapeString(string(out)), want) {
				t.Errorf("the browser shows %s, want %s: %v", out, want, err)
			}
		})
	}
}
