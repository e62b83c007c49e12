package filestore

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// writeHolder writes to f who holds the lock.
func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// lockedBy returns the error that names the holder of the lock.
func lockedBy(path string) error {
	raw, _ := os.ReadFile(path) //nolint:gosec // the application chooses where
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	switch {
	case err != nil:
		return fmt.Errorf("%w: another process holds the lock %s: end it first, or choose another directory", ErrLocked, path)
	case pid == os.Getpid():
		return fmt.Errorf("%w: this process holds the lock %s: open the directory once and share the Store", ErrLocked, path)
	}
	return fmt.Errorf("%w: process %d holds the lock %s: end it first, or choose another directory", ErrLocked, pid, path)
}
