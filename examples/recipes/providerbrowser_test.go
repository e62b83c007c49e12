package recipes

import (
	"context"
	"html"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/satchel-go/satchel/examples/internal/chromium"
)

// TestProviderChromium goes through the login in a real browser, which has its
// own SameSite rules; those of siteJar are ours.
func TestProviderChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser, err := chromium.Find()
	if err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	profile, err := os.MkdirTemp("", "recipes") //nolint:usetesting // TempDir fails if a browser's child still writes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	p := newIDP(t) // at 127.0.0.1: localhost is another site
	base := startProvider(t, p, 0, "localhost", providerBackends["jwt"](t), oauth2.SetAuthURLParam("response_mode", "form_post")).base
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+profile, "--ignore-certificate-errors", "--virtual-time-budget=10000", "--dump-dom", base+"/login/").Output()
	if want := `{"flashes":[],"user":"` + p.URL + ` ada"}`; err != nil || !strings.Contains(html.UnescapeString(string(out)), want) {
		t.Errorf("the browser shows %s, want %s: %v", out, want, err)
	}
}
