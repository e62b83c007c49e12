package filestore

import (
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// files is the directory of a store. What is written survives a power cut only after
// the Sync of its file, and names only after SyncDir.
type files interface {
	Create(name string) (file, error) // for writing, empty
	Append(name string) (file, error) // for writing at the end
	Open(name string) (file, error)   // for reading
	Rename(from, to string) error
	Remove(name string) error
	List() ([]string, error)
	SyncDir() error
}

// file is an open file of a store.
type file interface {
	io.ReadWriteCloser
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
}

// Names of files. Others are not the store's.
const (
	lockName   = "lock"
	logPrefix  = "log-"
	snapPrefix = "snapshot-"
	tempSuffix = ".tmp"
)

func logName(generation uint64) string  { return logPrefix + strconv.FormatUint(generation, 10) }
func snapName(generation uint64) string { return snapPrefix + strconv.FormatUint(generation, 10) }

// listing is what lies in a store's directory.
type listing struct {
	logs, snaps []uint64 // their generations, in order
	temps       []string
	others      []string
}

func list(dir files) (l listing, err error) {
	names, err := dir.List()
	if err != nil {
		return l, err
	}
	for _, name := range names {
		base, isTemp := strings.CutSuffix(name, tempSuffix)
		gen, isLog := generationOf(base, logPrefix)
		snapGen, isSnap := generationOf(base, snapPrefix)
		switch {
		case isTemp && (isLog || isSnap):
			l.temps = append(l.temps, name)
		case isTemp:
			l.others = append(l.others, name)
		case isLog:
			l.logs = append(l.logs, gen)
		case isSnap:
			l.snaps = append(l.snaps, snapGen)
		case name != lockName && name != "lost+found" && !strings.HasPrefix(name, "."):
			l.others = append(l.others, name)
		}
	}
	slices.Sort(l.logs)
	slices.Sort(l.snaps)
	return l, nil
}

func generationOf(name, prefix string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	gen, err := strconv.ParseUint(digits, 10, 64)
	return gen, ok && err == nil && gen > 0 && digits == strconv.FormatUint(gen, 10)
}

// create makes a file that has its name only once it has its content, which write
// puts after the header. It returns its size.
func create(dir files, name string, h header, write func(file) (int64, error)) (size int64, err error) {
	temp := name + tempSuffix
	f, err := dir.Create(temp)
	if err != nil {
		return 0, err
	}
	_, err = f.Write(h.append(nil))
	if err == nil && write != nil {
		size, err = write(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = dir.Rename(temp, name)
	}
	if err == nil {
		err = dir.SyncDir()
	}
	if err != nil {
		_ = dir.Remove(temp) // the next start removes it too
		return 0, err
	}
	return headerSize + size, nil
}

// osFiles is a directory of the operating system.
type osFiles struct{ root *os.Root }

type osFile struct{ *os.File }

func (d osFiles) Create(name string) (file, error) {
	return d.open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
}
func (d osFiles) Append(name string) (file, error) { return d.open(name, os.O_WRONLY|os.O_APPEND) }
func (d osFiles) Open(name string) (file, error)   { return d.open(name, os.O_RDONLY) }
func (d osFiles) Rename(from, to string) error     { return d.root.Rename(from, to) }
func (d osFiles) Remove(name string) error         { return d.root.Remove(name) }

func (d osFiles) open(name string, flag int) (file, error) {
	f, err := d.root.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (d osFiles) List() ([]string, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return f.Readdirnames(-1)
}

func (d osFiles) SyncDir() error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return syncDir(f)
}

// syncDir makes names last, and closes f.
func syncDir(f *os.File) error {
	var err error
	if runtime.GOOS != "windows" { // which has no such thing
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// pace is how long things wait that nobody waits for. Tests have another.
type pace struct {
	write time.Duration // records, for their frame
	retry time.Duration // the first attempt after a failure; then it doubles
	slack int64         // how many bytes larger the files may be than their sessions need, besides
}

var usualPace = pace{write: time.Second, retry: time.Second, slack: 8 << 20}
