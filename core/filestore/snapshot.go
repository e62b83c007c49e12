package filestore

import (
	"log/slog"
	"time"

	"github.com/satchel-go/satchel/core"
)

// frameGoal is how large the frames of a snapshot become.
const frameGoal = 256 << 10

// lookAtSize asks for a snapshot when one is due.
func (s *Store) lookAtSize() {
	if s.due() {
		wake(s.grown)
	}
}

// due reports whether the files are more than one and a half times what a snapshot would
// be. With that they are then less than three times, if it is written before as much
// again is saved.
func (s *Store) due() bool {
	s.log.io.Lock()
	logs, snapshot := s.log.size, s.snapshot
	s.log.io.Unlock()
	live, slack := s.memory.Size(), s.log.pace.slack
	// Live is a lower bound. A snapshot is worth its while only if much has changed.
	return logs+snapshot > live+live/2+slack && (logs > snapshot/3 || snapshot > 2*live+slack)
}

// keep makes snapshots until Close: when they are due, and when the log has failed.
func (s *Store) keep() {
	defer close(s.keeps)
	var again <-chan time.Time // when a failed attempt is repeated
	wait := s.log.pace.retry
	for {
		grown := s.grown
		if again != nil {
			grown = nil // not before
		}
		select {
		case <-s.stop:
			return
		case <-s.log.failing:
			s.warn(slog.LevelError, "nothing can be stored until the disk works again", slog.Any("err", s.log.check()))
		case <-again:
		case <-grown:
		}
		again = nil
		failed := s.log.check() != nil
		var err error
		if failed {
			err = s.repair()
		} else {
			err = s.compact()
		}
		switch {
		case err != nil:
			if !failed {
				s.warn(slog.LevelWarn, "no snapshot could be written; the log grows", slog.Any("err", err))
			}
			again = time.After(wait)
			wait = min(2*wait, 30*s.log.pace.retry)
		case failed:
			s.warn(slog.LevelInfo, "the disk works again, and everything is stored")
			fallthrough
		default:
			wait = s.log.pace.retry
		}
	}
}

// compact begins a new log, writes a snapshot of what was before it, and removes the
// older files. Traffic goes on: what changes meanwhile is in the new log, and may be
// in the snapshot too, which is the same to who reads both.
func (s *Store) compact() error {
	h := s.nextHeader()
	f, err := s.createLog(h)
	if err != nil {
		return err
	}
	l := s.log
	l.io.Lock()
	before := l.size
	l.use(f, h)
	l.io.Unlock()
	s.generation = h.generation

	size, err := s.writeSnapshot(h, func() error {
		l.commit(false) // no snapshot has what the log has not
		return l.check()
	})
	if err != nil {
		return err
	}
	l.io.Lock()
	l.size -= before
	s.snapshot = size
	l.io.Unlock()
	s.removeOlder()
	return nil
}

// repair ends a failure of the log. What its last frame is on disk nobody knows, so
// all sessions are written anew, and a new log begins. That has no frame before the
// snapshot is there: so as long as it is not, the end of the old log still is the end.
func (s *Store) repair() error {
	h := s.nextHeader()
	f, err := s.createLog(h)
	if err != nil {
		return err
	}
	l := s.log
	number := l.listen()
	size, err := s.writeSnapshot(h, nil)
	if err != nil {
		l.ignore()
		_ = f.Close() // the next attempt makes it anew
		return err
	}
	l.io.Lock()
	l.use(f, h)
	l.size = headerSize
	s.snapshot = size
	l.io.Unlock()
	s.generation = h.generation
	l.recovered(number)
	s.removeOlder()
	return nil
}

func (s *Store) nextHeader() header {
	return newHeader(s.generation+1, s.log.now(), s.memory.Raise(0))
}

// removeOlder removes the files before the newest snapshot. What it cannot remove, the
// next start does.
func (s *Store) removeOlder() {
	for gen := s.oldest; gen < s.generation; gen++ {
		_ = s.dir.Remove(logName(gen))
		_ = s.dir.Remove(snapName(gen))
	}
	s.oldest = s.generation
}

// writeSnapshot writes all sessions to the snapshot of h's generation. The last thing
// before it counts is a call of ready.
func (s *Store) writeSnapshot(h header, ready func() error) (int64, error) {
	h = newHeader(h.generation, h.written, h.ticks) // with a salt of its own
	return create(s.dir, snapName(h.generation), h, func(f file) (int64, error) {
		w := snapshotWriter{file: f, head: h, now: s.log.now, stop: s.stop}
		w.buf = make([]byte, frameSize, frameGoal+frameGoal/4)
		s.memory.Each(&w)
		w.end()
		w.flush()
		if w.err == nil && ready != nil {
			w.err = ready()
		}
		return w.size, w.err
	})
}

// snapshotWriter writes what it is told to a file, in frames.
type snapshotWriter struct {
	encoder
	file file
	head header
	now  func() time.Time
	stop <-chan struct{}
	size int64
	err  error
}

// Put implements [journal.Journal].
func (w *snapshotWriter) Put(id core.ID, e core.Entry) {
	w.encoder.Put(id, e)
	w.flushFull()
}

// Member implements [journal.Journal].
func (w *snapshotWriter) Member(user string, id core.ID, tick uint64) {
	w.encoder.Member(user, id, tick)
	w.flushFull()
}

func (w *snapshotWriter) flushFull() {
	if len(w.buf) >= frameGoal {
		w.flush()
	}
}

// flush writes a frame. After an error it does nothing.
func (w *snapshotWriter) flush() {
	select {
	case <-w.stop:
		w.err = ErrClosed
	default:
	}
	if w.err == nil {
		w.head.seal(w.buf, w.now())
		_, w.err = w.file.Write(w.buf)
		w.size += int64(len(w.buf))
	}
	w.buf = w.buf[:frameSize]
}
