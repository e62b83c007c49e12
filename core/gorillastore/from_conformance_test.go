package gorillastore

import (
	"testing"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
)

// newFiles returns a FilesystemStore without a limit on sizes, which is then
// the core's.
func newFiles(t testing.TB, dir string) *sessions.FilesystemStore {
	t.Helper()
	files := sessions.NewFilesystemStore(dir, pair("files")...)
	files.MaxLength(0)
	return files
}

func TestConformanceFrom(t *testing.T) {
	adaptertest.Run(t, "nethttp", httpapp.New, adaptertest.Backend{
		Name:   "gorilla-files",
		New:    func(t *testing.T) core.Backend { return From(newFiles(t, t.TempDir())) },
		Limits: FromLimits(),
	})
}
