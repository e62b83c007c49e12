package examples

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// migrationGuide wraps the functions of the guide in a program.
const migrationGuide = `package main

import (
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/sealed"
)

func main() {
	_, _ = openSessions, toEncrypted
}

`

// TestGuideChangingTheBackendCompiles compiles the functions in the guide.
func TestGuideChangingTheBackendCompiles(t *testing.T) {
	text, err := os.ReadFile("../docs/changing-the-backend.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, block[1])
	}
	compile(t, []string{migrationGuide + strings.Join(blocks, "\n")})
}
