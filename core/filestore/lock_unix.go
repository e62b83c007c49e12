//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lock makes this process the only one that uses the directory of the file at path. The
// kernel ends the lock with the process, however that ends. The directory is locked too,
// because people remove the file when they take it for a leftover.
func lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the application chooses where
	if err != nil {
		return nil, err
	}
	dir, err := os.Open(filepath.Dir(path)) //nolint:gosec // as above
	if err != nil {
		_ = f.Close() // the other error says more
		return nil, err
	}
	unlock = func() error { return errors.Join(f.Close(), dir.Close()) }
	err = flock(f)
	if err == nil {
		if dirErr := flock(dir); errors.Is(dirErr, syscall.EWOULDBLOCK) { // NFS locks no directories
			err = dirErr
		}
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = lockedBy(path)
	}
	if err == nil {
		err = writeHolder(f)
	}
	if err != nil {
		_ = unlock() // the other error says more
		return nil, err
	}
	return unlock, nil
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
