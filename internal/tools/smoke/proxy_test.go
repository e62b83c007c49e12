package main

import (
	"maps"
	"testing"
)

func TestFilesOf(t *testing.T) {
	files := []string{
		"LICENSE", "go.mod", "core/core.go", "core/gorillastore/go.mod",
		"core/gorillastore/sub/x.go", "core/gorillastorex/x.go", "examples/go.mod",
		"examples/LICENSE", "examples/vendor/x/x.go", "bench/go.mod", "bench/bench_test.go",
	}
	for dir, want := range map[string]map[string]string{
		"": {
			"LICENSE": "LICENSE", "go.mod": "go.mod", "core/core.go": "core/core.go",
			"core/gorillastorex/x.go": "core/gorillastorex/x.go",
		},
		"core/gorillastore": {
			"LICENSE": "LICENSE", "go.mod": "core/gorillastore/go.mod", "sub/x.go": "core/gorillastore/sub/x.go",
		},
		"examples": {"LICENSE": "examples/LICENSE", "go.mod": "examples/go.mod"},
	} {
		if got := filesOf(dir, files); !maps.Equal(got, want) {
			t.Errorf("files of %q: got %v, want %v", dir, got, want)
		}
	}
}
