package filestore

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// skew is how much earlier than before the clock may be.
const skew = time.Hour

// openFiles opens the store in dir, which nobody else uses.
func openFiles(dir files, path string, c Config, p pace) (*Store, error) {
	mem, memory := memstore.Journaled(memstore.Config{
		MaxSessions: c.MaxSessions, MaxBytes: c.MaxBytes, SweepInterval: c.SweepInterval, Now: c.Now,
	})
	if err := mem.Validate(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Store{
		mem: mem, memory: memory, dir: dir, path: path, logger: c.Logger,
		log:   newLog(dir, c.Now, p),
		grown: make(chan struct{}, 1),
		stop:  make(chan struct{}), writes: make(chan struct{}), keeps: make(chan struct{}),
	}
	if err := s.read(); err != nil {
		return nil, err
	}
	memory.Attach(s.log)
	go s.log.run(s.stop, s.writes, s.lookAtSize)
	go s.keep()
	return s, nil
}

// read fills the memory from the files, and opens the last log for writing. It changes
// no file before it has read all.
func (s *Store) read() error {
	l, err := list(s.dir)
	if err != nil {
		return err
	}
	first, err := s.chain(l)
	if err != nil {
		return err
	}
	if first == 0 {
		return s.begin(1, l)
	}
	r := reading{s: s}
	if slices.Contains(l.snaps, first) {
		if s.snapshot, err = r.snapshot(snapName(first)); err != nil {
			return err
		}
	}
	last := l.logs[len(l.logs)-1]
	for gen := first; gen <= last; gen++ {
		if err := r.log(gen); err != nil {
			return err
		}
	}
	if ahead := r.written.Sub(s.log.now()); ahead > skew {
		return fmt.Errorf("%s was written at %s, which is still to come: correct the clock of this machine; "+
			"or if it was wrong before, move the directory away and all users log in again", s.path, r.written.UTC().Format(time.RFC3339))
	}
	// What was given after the last sync is unknown, and must not be given again.
	const gap = 1 << 32
	s.memory.Raise(max(r.ticks, s.memory.Raise(0)) + gap)
	s.generation, s.oldest = last, first
	if err := r.cut(); err != nil {
		return err
	}
	f, err := s.dir.Append(logName(last))
	if err != nil {
		return err
	}
	s.log.use(f, r.last)
	// A process that was killed may not have synced what was read here.
	if err := errors.Join(f.Sync(), s.dir.SyncDir()); err != nil {
		_ = f.Close() // nothing was written
		return cannotWrite(s.path, err)
	}
	s.removeBut(l, first)
	return nil
}

// chain returns the generation to begin with; 0 if there is none yet.
func (s *Store) chain(l listing) (first uint64, err error) {
	if len(l.logs)+len(l.snaps) == 0 {
		return 0, nil
	}
	first = 1
	if n := len(l.snaps); n > 0 {
		first = l.snaps[n-1]
	}
	last := first
	if n := len(l.logs); n > 0 {
		last = max(last, l.logs[n-1])
	}
	for gen := first; gen <= last; gen++ {
		if !slices.Contains(l.logs, gen) {
			return 0, &DamageError{File: s.at(logName(gen)), Err: errors.New("the file is missing")}
		}
	}
	return first, nil
}

// begin makes the log of this generation the first.
func (s *Store) begin(generation uint64, l listing) error {
	s.removeBut(l, generation)
	h := newHeader(generation, s.log.now(), 0)
	f, err := s.createLog(h)
	if err != nil {
		return cannotWrite(s.path, err)
	}
	s.log.use(f, h)
	s.generation, s.oldest = generation, generation
	return nil
}

// createLog makes an empty log and opens it.
func (s *Store) createLog(h header) (file, error) {
	if _, err := create(s.dir, logName(h.generation), h, nil); err != nil {
		return nil, err
	}
	return s.dir.Append(logName(h.generation))
}

// removeBut removes what a crash has left: files older than first, and unfinished ones.
// If that fails, the next start tries again.
func (s *Store) removeBut(l listing, first uint64) {
	for _, name := range l.temps {
		_ = s.dir.Remove(name)
	}
	for _, gen := range l.logs {
		if gen < first {
			_ = s.dir.Remove(logName(gen))
		}
	}
	for _, gen := range l.snaps {
		if gen < first {
			_ = s.dir.Remove(snapName(gen))
		}
	}
}

// at returns the path of a file, for messages.
func (s *Store) at(name string) string { return filepath.Join(s.path, name) }

// reading reads files one after the other.
type reading struct {
	s       *Store
	ticks   uint64
	written time.Time
	last    header // of the last log
	torn    []torn
}

// torn is a log whose end is to be cut off.
type torn struct {
	name       string
	good, size int64
}

// log reads a log.
func (r *reading) log(generation uint64) error {
	name := logName(generation)
	d := &decoder{to: r.s.memory}
	fr, size, err := r.file(name, generation, d)
	switch {
	case errors.Is(err, errTorn):
		r.torn = append(r.torn, torn{name, fr.good, size})
	case err != nil:
		return err
	case len(r.torn) > 0 && fr.good > headerSize:
		// The log before was not at its end: this one has gone on.
		t := r.torn[0]
		return &DamageError{File: r.s.at(t.name), Offset: t.good, Err: errTorn}
	case d.ended:
		return &DamageError{File: r.s.at(name), Offset: fr.good, Err: errMalformed}
	}
	r.last = fr.header
	r.s.log.size += size
	return nil
}

// snapshot reads a snapshot, and returns its size.
func (r *reading) snapshot(name string) (int64, error) {
	generation, _ := generationOf(name, snapPrefix)
	d := &decoder{to: r.s.memory}
	fr, size, err := r.file(name, generation, d)
	if err == nil && !d.ended {
		err = errTorn
	}
	if errors.Is(err, errTorn) {
		err = &DamageError{File: r.s.at(name), Offset: fr.good, Err: errors.New("the end is missing")}
	}
	return size, err
}

// file reads the frames of a file. Its error is errTorn, or says all.
func (r *reading) file(name string, generation uint64, d *decoder) (fr *frames, size int64, err error) {
	damage := func(at int64, err error) error { return &DamageError{File: r.s.at(name), Offset: at, Err: err} }
	f, err := r.s.dir.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	if size, err = f.Size(); err != nil {
		return nil, 0, err
	}
	fr, err = openFrames(f, size)
	switch {
	case errors.Is(err, core.ErrNewerVersion):
		return nil, 0, fmt.Errorf("%s: %w: start the newer release again, or move the directory away and all users log in again", r.s.at(name), err)
	case err != nil:
		return nil, 0, damage(0, err)
	case fr.header.generation != generation:
		return nil, 0, damage(0, fmt.Errorf("it is generation %d, renamed", fr.header.generation))
	}
	r.ticks = max(r.ticks, fr.header.ticks)
	for {
		at := fr.good
		records, err := fr.next()
		if err == nil {
			err = d.read(records)
		}
		if fr.written.After(r.written) {
			r.written = fr.written
		}
		switch {
		case errors.Is(err, io.EOF) && fr.good == size:
			return fr, size, nil
		case errors.Is(err, errTorn):
			return fr, size, errTorn
		case errors.Is(err, errDamage), errors.Is(err, errMalformed):
			return fr, size, damage(at, err)
		case err != nil:
			return fr, size, fmt.Errorf("%s: read: %w", r.s.at(name), err)
		}
	}
}

// cut cuts off what a power cut has left of the last frame.
func (r *reading) cut() error {
	for _, t := range r.torn {
		f, err := r.s.dir.Append(t.name)
		if err != nil {
			return err
		}
		err = f.Truncate(t.good)
		if err == nil {
			err = f.Sync()
		}
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
		r.s.log.size -= t.size - t.good
		r.s.warn(slog.LevelWarn, "the last write before a crash was not finished, and is cut off; it was not reported as stored",
			slog.String("file", t.name), slog.Int64("offset", t.good), slog.Int64("bytes", t.size-t.good))
	}
	return nil
}
