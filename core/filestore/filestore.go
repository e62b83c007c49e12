// Package filestore keeps sessions in memory and in files of one directory, so that
// they survive restarts and power cuts. It is for one binary on one machine: it
// needs no server, and reads as fast as package memstore.
//
//	store, err := filestore.Open("/var/lib/app/sessions", filestore.Config{})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	sessions, err := core.New(core.ServerSide(store), core.Config{})
//
// # What it promises
//
// Once [Store.Save], [Store.Delete], [Store.DeleteAll] or [Store.Confirm] has returned nil, it is on disk: no crash
// and no power cut undoes it. Nobody is told of a change or an end that is not on disk either.
// [Store.Touch] does not wait: a crash may lose the touches of the last second, and their
// sessions then end that much earlier. A call that fails because of the disk may or may not have been stored.
//
// The store has every optional ability that makes sense within one process:
// [core.UserIndex], [core.Mender], [core.AllDeleter], [core.Sweeper] and [core.Counter]. A session limit is exact at every
// moment. It is bounded as a [memstore.Store] is.
//
// # One process
//
// The directory belongs to one process, and the store keeps a lock on it; Open tells a
// second one who holds it. To replace a program by a newer one, end the old
// one first. Several processes need a store in a database.
//
// # What lies in the directory
//
//	lock        who uses it
//	log-N       what has happened since snapshot N, each frame with a checksum
//	snapshot-N  all sessions at one time
//
// Session IDs are public, and tokens are not stored: reading the files is not enough
// to take over a session. Values, user names and labels are readable; see
// [github.com/satchel-go/satchel/core/sealed.Store]. The files have mode 0600, and take
// less than three times what their live sessions do, and some megabytes.
//
// # When the disk fails
//
// If the disk is full or fails, sessions can be read as memory has them, and calls that store something fail. So do
// lists, and the loading of sessions that have just ended: on the disk they may not have. A session
// that is deleted then is gone from memory, and the call returns an error: after a restart it
// might be back. The store tries again until it can write all sessions to a new
// snapshot, and then works as before.
//
// After a power cut, the end of the log may be damaged. Nothing there was reported as
// stored, so Open cuts it off. Damage anywhere else is a [DamageError]: to skip a part of the log might bring
// back sessions that were ended.
package filestore

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/journal"
	"github.com/satchel-go/satchel/core/memstore"
)

var (
	// ErrFull means that a session was not stored because the store is at the bounds
	// of its [Config]. Sessions already in the store keep working.
	ErrFull = memstore.ErrFull

	// ErrClosed means that the store was used after [Store.Close].
	ErrClosed = memstore.ErrClosed

	// ErrLocked means that another process, or another Store of this one, uses the
	// directory.
	ErrLocked = errors.New("the directory is in use")
)

// DamageError says where a file of a store is damaged. It matches [core.ErrCorrupt].
// To go on, put back the whole directory from a backup; or move it away, which ends
// all sessions.
type DamageError struct {
	File   string // its path
	Offset int64  // up to here it is whole, in bytes
	Err    error  // what is wrong there
}

// Error implements error.
func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %v: put back the directory from a backup, or move it away and all users log in again",
		e.File, e.Offset, e.Err)
}

// Unwrap returns [core.ErrCorrupt] and Err.
func (e *DamageError) Unwrap() []error { return []error{core.ErrCorrupt, e.Err} }

// Config says how a [Store] keeps sessions. The zero value works.
type Config struct {
	// MaxSessions is the maximum number of sessions. Default 1,000,000. Sessions
	// that are in the directory are kept even if they are more.
	MaxSessions int

	// MaxBytes is the maximum memory for sessions, in bytes; see
	// [memstore.Config.MaxBytes]. Default 256 MiB.
	MaxBytes int64

	// SweepInterval is the time between two background removals of expired
	// sessions. Default 1 minute. If it is negative, there are none: expired
	// sessions then stay, unreadable, until the store is full or [Store.Sweep] is
	// called.
	SweepInterval time.Duration

	// AllowNetwork accepts a directory on a file system of another machine, or one
	// that a program provides: NFS, SMB, FUSE and the like. There it is up to others
	// whether a second process is kept out, and whether what was stored survives.
	AllowNetwork bool

	// Logger is told of failures of the disk, and of what Open has cut off. Default
	// what [slog.Default] returns at the time.
	Logger *slog.Logger

	// Now tells the time. Default [time.Now]. It is for tests. Many goroutines call
	// it, and it must not call the store.
	Now func() time.Time
}

// Store is a [core.Store] in memory and files. Make it with [Open]. It is safe for
// concurrent use.
type Store struct {
	mem    *memstore.Store
	memory journal.Memory
	log    *log
	dir    files
	path   string // for messages
	logger *slog.Logger

	// Both are for the goroutine that makes snapshots, and for Open before.
	generation uint64 // of the log
	oldest     uint64 // of the oldest file

	snapshot int64         // size of the last one, or 0; guarded by log.io
	grown    chan struct{} // a snapshot is due

	stop    chan struct{} // closed by Close
	writes  chan struct{} // closed when log.run has returned
	keeps   chan struct{} // closed when keep has returned
	closing sync.Once
	closed  error // what Close returns
	release func() error
}

var (
	_ core.Store      = (*Store)(nil)
	_ core.UserIndex  = (*Store)(nil)
	_ core.Mender     = (*Store)(nil)
	_ core.AllDeleter = (*Store)(nil)
	_ core.Sweeper    = (*Store)(nil)
	_ core.Counter    = (*Store)(nil)
	_ core.Local      = (*Store)(nil)
)

// Open returns a store with the sessions that are in dir, a directory of its own,
// which it makes if there is none. Close the store before the program ends.
//
// It reads everything, about a million sessions in a few seconds. It refuses, and
// changes nothing in, a directory
//
//   - that another process uses ([ErrLocked]), or that cannot be written;
//   - on a network, unless Config.AllowNetwork is set;
//   - with other files and none of its own;
//   - that is damaged ([DamageError]), or that a newer release has written
//     ([core.ErrNewerVersion]);
//   - that was written more than an hour later than it is now: then the clock is
//     wrong, and expired sessions would be valid again.
func Open(dir string, c Config) (*Store, error) {
	s, err := open(dir, c)
	if err != nil {
		return nil, fmt.Errorf("filestore: open: %w", err)
	}
	return s, nil
}

func open(dir string, c Config) (*Store, error) {
	if dir == "" {
		return nil, errors.New("the directory has no name: choose one, such as /var/lib/app/sessions")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, cannotWrite(dir, err)
	}
	if !c.AllowNetwork {
		if name := networkOf(dir); name != "" {
			return nil, fmt.Errorf("%s is on %s, where a power cut may lose sessions, and bring back others: "+
				"choose a directory on a disk of this machine, or accept it with Config.AllowNetwork", dir, name)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, cannotWrite(dir, err)
	}
	if err := onlyOurs(osFiles{root}, dir); err != nil {
		_ = root.Close() // nothing was done
		return nil, err
	}
	unlock, err := lock(filepath.Join(dir, lockName))
	if err != nil {
		_ = root.Close() // nothing was done
		if errors.Is(err, ErrLocked) {
			return nil, err
		}
		return nil, cannotWrite(dir, err)
	}
	release := func() error { return errors.Join(unlock(), root.Close()) }
	s, err := openFiles(osFiles{root}, dir, c, usualPace)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	s.release = release
	return s, nil
}

func cannotWrite(dir string, err error) error {
	return fmt.Errorf("%s cannot be used: give this process a directory that it owns and can write: %w", dir, err)
}

// makeDir makes the directory and what is above it, so that they survive a power cut.
func makeDir(dir string) error {
	var missing []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, os.ErrNotExist) || d == filepath.Dir(d) { //nolint:gosec // the application chooses where
			break
		}
		missing = append(missing, d)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil { //nolint:gosec // the application chooses where
		return err
	}
	for _, d := range missing {
		f, err := os.Open(filepath.Dir(d)) //nolint:gosec // the application chooses where
		if err != nil {
			return err
		}
		if err := syncDir(f); err != nil {
			return err
		}
	}
	return nil
}

// onlyOurs refuses a directory with the files of somebody else.
func onlyOurs(dir files, path string) error {
	l, err := list(dir)
	if err != nil {
		return cannotWrite(path, err)
	}
	if len(l.logs)+len(l.snaps) == 0 && len(l.others) > 0 {
		return fmt.Errorf("%s has other files, such as %.40q, and none of a store's: choose a directory of its own", path, l.others[0])
	}
	return nil
}

// Close writes what nobody has waited for, and ends the store's goroutines. From then on
// every operation returns [ErrClosed], and another process may open the directory.
// Closing again does nothing, and returns the same: an error says that touches
// of the last second may be lost, or what was stored while the disk failed.
func (s *Store) Close() error {
	s.closing.Do(func() {
		err := s.mem.Close()
		close(s.stop)
		<-s.keeps
		<-s.writes
		err = errors.Join(err, s.log.close(fmt.Errorf("the store is gone: %w", ErrClosed)))
		if s.release != nil {
			err = errors.Join(err, s.release())
		}
		if err != nil {
			s.closed = fmt.Errorf("filestore: close: %w", err)
		}
	})
	return s.closed
}

// Len returns how many sessions are in memory, including expired ones that are not
// removed yet.
func (s *Store) Len() int { return s.mem.Len() }

// Bytes returns how many bytes the sessions count for; see [Config.MaxBytes].
func (s *Store) Bytes() int64 { return s.mem.Bytes() }

// warn writes to the log of the application.
func (s *Store) warn(level slog.Level, text string, args ...any) {
	logger := s.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Log(background, level, "filestore: "+text, append([]any{slog.String("dir", s.path)}, args...)...)
}
