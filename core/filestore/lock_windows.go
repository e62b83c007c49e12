package filestore

import (
	"errors"
	"os"
	"syscall"
)

// sharingViolation is Windows's ERROR_SHARING_VIOLATION.
const sharingViolation = syscall.Errno(32)

// lock makes this process the only one that uses the directory of the file at path: it
// opens that for writing, and lets others only read it. The system closes it with the
// process, however that ends.
func lock(path string) (unlock func() error, err error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	handle, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, syscall.FILE_SHARE_READ, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, sharingViolation) {
		return nil, lockedBy(path)
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(handle), path)
	if err := writeHolder(f); err != nil {
		_ = f.Close() // the other error says more
		return nil, err
	}
	return f.Close, nil
}
