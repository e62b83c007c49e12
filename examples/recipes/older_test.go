package recipes

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestOlderFrameworks runs the tests of the recipes on the older generation of a
// framework, with the changes that docs/adapters.md names.
func TestOlderFrameworks(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the tests again")
	}
	redirect := regexp.MustCompile(`\.Redirect\(\)\.To\((.*)\)`)
	fiber := strings.NewReplacer("gofiber/fiber/v3", "gofiber/fiber/v2", "fiber.Ctx", "*fiber.Ctx", "fiberv3adapter", "fiberadapter",
		"c.Context()", "c.UserContext()", "c.RequestCtx()", "c.Context()", "c.Bind().Body(", "c.BodyParser(",
		"TrustProxy: ", "EnableTrustedProxyCheck: ", "TrustProxyConfig: ", "TrustedProxies: ",
		"fiber.TrustProxyConfig{Proxies: []string{\"127.0.0.1\", \"::1\"}}", "[]string{\"127.0.0.1\", \"::1\"}",
		`cors.New(cors.Config{AllowOrigins: []string{spa}, AllowMethods: appMethods, AllowHeaders: appHeaders})`,
		`cors.New(cors.Config{AllowOrigins: spa, AllowMethods: "GET,POST", AllowHeaders: "Authorization,Content-Type"})`,
		`fiber.Config{AppName: "prefork"}`, "fiber.Config{Prefork: true}", ", fiber.ListenConfig{EnablePrefork: true, DisableStartupMessage: true}", "",
		`cors.Config{AllowOrigins: []string{spa}, AllowCredentials: true}`, `cors.Config{AllowOrigins: spa, AllowCredentials: true}`,
		", fiber.ListenConfig{DisableStartupMessage: true}", "", "[]string{method}", "method")
	for name, changes := range map[string]func(string) string{
		"echo v4": strings.NewReplacer("labstack/echo/v5", "labstack/echo/v4", "*echo.Context", "echo.Context",
			"echov5adapter", "echoadapter").Replace,
		"fiber v2": func(code string) string {
			return redirect.ReplaceAllString(fiber.Replace(code), ".Redirect($1, fiber.StatusSeeOther)")
		},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := filepath.Glob("*.go")
			if err != nil {
				t.Fatal(err)
			}
			dir, replaced := t.TempDir(), map[string]string{}
			for _, file := range files {
				code, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				path, err := filepath.Abs(file)
				if err != nil {
					t.Fatal(err)
				}
				replaced[path] = filepath.Join(dir, file)
				if err := os.WriteFile(replaced[path], []byte(changes(string(code))), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			overlay, err := json.Marshal(map[string]any{"Replace": replaced})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "overlay.json")
			if err := os.WriteFile(file, overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-short", "-skip", "^TestPages$", "-overlay", file, ".").CombinedOutput()
			if err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}
