package examples

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

// mistakes are what people do on the way, in the order of the table "If it does not work"
// in docs/start.md. Each returns what they then read.
var mistakes = []func(t *testing.T) string{
	func(t *testing.T) string { return goSays(t, inModule, "off", "build", ".") },
	func(t *testing.T) string {
		proxy := httptest.NewServer(http.NotFoundHandler())
		defer proxy.Close()
		return goSays(t, inModule, proxy.URL, "mod", "tidy")
	},
	func(t *testing.T) string { return goSays(t, inWorkspace, "off", "build", "-o", os.DevNull) },
	func(*testing.T) string { _, err := sealed.ParseKeyring(""); return fmt.Sprint(err) },
	func(*testing.T) string { _, err := sealed.ParseKeyring("c2VjcmV0"); return fmt.Sprint(err) },
	func(*testing.T) string {
		_, err := goredisstore.Open("", goredisstore.Config{})
		return fmt.Sprint(err)
	},
	func(*testing.T) string {
		store, err := goredisstore.Open("redis://127.0.0.1:1", goredisstore.Config{})
		if err == nil {
			_, err = core.New(core.ServerSide(store), core.Config{})
		}
		return fmt.Sprint(err)
	},
	func(*testing.T) string { return served(func(s *core.Session, _ http.ResponseWriter) { s.Set("k", 1) }) },
	func(*testing.T) string {
		inner, outer := newManager(nil), newManager(nil)
		return panics(func() { get(httpadapter.Middleware(outer)(httpadapter.Middleware(inner)(http.NotFoundHandler()))) })
	},
	func(*testing.T) string {
		return panics(func() { get(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r) })) })
	},
	func(*testing.T) string {
		return served(func(s *core.Session, w http.ResponseWriter) {
			_, _ = w.Write([]byte("page")) // a recorder takes all
			s.Set("k", 1)
		})
	},
	func(*testing.T) string {
		return served(func(s *core.Session, _ http.ResponseWriter) { s.Set("k", func() {}) })
	},
	func(*testing.T) string {
		_, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{Lifetime: 60})
		return fmt.Sprint(err)
	},
}

func TestMistakesNameTheNextStep(t *testing.T) {
	page, err := os.ReadFile("../docs/start.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## If it does not work")
	rows := regexp.MustCompile("(?m)^\\| `(.*?)` \\| .*? \\|$").FindAllStringSubmatch(section, -1)
	if len(rows) != len(mistakes) {
		t.Fatalf("the page has %d rows, want %d", len(rows), len(mistakes))
	}
	for i, row := range rows {
		if got := mistakes[i](t); !strings.Contains(got, row[1]) {
			t.Errorf("row %d of docs/start.md: want %q in\n%s", i+1, row[1], got)
		}
	}
}

func newManager(log *slog.Logger) *core.Manager {
	m, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{Observer: core.SlogObserver(log)})
	if err != nil {
		panic(err) // which a test sees
	}
	return m
}

func get(h http.Handler) {
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), http.MethodGet, "http://shop.example/", nil))
}

// served returns what is logged when a handler does this over plain HTTP.
func served(do func(s *core.Session, w http.ResponseWriter)) string {
	var log bytes.Buffer
	m := newManager(slog.New(slog.NewTextHandler(&log, nil)))
	get(httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { do(httpadapter.Session(r), w) })))
	return log.String()
}

func panics(f func()) (said string) {
	defer func() { said = fmt.Sprint(recover()) }()
	f()
	return ""
}

// inModule is a program in a module that names no other.
var inModule = map[string]string{
	"go.mod":  "module shop\n\ngo 1.25.0\n",
	"main.go": "package main\n\nimport _ \"github.com/satchel-go/satchel/core\"\n\nfunc main() {}\n",
}

// inWorkspace is a program that the workspace builds, with the adapter of another Echo.
var inWorkspace = map[string]string{"main.go": `package main

import (
	"github.com/labstack/echo/v4"
	"github.com/satchel-go/satchel/echov5adapter"
)

func main() {
	e := echo.New()
	e.Use(echov5adapter.Middleware(nil))
}
`}

// goSays returns why the go command fails on a program.
func goSays(t *testing.T, program map[string]string, proxy string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range program {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "GOPROXY="+proxy, "GOFLAGS=")
	if program["go.mod"] == "" {
		cmd.Args = append(cmd.Args, filepath.Join(dir, "main.go"))
	} else {
		cmd.Dir, cmd.Env = dir, append(cmd.Env, "GOWORK=off")
	}
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatal("it builds")
	}
	return string(out)
}
