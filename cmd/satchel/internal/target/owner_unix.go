//go:build unix

package target

import (
	"os"
	"syscall"
)

// owner returns the user ID of a file's owner, or -1 if it is not known.
func owner(path string) int {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
