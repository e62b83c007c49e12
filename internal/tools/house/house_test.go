package house

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestMapOfTheHouse(t *testing.T) {
	page, err := os.ReadFile("../../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	problems, err := Problems(string(page), os.DirFS("../../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("CONTRIBUTING.md: %s", p)
	}
}

func TestProblems(t *testing.T) {
	const page = `# Contributing

## Where things are

Text about ` + "`./...`" + ` and more.

| folder | what |
|---|---|
| ` + "`core/`" + ` | sessions |
| ` + "`core/memstore/`" + ` | memory, for ` + "`core`" + ` |
| ` + "`docs/`" + ` | the guides |

## Where is … decided?

| what | file |
|---|---|
| flash, and ` + "`Flashes`" + ` | ` + "`core/flash.go`" + ` |

## Tests

| ` + "`another/table.go`" + ` |
`
	for _, tc := range []struct {
		name     string
		old, new string // in the page
		add, del string // in the repository
		want     string
	}{
		{name: "true"},
		{name: "folder gone", del: "docs/guide.md", want: "docs is on the map and is no folder"},
		{name: "file gone", del: "core/flash.go", want: "core/flash.go is on the map and is no file"},
		{name: "file for a folder", old: "core/memstore/", new: "core/memstore/store.go", want: "core/memstore/store.go is on the map and is no folder"},
		{name: "folder for a file", old: "core/flash.go", new: "core/memstore", want: "core/memstore is on the map and is no file"},
		{name: "new package", add: "core/sealed/cookie.go", want: "the folder core/sealed is not on the map"},
		{name: "new test package", add: "core/sealed/cookie_test.go", want: "the folder core/sealed is not on the map"},
		{name: "new folder at the top", add: "scripts/release", want: "the folder scripts is not on the map"},
		{name: "new folder without code", add: "docs/images/list.png"},
		{name: "test data", add: "core/testdata/consumer/main.go"},
		{name: "built", add: "tmp/main.go"},
		{name: "hidden", add: ".git/config"},
		{name: "no folders", old: "## Where things are", new: "## Elsewhere", want: "names no folder"},
		{name: "no files", old: "## Where is … decided?", new: "## Elsewhere", want: "names no file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			repo := fstest.MapFS{}
			for _, name := range []string{"go.mod", "core/flash.go", "core/login.go", "core/memstore/store.go", "docs/guide.md", tc.add} {
				if name != "" && name != tc.del {
					repo[name] = &fstest.MapFile{}
				}
			}
			problems, err := Problems(strings.Replace(page, tc.old, tc.new, 1), repo)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(problems, "\n")
			if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
				t.Errorf("problems %q, want %q", got, tc.want)
			}
		})
	}
}
