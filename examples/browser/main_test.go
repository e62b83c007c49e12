package browser

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/satchel-go/satchel/examples/internal/chromium"
	"github.com/satchel-go/satchel/examples/internal/runtest"
)

var frameworks = []string{"nethttp", "echo5", "echo", "gin", "fiber3", "fiber"}

// programs are the demo in each framework, built together by the first test
// that needs one.
var programs struct {
	once   sync.Once
	folder string
	err    error
}

// start starts the demo on a framework and returns its address.
func start(t *testing.T, framework string, args ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and starts programs")
	}
	if _, err := chromium.Find(); err != nil { // before a build that takes a minute
		t.Fatal(err)
	}
	programs.once.Do(func() {
		programs.folder, programs.err = os.MkdirTemp("", "satchel-demo-") //nolint:usetesting // it outlives this test
		if programs.err != nil {
			return
		}
		var folders []string
		for _, f := range frameworks {
			folders = append(folders, "../"+f)
		}
		programs.err = runtest.BuildTo(context.Background(), programs.folder+"/", folders...)
	})
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	return runtest.Start(t, filepath.Join(programs.folder, framework), append(args, "-addr", "localhost:0")...).URL
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.stop != nil {
		shared.stop()
	}
	if programs.folder != "" {
		_ = os.RemoveAll(programs.folder) // programs still in use are killed
	}
	os.Exit(code)
}
