package filestore

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
)

const sector = 512

var errCut = errors.New("the power is gone")

// simDisk is a directory in memory that loses at a power cut what was not synced: of
// each write any sectors, in any order, the last one torn; and of the changes of names
// any that were not synced.
type simDisk struct {
	mu     sync.Mutex
	names  map[string]*simInode // as programs see them
	synced map[string]*simInode // as they are after a power cut
	ops    []func(map[string]*simInode)
	cut    bool
	syncs  int

	// fails says whether an operation fails: write, sync, create, rename, remove, dir.
	fails func(op, name string) error
}

// simInode is the content of a file. A failed sync leaves it as programs wrote it, but
// what was not on disk never will be.
type simInode struct {
	data   []byte
	disk   []byte
	writes []simWrite // since the last sync
}

type simWrite struct {
	at       int64
	data     []byte
	truncate bool
}

func newSimDisk() *simDisk {
	return &simDisk{names: map[string]*simInode{}, synced: map[string]*simInode{}}
}

// try returns why an operation fails. The caller holds mu.
func (d *simDisk) try(op, name string) error {
	if d.cut {
		return errCut
	}
	if d.fails != nil {
		return d.fails(op, name)
	}
	return nil
}

// failing makes operations fail as f says, from now on.
func (d *simDisk) failing(f func(op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails = f
}

// powerCut ends all that happens on d, and returns what the next start finds.
func (d *simDisk) powerCut(r *rand.Rand) *simDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = true
	for _, op := range d.ops {
		if r.IntN(2) == 0 {
			op(d.synced)
		}
	}
	next := newSimDisk()
	for name, inode := range d.synced {
		found := &simInode{disk: inode.afterCut(r)}
		found.data = slices.Clone(found.disk)
		next.names[name], next.synced[name] = found, found
	}
	return next
}

func (n *simInode) afterCut(r *rand.Rand) []byte {
	disk := slices.Clone(n.disk)
	for _, w := range n.writes {
		if w.truncate {
			if r.IntN(2) == 0 {
				disk = resize(disk, w.at)
			}
			continue
		}
		likely := r.Float64()
		for from := 0; from < len(w.data); {
			at := w.at + int64(from)
			to := min(len(w.data), from+sector-int(at%sector))
			if r.Float64() < likely {
				part := w.data[from:to]
				if r.IntN(8) == 0 {
					part = part[:r.IntN(len(part)+1)]
				}
				disk = overwrite(disk, at, part)
			}
			from = to
		}
		if end := w.at + int64(len(w.data)); r.IntN(4) == 0 && end > int64(len(disk)) {
			disk = resize(disk, end) // the new size is there, the data is not
		}
	}
	return disk
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func overwrite(b []byte, at int64, data []byte) []byte {
	if end := at + int64(len(data)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[at:], data)
	return b
}

func (d *simDisk) change(op func(map[string]*simInode)) {
	op(d.names)
	d.ops = append(d.ops, op)
}

func (d *simDisk) Create(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.try("create", name); err != nil {
		return nil, err
	}
	inode := new(simInode)
	d.change(func(names map[string]*simInode) { names[name] = inode })
	return &simFile{disk: d, inode: inode, name: name}, nil
}

func (d *simDisk) Append(name string) (file, error) { return d.Open(name) }

func (d *simDisk) Open(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	inode := d.names[name]
	if err := d.try("open", name); err != nil {
		return nil, err
	}
	if inode == nil {
		return nil, fmt.Errorf("open %s: %w", name, os.ErrNotExist)
	}
	return &simFile{disk: d, inode: inode, name: name}, nil
}

func (d *simDisk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.try("rename", to); err != nil {
		return err
	}
	inode := d.names[from]
	d.change(func(names map[string]*simInode) {
		names[to] = inode
		delete(names, from)
	})
	return nil
}

func (d *simDisk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.try("remove", name); err != nil {
		return err
	}
	d.change(func(names map[string]*simInode) { delete(names, name) })
	return nil
}

func (d *simDisk) List() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.names)), d.try("list", "")
}

func (d *simDisk) SyncDir() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.try("dir", ""); err != nil {
		return err
	}
	d.synced, d.ops = maps.Clone(d.names), nil
	return nil
}

// content returns what a file has, for programs.
func (d *simDisk) content(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.names[name].data)
}

// put makes a file with this content, synced.
func (d *simDisk) put(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	inode := &simInode{data: slices.Clone(data), disk: slices.Clone(data)}
	d.names[name], d.synced[name] = inode, inode
}

// bytes returns the size of all files.
func (d *simDisk) bytes() (n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, inode := range d.names {
		n += int64(len(inode.data))
	}
	return n
}

type simFile struct {
	disk  *simDisk
	inode *simInode
	name  string
	at    int
}

func (f *simFile) Read(b []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.try("read", f.name); err != nil {
		return 0, err
	}
	if f.at == len(f.inode.data) {
		return 0, io.EOF
	}
	n := copy(b, f.inode.data[f.at:])
	f.at += n
	return n, nil
}

// Write writes at the end. If it fails, half of b is written.
func (f *simFile) Write(b []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	err := f.disk.try("write", f.name)
	if err != nil {
		b = b[:len(b)/2]
	}
	if !f.disk.cut {
		f.inode.writes = append(f.inode.writes, simWrite{at: int64(len(f.inode.data)), data: slices.Clone(b)})
		f.inode.data = append(f.inode.data, b...)
	}
	return len(b), err
}

func (f *simFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	err := f.disk.try("sync", f.name)
	if err == nil {
		f.disk.syncs++
		for _, w := range f.inode.writes {
			if w.truncate {
				f.inode.disk = resize(f.inode.disk, w.at)
			} else {
				f.inode.disk = overwrite(f.inode.disk, w.at, w.data)
			}
		}
	}
	if !f.disk.cut {
		f.inode.writes = nil
	}
	return err
}

func (f *simFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.try("write", f.name); err != nil {
		return err
	}
	f.inode.data = resize(f.inode.data, size)
	f.inode.writes = append(f.inode.writes, simWrite{at: size, truncate: true})
	return nil
}

func (f *simFile) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return int64(len(f.inode.data)), nil
}

func (f *simFile) Close() error { return nil }
