package filestore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core"
)

// slots is how many groups of sessions the log tells apart, by their ID.
const slots = 256

// mostSpare is the largest buffer that is kept for later frames.
const mostSpare = 1 << 20

// log is the journal of a store's memory. It gathers records, and one goroutine
// writes what was gathered as a frame and syncs it: so all who wait meanwhile share
// one sync.
//
// When a frame cannot be written or synced, the log has failed. It takes no more
// records, because what is then on disk is unknown. A new snapshot, which needs none
// of it, ends that; see [Store.repair].
type log struct {
	dir  files
	now  func() time.Time
	pace pace

	// Records are numbered. Who waits for one waits until that number is synced.
	// last has, for each slot, the last record that somebody may wait for.
	synced atomic.Uint64
	last   [slots]atomic.Uint64
	failed atomic.Bool // err is not nil

	mu       sync.Mutex // taken under the memory's locks
	err      error      // why the log has failed, nil if it has not
	deaf     bool       // records are not kept: the log has failed and no snapshot is under way
	gathered encoder    // room for the frame's head, then records
	number   uint64     // of the last record
	batch    *batch     // of the records in gathered
	written  *batch     // of the frame that is being written, nil if none is
	until    uint64     // the last record in it
	spare    []byte

	io   sync.Mutex // held while a frame is written, and while the file changes
	file file
	head header
	size int64 // of all logs since the last snapshot

	urgent  chan struct{} // somebody waits
	failing chan struct{} // the log has failed just now
}

// batch is the records of one frame.
type batch struct {
	done chan struct{} // closed when they are synced, or never will be
	err  error
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

func newLog(dir files, now func() time.Time, p pace) *log {
	l := &log{
		dir: dir, now: now, pace: p, batch: newBatch(),
		urgent: make(chan struct{}, 1), failing: make(chan struct{}, 1),
	}
	l.gathered.buf = make([]byte, frameSize)
	return l
}

// Put implements [journal.Journal], as do the other methods.
func (l *log) Put(id core.ID, e core.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.takes() {
		l.gathered.Put(id, e)
	}
	l.awaited(id)
}

func (l *log) Touch(id core.ID, v core.Version, expires time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.takes() {
		l.gathered.Touch(id, v, expires)
	}
}

func (l *log) Delete(id core.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.takes() {
		l.gathered.Delete(id)
	}
	l.awaited(id)
}

// Expire is not waited for: if it is lost, the entry is still expired.
func (l *log) Expire(id core.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.takes() {
		l.gathered.Expire(id)
	}
}

func (l *log) DeleteAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.takes() {
		l.gathered.DeleteAll()
	}
	for i := range l.last {
		l.last[i].Store(l.number)
	}
}

func (l *log) Member(user string, id core.ID, tick uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.takes() {
		l.gathered.Member(user, id, tick)
	}
	l.awaited(id)
}

func (l *log) Release(user string, id core.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.takes() {
		l.gathered.Release(user, id)
	}
}

func (l *log) Mark(user string, tick uint64, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.takes() {
		l.gathered.Mark(user, tick, until)
	}
}

// takes numbers a record and reports whether the log keeps it. If it does not, the
// number stays unsynced until a snapshot has what the record would have said.
func (l *log) takes() bool {
	l.number++
	return !l.deaf
}

// awaited notes that somebody may wait for the last record, which is of id.
func (l *log) awaited(id core.ID) { l.last[id[len(id)-1]].Store(l.number) }

// sync waits until what was told of id, and is waited for, is on disk.
func (l *log) sync(ctx context.Context, id core.ID) error {
	return l.wait(ctx, l.last[id[len(id)-1]].Load())
}

// syncAll is sync for all sessions.
func (l *log) syncAll(ctx context.Context) error {
	var number uint64
	for i := range l.last {
		number = max(number, l.last[i].Load())
	}
	return l.wait(ctx, number)
}

// wait waits until this record is on disk.
func (l *log) wait(ctx context.Context, number uint64) error {
	if l.synced.Load() >= number {
		return nil
	}
	l.mu.Lock()
	if l.synced.Load() >= number {
		l.mu.Unlock()
		return nil
	}
	if l.err != nil {
		defer l.mu.Unlock()
		return l.err
	}
	b := l.batch
	if l.written != nil && number <= l.until {
		b = l.written
	}
	l.mu.Unlock()
	wake(l.urgent)
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wake leaves word in a channel of capacity 1.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// check returns why nothing can be stored, nil if it can.
func (l *log) check() error {
	if !l.failed.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// run writes frames until stop is closed: at once if somebody waits, else after a
// while.
func (l *log) run(stop <-chan struct{}, done chan<- struct{}, after func()) {
	defer close(done)
	ticker := time.NewTicker(l.pace.write)
	defer ticker.Stop()
	for {
		select {
		case <-l.urgent:
		case <-ticker.C:
		case <-stop:
			return
		}
		l.commit(false)
		after()
	}
}

// commit writes and syncs one frame of what was gathered. Without records it writes
// none, unless empty is set.
func (l *log) commit(empty bool) {
	l.io.Lock()
	defer l.io.Unlock()
	l.mu.Lock()
	if l.err != nil || len(l.gathered.buf) == frameSize && !empty {
		l.mu.Unlock()
		return
	}
	frame, number, b := l.gathered.buf, l.number, l.batch
	l.written, l.until = b, number
	l.batch = newBatch()
	l.gathered.buf = append(l.spare[:0], make([]byte, frameSize)...)
	l.spare = nil
	l.mu.Unlock()

	l.head.seal(frame, l.now())
	_, err := l.file.Write(frame)
	if err == nil {
		err = l.file.Sync()
	}
	l.size += int64(len(frame))

	l.mu.Lock()
	defer l.mu.Unlock()
	l.written = nil
	if err != nil {
		l.fail(fmt.Errorf("the log cannot be written: %w", err))
		b.err = l.err
	} else {
		l.synced.Store(number)
	}
	if cap(frame) <= mostSpare {
		l.spare = frame
	}
	close(b.done)
}

// fail lets everybody who waits know, and from now on everybody who asks. The caller
// holds mu.
func (l *log) fail(err error) {
	l.err, l.deaf = err, true
	l.failed.Store(true)
	l.drop(err)
	wake(l.failing)
}

// drop drops what was gathered, and tells who waits for it.
func (l *log) drop(err error) {
	l.gathered.buf = l.gathered.buf[:frameSize]
	l.batch.err = err
	close(l.batch.done)
	l.batch = newBatch()
}

// listen keeps records again, although the log has failed: a snapshot begins. It
// returns the number of the last record that the snapshot will have.
func (l *log) listen() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf = false
	return l.number
}

// ignore is the opposite of listen: there is no snapshot.
func (l *log) ignore() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf = true
	l.drop(l.err)
}

// use makes f the log's file. The caller holds io.
func (l *log) use(f file, h header) {
	if l.file != nil {
		_ = l.file.Close() // all that matters is synced
	}
	l.file, l.head = f, h
}

// recovered ends a failure: everything up to this record is on disk.
func (l *log) recovered(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = nil
	l.failed.Store(false)
	l.synced.Store(number)
	wake(l.urgent)
}

// close writes what is left and an empty frame, which shows that the one before was
// synced. Whoever asks from now on is told err.
func (l *log) close(err error) error {
	l.commit(true)
	l.io.Lock()
	defer l.io.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	failed := l.err
	if failed == nil {
		l.fail(err)
	}
	if closeErr := l.file.Close(); failed == nil {
		failed = closeErr
	}
	return failed
}
