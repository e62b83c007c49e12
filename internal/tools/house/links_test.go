package house

import (
	"os"
	"slices"
	"testing"
	"testing/fstest"
)

func TestLinks(t *testing.T) {
	dead, err := DeadLinks(os.DirFS("../../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range dead {
		t.Error(link)
	}
}

func TestDeadLinks(t *testing.T) {
	repo := fstest.MapFS{
		"README.md":  {Data: []byte("# Top\n[a](docs/a.md) [b](docs/a.md#one-two) [c](docs/b.md) [d](#top) [e](#low) [f](docs/a.md#three) [g](https://example.com/x)\n```\n[h](gone)\n```\n")},
		"docs/a.md":  {Data: []byte("## One, two\n<a id=\"here\"></a> [x](../README.md#top) [y](#here) <img src=\"no.png\">\n")},
		"tmp/bad.md": {Data: []byte("[z](gone)")},
	}
	got, err := DeadLinks(repo)
	want := []string{"README.md: docs/b.md: no such file", "README.md: #low: no such heading", "README.md: docs/a.md#three: no such heading", "docs/a.md: no.png: no such file"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
}
