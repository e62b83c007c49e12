package goredisstore_test

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// guide returns the guide on operations. The tests read its commands, rules and
// numbers, so that it cannot be wrong for long.
func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat("../../go.work"); errors.Is(err, fs.ErrNotExist) {
			t.Skip("the guide is in the repository, not in the module")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// guideBlock returns the fenced block that follows the comment <!-- name -->.
func guideBlock(t *testing.T, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(guide(t), "<!-- "+name+" -->\n\n```")
	if !found {
		t.Fatalf("docs/operations.md has no block %q", name)
	}
	_, rest, _ = strings.Cut(rest, "\n") // the language
	block, _, found := strings.Cut(rest, "\n```")
	if !found {
		t.Fatalf("docs/operations.md: the block %q has no end", name)
	}
	return block
}

// guideNumbers returns the numbers in the table row that begins with start.
func guideNumbers(t *testing.T, begin string) []int {
	t.Helper()
	_, rest, found := strings.Cut(guide(t), "\n"+begin)
	if !found {
		t.Fatalf("docs/operations.md has no line %q", begin)
	}
	line, _, _ := strings.Cut(rest, "\n")
	var numbers []int
	for _, text := range regexp.MustCompile(`\d+`).FindAllString(line, -1) {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	return numbers
}
