package filestore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// noTearing makes a power cut that loses all that was not synced.
func noTearing() *rand.Rand { return rand.New(constant{}) }

type constant struct{}

func (constant) Uint64() uint64 { return 1<<64 - 1 }

// failOn makes the operations of d that ops names fail with err.
func failOn(d *simDisk, err error, ops string) {
	d.failing(func(op, _ string) error {
		if strings.Contains(ops, op) {
			return fmt.Errorf("%s: %w", op, err)
		}
		return nil
	})
}

// TestC3DiskFull fills the disk, and makes room again. TestC3DiskError has one that
// fails to sync, after which nobody knows what is on it.
func TestC3DiskFull(t *testing.T)  { testFailure(t, syscall.ENOSPC, "write create") }
func TestC3DiskError(t *testing.T) { testFailure(t, syscall.EIO, "sync") }

func testFailure(t *testing.T, cause error, ops string) {
	d, ctx := newSimDisk(), t.Context()
	s := openSim(t, d)
	for n := range 3 {
		save(t, s, n, "alice", "before")
	}
	v := save(t, s, 3, "", "before")
	failOn(d, cause, ops)
	if _, err := s.Save(ctx, sessionID(4), core.Entry{Expires: time.Now().Add(time.Hour)}, 0); !errors.Is(err, cause) {
		t.Fatalf("Save: %v, want %v", err, cause)
	}
	if err := s.Delete(ctx, sessionID(0)); !errors.Is(err, cause) {
		t.Errorf("Delete: %v, want %v", err, cause)
	}
	// The session is gone as far as this process goes, but that is no answer yet.
	if _, err := s.Load(ctx, sessionID(0)); !errors.Is(err, cause) || errors.Is(err, core.ErrNotFound) {
		t.Errorf("Load of the deleted session: %v, want %v", err, cause)
	}
	if err := s.Delete(ctx, sessionID(0)); !errors.Is(err, cause) {
		t.Errorf("Delete again: %v, want %v", err, cause)
	}
	if _, err := s.List(ctx, "alice"); !errors.Is(err, cause) {
		t.Errorf("List: %v, want %v", err, cause)
	}
	if _, err := s.Reserve(ctx, "alice", sessionID(5), 1, core.EndOldest); !errors.Is(err, cause) {
		t.Errorf("Reserve: %v, want %v", err, cause)
	}
	e, err := s.Load(ctx, sessionID(3))
	if err != nil {
		t.Errorf("Load: %v", err)
	}
	before := s.Len()
	if _, err := s.Save(ctx, sessionID(3), core.Entry{Data: []byte("refused"), Expires: e.Expires}, v); !errors.Is(err, cause) {
		t.Errorf("Save of an entry: %v, want %v", err, cause)
	}
	if now, err := s.Load(ctx, sessionID(3)); err != nil || now.Version != v || s.Len() != before {
		t.Errorf("what was refused has changed something: %v, %v", now.Version, err)
	}
	if err := s.Touch(ctx, sessionID(3), v, e.Expires.Add(time.Hour)); err != nil {
		t.Errorf("Touch: %v", err)
	}
	if _, err := s.Load(ctx, core.ID{15: 200}); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Load of no session: %v, want ErrNotFound", err)
	}

	d.failing(nil)
	eventually(t, "the store works again", func() bool { return s.Delete(ctx, sessionID(1)) == nil })
	save(t, s, 5, "", "after")
	d = d.powerCut(noTearing())
	s2 := openSim(t, d)
	if found := there(t, s2, 6); fmt.Sprint(found) != "[2 3 4 5]" {
		t.Errorf("after a power cut sessions %v are there, want 2, 3, 5 and the one whose Save failed", found)
	}
	if now, err := s2.Load(ctx, sessionID(3)); err != nil || !now.Expires.Equal(e.Expires.Add(time.Hour)) {
		t.Errorf("the touch while the disk failed is lost: %v, %v", now.Expires, err)
	}
}

// TestC3CloseReportsWhatIsNotStored closes a store whose disk is full.
func TestC3CloseReportsWhatIsNotStored(t *testing.T) {
	d := newSimDisk()
	s := openSim(t, d)
	v := save(t, s, 0, "", "x")
	failOn(d, syscall.ENOSPC, "write create")
	_ = s.Touch(t.Context(), sessionID(0), v, time.Now().Add(time.Minute)) // needs no disk
	for range 2 {
		if err := s.Close(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Close: %v, want ENOSPC", err)
		}
	}
	if _, err := s.Load(t.Context(), sessionID(0)); !errors.Is(err, ErrClosed) {
		t.Errorf("Load after Close: %v, want ErrClosed", err)
	}
}

// TestK2NobodyIsToldOfAnEndThatIsNotStored holds up the disk while a session is deleted.
// Meanwhile nobody may learn that it is gone: after a power cut it would be back.
func TestK2NobodyIsToldOfAnEndThatIsNotStored(t *testing.T) {
	d, ctx := newSimDisk(), t.Context()
	s := openSim(t, d)
	v := save(t, s, 0, "alice", "x")
	syncs := make(chan struct{})
	d.failing(func(op, _ string) error {
		if op == "sync" {
			<-syncs
		}
		return nil
	})
	deleted := make(chan error)
	go func() { deleted <- s.Delete(ctx, sessionID(0)) }()
	eventually(t, "the deletion", func() bool { return s.Len() == 0 })
	for name, call := range map[string]func(context.Context) error{
		"Delete":    func(ctx context.Context) error { return s.Delete(ctx, sessionID(0)) },
		"Load":      func(ctx context.Context) error { _, err := s.Load(ctx, sessionID(0)); return err },
		"Touch":     func(ctx context.Context) error { return s.Touch(ctx, sessionID(0), v, time.Now()) },
		"Save":      func(ctx context.Context) error { _, err := s.Save(ctx, sessionID(0), core.Entry{}, v); return err },
		"List":      func(ctx context.Context) error { _, err := s.List(ctx, "alice"); return err },
		"Search":    func(ctx context.Context) error { _, err := s.Search(ctx, "alice"); return err },
		"DeleteAll": func(ctx context.Context) error { return s.DeleteAll(ctx) },
	} {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s answers %v before the deletion is synced", name, err)
		}
		cancel()
	}
	close(syncs)
	if err := <-deleted; err != nil {
		t.Errorf("Delete: %v", err)
	}
	if _, err := s.Load(ctx, sessionID(0)); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Load after the sync: %v, want ErrNotFound", err)
	}
}

// TestSavesShareSyncs: whoever waits for the disk waits together.
// TestK1NobodyReadsWhatIsNotStored holds up the disk while a session is saved: whoever read
// the new state might find the old one after a crash. Found by make chaos.
func TestK1NobodyReadsWhatIsNotStored(t *testing.T) {
	d := newSimDisk()
	s := openSim(t, d)
	v := save(t, s, 0, "", "old")
	syncs, began := make(chan struct{}), make(chan struct{}, 10)
	d.failing(func(op, _ string) error {
		if op == "sync" {
			began <- struct{}{}
			<-syncs
		}
		return nil
	})
	load := func() (core.Entry, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		return s.Load(ctx, sessionID(0))
	}
	if e, err := load(); err != nil || string(e.Data) != "old" {
		t.Fatalf("Load before: %q, %v", e.Data, err)
	}
	saved := make(chan error)
	go func() {
		_, err := s.Save(t.Context(), sessionID(0), core.Entry{Data: []byte("new"), Expires: time.Now().Add(time.Hour)}, v)
		saved <- err
	}()
	<-began
	if e, err := load(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("K1: Load answers %q, %v before the change is synced", e.Data, err)
	}
	close(syncs)
	if err := <-saved; err != nil {
		t.Error(err)
	}
	if e, err := load(); err != nil || string(e.Data) != "new" {
		t.Errorf("Load after: %q, %v", e.Data, err)
	}
}

func TestSavesShareSyncs(t *testing.T) {
	d := newSimDisk()
	s := openSim(t, d)
	hold := make(chan struct{})
	d.failing(func(op, _ string) error {
		if op == "sync" {
			<-hold
		}
		return nil
	})
	before, done := d.syncs, make(chan error)
	const saves = 100
	for n := range saves {
		go func() {
			_, err := s.Save(t.Context(), sessionID(n), core.Entry{Expires: time.Now().Add(time.Hour)}, 0)
			done <- err
		}()
	}
	eventually(t, "all saves", func() bool { return s.Len() == saves })
	close(hold)
	for range saves {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := d.syncs - before; n > 10 {
		t.Errorf("%d syncs for %d saves at once", n, saves)
	}
}

// TestSizeOfFiles: however long a store is used, its files are less than three times what
// its sessions need.
func TestSizeOfFiles(t *testing.T) {
	d := newSimDisk()
	s := openSim(t, d)
	const sessions, rounds = 2000, 12
	e := core.Entry{Data: make([]byte, 400), Expires: time.Now().Add(time.Hour)}
	versions := make([]core.Version, sessions)
	live, most := int64(0), atomic.Int64{}
	d.failing(func(string, string) error {
		var size int64
		for _, inode := range d.names {
			size += int64(len(inode.data))
		}
		most.Store(max(most.Load(), size))
		return nil
	})
	for round := range rounds {
		for n := range versions {
			v, err := s.Save(t.Context(), sessionID(n), e, versions[n])
			if err != nil {
				t.Fatal(err)
			}
			versions[n] = v
			if n%50 == 0 { // as if snapshots were fast
				eventually(t, "a snapshot", func() bool { return !s.due() })
			}
		}
		if round == 0 {
			live = s.memory.Size()
			most.Store(0)
		}
	}
	if most.Load() > 3*live {
		t.Errorf("the files had %d bytes for %d of sessions", most.Load(), live)
	}
	t.Logf("the files had at most %.2f times the bytes of the sessions", float64(most.Load())/float64(live))
	if err := s.DeleteAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "small files after DeleteAll", func() bool { return d.bytes() < 2*swift.slack })
}
