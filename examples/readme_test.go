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

// backendSetup wraps the expressions of the README's first table in a program.
const backendSetup = `package main

import (
	"os"

	"github.com/gorilla/sessions"
	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

func main() {
	%s
	cookieStore := sessions.NewCookieStore(nil, nil)
	_, _ = keys, client
	backends := []core.Backend{
		%s,
	}
	_, _ = backends, err
}
`

// handlers wraps the README's lines that set and show a flash in a program.
const handlers = `package main

import (
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/echov5adapter"
)

func main() {
	var backend core.Backend
	sessions, err := core.New(backend, core.Config{})
	e := echo.New()
	%s
	_ = err
}
`

// TestReadmeCompiles compiles the programs and handlers in the README, and the line that sets up each backend.
func TestReadmeCompiles(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	var programs, fragments []string
	for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme, -1) {
		if strings.HasPrefix(block[1], "package ") {
			programs = append(programs, block[1])
		} else {
			fragments = append(fragments, fmt.Sprintf(handlers, block[1]))
		}
	}
	if len(programs) != 4 || len(fragments) != 1 {
		t.Errorf("the README has %d programs and %d fragments, want one for each framework and 1", len(programs), len(fragments))
	}
	programs = append(programs, fragments...)
	var backends []string
	for _, row := range regexp.MustCompile("(?m)^\\| (?:cookie|Redis|memory).*? \\| `(.*?)` \\|").FindAllStringSubmatch(readme, -1) {
		backends = append(backends, row[1])
	}
	if len(backends) != 5 {
		t.Errorf("%d backends in the README's table, want 5: %q", len(backends), backends)
	}
	var clients []string
	for _, line := range regexp.MustCompile("`((?:keys|client), err := .*?)`").FindAllStringSubmatch(readme, -1) {
		clients = append(clients, line[1])
	}
	programs = append(programs, fmt.Sprintf(backendSetup, strings.Join(clients, "\n\t"), strings.Join(backends, ",\n\t\t")))
	compile(t, programs)
}

// TestWhyWasILoggedOutCompiles compiles the programs that mount the page.
func TestWhyWasILoggedOutCompiles(t *testing.T) {
	text, err := os.ReadFile("../docs/why-was-i-logged-out.md")
	if err != nil {
		t.Fatal(err)
	}
	var programs []string
	for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		programs = append(programs, block[1])
	}
	if len(programs) != 4 {
		t.Errorf("%d programs, want one for each framework", len(programs))
	}
	compile(t, programs)
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
