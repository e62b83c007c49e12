//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package filestore

import (
	"fmt"
	"runtime"
)

// lock refuses: on this system nothing is known that ends with the process.
func lock(string) (unlock func() error, err error) {
	return nil, fmt.Errorf("files cannot be locked on %s: use another store", runtime.GOOS)
}
