package examples

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// backendSetup wraps the expressions of the README's table in a program.
const backendSetup = `package main

import (
	"database/sql"
	"os"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/filestore"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/jwtsealer"
	"github.com/satchel-go/satchel/core/memcachedstore"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/sqlstore"
)

func main() {
	var db *sql.DB
	dir, url := "sessions", "https://app.example"
	%s
	signing := jwtsealer.FromKeyring(keys)
	_ = client
	backends := []core.Backend{
		%s,
	}
	_, _ = backends, err
}
`

// handlers wraps the README's lines in a program.
const handlers = `package main

import (
	"log"
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/echov5adapter"
)

func main() {
	%s
}
`

// TestReadmeCompiles compiles the lines in the README, and those that set up each backend.
func TestReadmeCompiles(t *testing.T) {
	readme, fragments := blocks(t, "../README.md")
	if len(fragments) != 1 {
		t.Errorf("the README has %d blocks, want 1", len(fragments))
	}
	var programs, backends, clients []string
	for _, lines := range fragments {
		programs = append(programs, fmt.Sprintf(handlers, lines))
	}
	for _, row := range regexp.MustCompile("(?m)^\\| .*? \\| `(core\\..*?)`").FindAllStringSubmatch(readme, -1) {
		backends = append(backends, row[1])
	}
	if len(backends) != 8 {
		t.Errorf("%d backends in the README's table, want 8: %q", len(backends), backends)
	}
	for _, line := range regexp.MustCompile("`((?:keys|client|store), err := .*?)`").FindAllStringSubmatch(readme, -1) {
		clients = append(clients, line[1])
	}
	compile(t, append(programs, fmt.Sprintf(backendSetup, strings.Join(clients, "\n\t"), strings.Join(backends, ",\n\t\t"))))
}

// TestProgramsCompile compiles the programs that stand in a page.
func TestProgramsCompile(t *testing.T) {
	for page, want := range map[string]int{"start": 4, "why-was-i-logged-out": 1} {
		_, programs := blocks(t, "../docs/"+page+".md")
		if len(programs) != want {
			t.Errorf("%s: %d programs, want %d", page, len(programs), want)
		}
		compile(t, programs)
	}
	_, code := blocks(t, "../docs/sql.md")
	compile(t, []string{"package main\n\n" + code[0] + "\nfunc main() { _ = openSessions }\n"})
}

// blocks returns a page and its blocks of Go.
func blocks(t *testing.T, page string) (text string, code []string) {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(b), -1) {
		code = append(code, block[1])
	}
	return string(b), code
}

// compile compiles programs as if they were packages of this module.
func compile(t *testing.T, programs []string) {
	t.Helper()
	dir := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	replace, args := map[string]string{}, []string(nil)
	for i, program := range programs {
		name := fmt.Sprint("readme", i+1)
		file := filepath.Join(dir, name+".go")
		if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(here, name, "main.go")] = file
		args = append(args, "./"+name)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"build", "-o", os.DevNull, "-overlay", file}, args...)
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
