package house

import (
	"regexp"
	"strings"
)

// relative matches a link to a page beside docs/README.md.
var relative = regexp.MustCompile(`\]\(([a-z][^):]*)\)`)

// LLMs returns llms.txt (https://llmstxt.org) for a repository: what readme says it is, in its
// first paragraph, and the pages that index, docs/README.md, names.
func LLMs(readme, index string) string {
	title, rest, _ := strings.Cut(readme, "\n\n")
	about, _, _ := strings.Cut(rest, "\n\n")
	_, pages, _ := strings.Cut(index, "\n\n")
	return title + "\n\n> " + strings.ReplaceAll(about, "\n", "\n> ") + "\n\n" + relative.ReplaceAllString(pages, "](docs/$1)")
}
