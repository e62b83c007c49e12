package filestore

import "syscall"

// networkOf returns the name of the file system that dir is on if another machine
// provides it, else "".
func networkOf(dir string) string {
	const local = 0x1000 // MNT_LOCAL
	var stat syscall.Statfs_t
	if syscall.Statfs(dir, &stat) != nil || stat.Flags&local != 0 {
		return ""
	}
	name := make([]byte, 0, len(stat.Fstypename))
	for _, c := range stat.Fstypename {
		if c == 0 {
			break
		}
		name = append(name, byte(c))
	}
	return string(name)
}
