package stores

import (
	"errors"

	"github.com/satchel-go/satchel/core/filestore"
)

// newFile opens the directory that follows file: in a URL.
func newFile(dir string) (*filestore.Store, error) {
	interval, dir, err := duration(dir, "sweep", 0)
	if err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, errors.New("want a directory, such as file:/var/lib/app/sessions")
	}
	return filestore.Open(dir, filestore.Config{SweepInterval: interval})
}
