package filestore

import "syscall"

// networks are the file systems, by the number that statfs tells, that other machines
// or programs provide.
var networks = map[uint32]string{
	0x6969:     "NFS",
	0x517b:     "SMB",
	0xff534d42: "CIFS",
	0xfe534d42: "SMB",
	0x65735546: "FUSE",
	0x01021997: "9p",
	0x5346414f: "AFS",
	0x00c36400: "Ceph",
	0x0bd00bd0: "Lustre",
	0x01161970: "GFS2",
	0x7461636f: "OCFS2",
	0x564c:     "NCP",
	0x73757245: "Coda",
}

// networkOf returns the name of the file system that dir is on if another machine or a
// program provides it, else "".
func networkOf(dir string) string {
	var stat syscall.Statfs_t
	if syscall.Statfs(dir, &stat) != nil {
		return ""
	}
	return networks[uint32(stat.Type)]
}
