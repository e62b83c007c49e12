package house_test

import (
	"flag"
	"os"
	"testing"

	"github.com/satchel-go/satchel/internal/tools/house"
)

var update = flag.Bool("update", false, "write llms.txt")

func TestLLMs(t *testing.T) {
	read := func(name string) string {
		data, err := os.ReadFile("../../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	want := house.LLMs(read("README.md"), read("docs/README.md"))
	if *update {
		if err := os.WriteFile("../../../llms.txt", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if read("llms.txt") != want {
		t.Error("llms.txt is not what docs/README.md says: run make llms")
	}
}

func TestLLMsPutsPagesIntoDocs(t *testing.T) {
	got := house.LLMs("# Name\n\nOne.\nTwo.\n\nMore.\n", "# Index\n\n## Start\n\n- [A](a.md): first, beside [b](b/c.md)\n- [Else](https://example.com)\n")
	want := "# Name\n\n> One.\n> Two.\n\n## Start\n\n- [A](docs/a.md): first, beside [b](docs/b/c.md)\n- [Else](https://example.com)\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}
