package filestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// sessionID returns the ID of the n-th session of a test.
func sessionID(n int) core.ID {
	return core.ID{0: 7, 8: byte(n >> 16), 9: byte(n >> 8), 15: byte(n)}
}

// save stores a session and fails the test if it cannot.
func save(t testing.TB, s *Store, n int, user, data string) core.Version {
	t.Helper()
	v, err := s.Save(background, sessionID(n), core.Entry{Data: []byte(data), User: user, Expires: s.log.now().Add(time.Hour)}, 0)
	if err != nil {
		t.Fatalf("Save: %v", err)
	}
	return v
}

// there returns which of the first n sessions s has.
func there(t testing.TB, s *Store, n int) (found []int) {
	t.Helper()
	for i := range n {
		_, err := s.Load(t.Context(), sessionID(i))
		if err == nil {
			found = append(found, i)
		} else if !errors.Is(err, core.ErrNotFound) {
			t.Fatalf("Load: %v", err)
		}
	}
	return found
}

func shut(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// snap makes a snapshot now.
func snap(t testing.TB, s *Store) {
	t.Helper()
	s.log.io.Lock()
	head := s.log.head.generation
	s.log.io.Unlock()
	wake(s.grown)
	eventually(t, "a snapshot", func() bool {
		l, err := list(s.dir)
		return err == nil && slices.Equal(l.snaps, []uint64{head + 1}) && slices.Equal(l.logs, []uint64{head + 1})
	})
}

// TestSurvivesARestart looks at everything that a store keeps, with and without a
// snapshot, on a real disk.
func TestSurvivesARestart(t *testing.T) {
	for _, withSnapshot := range []bool{false, true} {
		t.Run(fmt.Sprintf("snapshot %v", withSnapshot), func(t *testing.T) {
			dir, ctx := filepath.Join(t.TempDir(), "a", "b"), t.Context()
			s := mustOpen(t, dir, Config{})
			expires := time.Now().Add(time.Hour).Add(123 * time.Nanosecond)
			for n := range 4 { // entered in the order 3, 2, 1, 0
				n = 3 - n
				if _, err := s.Reserve(ctx, "alice", sessionID(n), 0, core.EndOldest); err != nil {
					t.Fatal(err)
				}
			}
			for n := range 4 {
				save(t, s, n, "alice", "first")
				if err := s.Confirm(ctx, "alice", sessionID(n), time.Time{}); err != nil {
					t.Fatal(err)
				}
			}
			save(t, s, 4, "", "anonymous")
			e, err := s.Load(ctx, sessionID(1))
			if err != nil {
				t.Fatal(err)
			}
			e.Data, e.Expires = []byte("second"), expires
			v, err := s.Save(ctx, sessionID(1), e, e.Version)
			if err != nil {
				t.Fatal(err)
			}
			touched := expires.Add(time.Minute)
			if err := s.Touch(ctx, sessionID(1), v, touched); err != nil {
				t.Fatal(err)
			}
			if err := s.Delete(ctx, sessionID(2)); err != nil {
				t.Fatal(err)
			}
			if err := s.Release(ctx, "alice", sessionID(0)); err != nil {
				t.Fatal(err)
			}
			if err := s.Mend(ctx, "alice", sessionID(0), expires); err != nil {
				t.Fatal(err)
			}
			if withSnapshot {
				snap(t, s)
			}
			shut(t, s)

			s = mustOpen(t, dir, Config{})
			got, err := s.Load(ctx, sessionID(1))
			if err != nil || string(got.Data) != "second" || got.User != "alice" || got.Version != v || !got.Expires.Equal(touched) {
				t.Errorf("the session is %+v, %v after a restart", got, err)
			}
			if found := there(t, s, 6); !slices.Equal(found, []int{0, 1, 3, 4}) {
				t.Errorf("sessions %v are there after a restart, want 0, 1, 3 and 4", found)
			}
			ids, err := s.List(ctx, "alice")
			var lost *core.IncompleteError
			if !errors.As(err, &lost) || !slices.Equal(ids, []core.ID{sessionID(3), sessionID(1), sessionID(0)}) {
				t.Fatalf("List: %v, %v; want sessions 3, 1 and 0, and that others may be missing", ids, err)
			}
			if next := save(t, s, 5, "", ""); next <= v {
				t.Errorf("version %d is given after %d", next, v)
			}
			if err := lost.Restored(ctx); err != nil {
				t.Fatal(err)
			}
			if err := s.DeleteAll(ctx); err != nil {
				t.Fatal(err)
			}
			shut(t, s)
			s = mustOpen(t, dir, Config{})
			ids, err = s.List(ctx, "alice")
			if s.Len() != 0 || len(ids) != 0 || err != nil {
				t.Errorf("after DeleteAll and a restart: %d sessions, %v, %v", s.Len(), ids, err)
			}
			shut(t, s)
		})
	}
}

func mustOpen(t testing.TB, dir string, c Config) *Store {
	t.Helper()
	if c.Logger == nil {
		c.Logger = quiet
	}
	s, err := Open(dir, c)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() }) // tests that look at the error close it before
	return s
}

// TestSEC24BoundsHoldOffNewSessionsOnly: what was stored stays, whatever the bounds are now.
func TestSEC24BoundsHoldOffNewSessionsOnly(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Config{MaxSessions: 2})
	save(t, s, 0, "alice", "x")
	v := save(t, s, 1, "alice", "x")
	e := core.Entry{User: "bob", Expires: time.Now().Add(time.Hour)}
	if _, err := s.Save(t.Context(), sessionID(2), e, 0); !errors.Is(err, ErrFull) {
		t.Errorf("Save of a third: %v, want ErrFull", err)
	}
	shut(t, s)
	s = mustOpen(t, dir, Config{MaxSessions: 1})
	if found := there(t, s, 3); len(found) != 2 {
		t.Errorf("sessions %v are there, want two", found)
	}
	if _, err := s.Save(t.Context(), sessionID(1), core.Entry{User: "alice", Expires: e.Expires}, v); err != nil {
		t.Errorf("Save of an entry: %v", err)
	}
	if err := s.Delete(t.Context(), sessionID(0)); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if _, err := s.Save(t.Context(), sessionID(2), e, 0); !errors.Is(err, ErrFull) {
		t.Errorf("Save beside one: %v, want ErrFull", err)
	}
	shut(t, s)
}

// TestSEC70CloseStopsTheGoroutines also when the disk fails.
func TestSEC70CloseStopsTheGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, ops := range []string{"", "write create", "sync"} {
		d := newSimDisk()
		s, err := openFiles(d, "/sim", Config{Logger: quiet}, swift)
		if err != nil {
			t.Fatal(err)
		}
		if ops != "" {
			failOn(d, errors.New("no"), ops)
		}
		_, _ = s.Save(t.Context(), sessionID(0), core.Entry{Expires: time.Now().Add(time.Hour)}, 0) // or not
		_ = s.Close()                                                                               // or not
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

// TestVersionsLostWithAPowerCutAreNotGivenAgain: a version means one state for ever.
func TestVersionsLostWithAPowerCutAreNotGivenAgain(t *testing.T) {
	d := newSimDisk()
	s := openSim(t, d)
	v := save(t, s, 0, "", "x")
	shut(t, s)
	if next := save(t, openSim(t, d), 1, "", "x"); next < v+1<<31 {
		t.Errorf("version %d comes soon after %d", next, v)
	}
}

// TestI1LimitHoldsAfterARestart: a login that ends the oldest session ends it for good,
// even if the process dies before the core deletes it once more.
func TestI1LimitHoldsAfterARestart(t *testing.T) {
	d, ctx := newSimDisk(), t.Context()
	s := openSim(t, d)
	for n := range 2 {
		if _, err := s.Reserve(ctx, "alice", sessionID(n), 1, core.EndOldest); err != nil {
			t.Fatal(err)
		}
		save(t, s, n, "alice", "x")
		if err := s.Confirm(ctx, "alice", sessionID(n), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	s = openSim(t, d.powerCut(noTearing()))
	ids, err := s.List(ctx, "alice")
	if found := there(t, s, 2); !slices.Equal(found, []int{1}) || !slices.Equal(ids, []core.ID{sessionID(1)}) || err != nil {
		t.Errorf("sessions %v, listed %v, %v; want the second", found, ids, err)
	}
}

// TestT1SweptSessionsStayGone although the clock is set back.
func TestT1SweptSessionsStayGone(t *testing.T) {
	d, now := newSimDisk(), time.Now()
	c := Config{Logger: quiet, SweepInterval: -1, Now: func() time.Time { return now }}
	s, err := openFiles(d, "/sim", c, swift)
	if err != nil {
		t.Fatal(err)
	}
	save(t, s, 0, "", "x")
	shut(t, s)
	now = now.Add(time.Hour)
	if s, err = openFiles(d, "/sim", c, swift); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context()); n != 1 || err != nil {
		t.Fatalf("Sweep: %d, %v", n, err)
	}
	shut(t, s)
	now = now.Add(-time.Minute)
	if s, err = openFiles(d, "/sim", c, swift); err != nil {
		t.Fatal(err)
	}
	if found := there(t, s, 1); len(found) > 0 {
		t.Error("an expired session is back")
	}
	shut(t, s)
}

// TestGuideSizes shows what the guide on operations says about the size of files.
func TestGuideSizes(t *testing.T) {
	const data, user = 350, "alice@example.org"
	e := core.Entry{Data: make([]byte, data), Expires: time.Now(), Version: 1 << 40}
	var anonymous, loggedIn encoder
	anonymous.Put(sessionID(1), e)
	e.User = user
	loggedIn.Put(sessionID(1), e)
	loggedIn.Member(user, sessionID(1), 1<<40)
	if n := len(anonymous.buf) - data; n > 44 {
		t.Errorf("an anonymous session takes %d bytes more than its data", n)
	}
	if n := len(loggedIn.buf) - len(anonymous.buf) - 2*len(user); n > 30 {
		t.Errorf("a logged-in session takes %d bytes more, besides the user's name twice", n)
	}
}

// grown returns a disk with a log of some frames, and where those begin.
func grown(t testing.TB, n int) (d *simDisk, ends []int) {
	t.Helper()
	d = newSimDisk()
	s := openSim(t, d)
	for i := range n {
		save(t, s, i, "alice", strings.Repeat("data", 10))
		ends = append(ends, len(d.content(logName(1))))
	}
	d = d.powerCut(noTearing())
	_ = s.Close() // the disk is gone
	return d, ends
}

// TestK2TornTailIsCutOff cuts off some of the log's last frame. What was whole is there, and
// the store goes on from it.
func TestK2TornTailIsCutOff(t *testing.T) {
	d, ends := grown(t, 3)
	whole := d.content(logName(1))
	for size := ends[1]; size <= len(whole); size += 4 {
		for _, garbage := range []int{0, 100} {
			d := newSimDisk()
			d.put(logName(1), append(slices.Clone(whole[:size]), make([]byte, garbage)...))
			s := openSim(t, d)
			want := 0
			for _, end := range ends {
				if end <= size {
					want++
				}
			}
			if found := there(t, s, 3); len(found) != want {
				t.Fatalf("cut at %d of %d: sessions %v, want the first %d", size, len(whole), found, want)
			}
			save(t, s, 9, "", "after")
			shut(t, s)
			if found := there(t, openSim(t, d), 10); len(found) != want+1 {
				t.Fatalf("cut at %d, then a save: sessions %v", size, found)
			}
		}
	}
}

// TestK2DamageIsAnError damages each byte of the log but those of the last frame. To skip
// what is damaged could bring a session back.
func TestK2DamageIsAnError(t *testing.T) {
	d, ends := grown(t, 3)
	whole := d.content(logName(1))
	for at := range ends[1] {
		damaged := slices.Clone(whole)
		damaged[at] ^= 0x40
		d := newSimDisk()
		d.put(logName(1), damaged)
		_, err := openFiles(d, "/sim", Config{Logger: quiet}, swift)
		var damage *DamageError
		isFormat := at < 12
		if isFormat && errors.Is(err, core.ErrNewerVersion) {
			continue
		}
		if !errors.As(err, &damage) || !errors.Is(err, core.ErrCorrupt) {
			t.Fatalf("byte %d of %d is damaged: %v, want a DamageError", at, len(whole), err)
		}
		begins := int64(0)
		for _, end := range append([]int{headerSize}, ends...) {
			if end <= at {
				begins = int64(end)
			}
		}
		if damage.File != filepath.Join("/sim", logName(1)) || damage.Offset != begins || !strings.Contains(err.Error(), "put back") {
			t.Fatalf("byte %d is damaged: %v; want the file, offset %d and what to do", at, err, begins)
		}
		if !slices.Equal(d.content(logName(1)), damaged) {
			t.Fatal("the damaged file was changed")
		}
	}
}

// TestK2AfterCloseTheLastFrameIsNoTail: a store that was closed has nothing that could be
// cut off.
func TestK2AfterCloseTheLastFrameIsNoTail(t *testing.T) {
	d := newSimDisk()
	s := openSim(t, d)
	save(t, s, 0, "", "x")
	shut(t, s)
	raw := d.content(logName(1))
	raw[headerSize+frameSize+4] ^= 1
	d.put(logName(1), raw)
	var damage *DamageError
	if _, err := openFiles(d, "/sim", Config{Logger: quiet}, swift); !errors.As(err, &damage) {
		t.Errorf("Open: %v, want a DamageError", err)
	}
}

// TestK2MissingFileIsAnError removes each file of a store with several.
func TestK2MissingFileIsAnError(t *testing.T) {
	d := newSimDisk()
	s := openSim(t, d)
	save(t, s, 0, "", "x")
	snap(t, s)
	save(t, s, 1, "", "x")
	d.failing(func(op, name string) error { // the log goes on without a snapshot
		if op == "create" && strings.HasPrefix(name, snapPrefix) {
			return errors.New("no")
		}
		return nil
	})
	wake(s.grown)
	eventually(t, "another log", func() bool { l, err := list(d); return err == nil && len(l.logs) > 1 })
	save(t, s, 2, "", "x")
	shut(t, s)
	d.failing(nil)
	l, err := list(d)
	if err != nil || len(l.logs) < 2 || len(l.snaps) != 1 {
		t.Fatalf("files are %+v, %v", l, err)
	}
	for _, name := range []string{snapName(l.snaps[0]), logName(l.logs[0]), logName(l.logs[len(l.logs)-1])} {
		found := newSimDisk()
		for _, n := range []string{snapName(l.snaps[0])} {
			found.put(n, d.content(n))
		}
		for _, gen := range l.logs {
			found.put(logName(gen), d.content(logName(gen)))
		}
		last := name == logName(l.logs[len(l.logs)-1])
		if err := found.Remove(name); err != nil {
			t.Fatal(err)
		}
		_, err := openFiles(found, "/sim", Config{Logger: quiet}, swift)
		var damage *DamageError
		if !errors.As(err, &damage) && !last { // nothing says that there was a last one
			t.Errorf("without %s: %v, want a DamageError", name, err)
		}
	}
	if found := there(t, openSim(t, d), 3); len(found) != 3 {
		t.Errorf("with all files: %v", found)
	}
}

// TestOpenRefuses has directories that no store should begin in.
func TestOpenRefuses(t *testing.T) {
	newer := newHeader(1, time.Now(), 0).append(nil)
	binary.LittleEndian.PutUint32(newer[8:], format+1)
	future := newHeader(1, time.Now().Add(2*time.Hour), 0).append(nil)
	renamed := newHeader(2, time.Now(), 0).append(nil)
	unknown := header.append(newHeader(1, time.Now(), 0), nil)
	frame := append(make([]byte, frameSize), 99)
	h, err := parseHeader(unknown)
	if err != nil {
		t.Fatal(err)
	}
	h.seal(frame, time.Now())
	for name, test := range map[string]struct {
		file string
		raw  []byte
		want string
		is   error
	}{
		"another program's": {"PG_VERSION", []byte("15\n"), "choose a directory of its own", nil},
		"another format":    {logName(1), []byte("SQLite format 3\x00 and so on, for longer than a header is"), "damaged at byte 0", core.ErrCorrupt},
		"empty":             {logName(1), nil, "damaged at byte 0", core.ErrCorrupt},
		"a newer format":    {logName(1), newer, "newer release", core.ErrNewerVersion},
		"from the future":   {logName(1), future, "correct the clock", nil},
		"renamed":           {logName(1), renamed, "renamed", core.ErrCorrupt},
		"unknown records":   {logName(1), append(unknown, frame...), "malformed", core.ErrCorrupt},
		"no log":            {snapName(3), newHeader(3, time.Now(), 0).append(nil), "log-3", core.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			at := filepath.Join(dir, test.file)
			if err := os.WriteFile(at, test.raw, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(dir, Config{Logger: quiet})
			if err == nil {
				shut(t, s)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "filestore: open: ") ||
				test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("Open: %v, want %q", err, test.want)
			}
			if raw, err := os.ReadFile(at); err != nil || !slices.Equal(raw, test.raw) {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
	if _, err := Open("", Config{}); err == nil || !strings.Contains(err.Error(), "choose") {
		t.Errorf("Open without a name: %v", err)
	}
	if _, err := Open(t.TempDir(), Config{MaxBytes: -1}); err == nil || !strings.Contains(err.Error(), "MaxBytes") {
		t.Errorf("Open with a bad Config: %v", err)
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc, which nobody can write to, not even root")
	}
	for _, dir := range []string{"/proc/self", "/proc/self/status", "/proc/none/sessions"} {
		if _, err := Open(dir, Config{}); err == nil || !strings.Contains(err.Error(), "can write") && !strings.Contains(err.Error(), "choose") {
			t.Errorf("Open(%s): %v", dir, err)
		}
	}
}

func TestSecondStoreIsToldWhoHoldsTheLock(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Config{})
	if _, err := Open(dir, Config{}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "this process") {
		t.Errorf("a second Open in this process: %v", err)
	}
	save(t, s, 0, "", "x")
	shut(t, s)
	if s = mustOpen(t, dir, Config{}); s.Len() != 1 {
		t.Errorf("%d sessions after Close and Open", s.Len())
	}
	shut(t, s)

	calls := 0
	pid := whileOtherRuns(t, dir, func() {
		calls++
		_, err := Open(dir, Config{})
		if !errors.Is(err, ErrLocked) {
			t.Errorf("Open beside another process: %v", err)
		}
		raw, readErr := os.ReadFile(filepath.Join(dir, lockName))
		if readErr != nil || err == nil || !strings.Contains(err.Error(), "process "+strings.TrimSpace(string(raw))+" holds") {
			t.Errorf("Open beside another process: %v, the lock has %q, %v", err, raw, readErr)
		}
	})
	if calls != 1 || pid == os.Getpid() {
		t.Error("there was no other process")
	}
}

// TestSecondStoreIsKeptOutWithoutTheLockFile: somebody took it for a leftover.
func TestSecondStoreIsKeptOutWithoutTheLockFile(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir, Config{})
	if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
		t.Skip("cannot be removed:", err)
	}
	second, err := Open(dir, Config{})
	if !errors.Is(err, ErrLocked) {
		t.Errorf("Open: %v, want ErrLocked", err)
	}
	if err == nil {
		_ = second.Close() // the test has failed
	}
}

// TestFilesArePrivate: nobody else on the machine can read them.
func TestFilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no modes")
	}
	dir := filepath.Join(t.TempDir(), "sessions")
	s := mustOpen(t, dir, Config{})
	snap(t, s)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d files, %v; want a lock, a log and a snapshot", len(entries), err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
}

// TestLeftoversAreRemoved: what a crash in the middle of a snapshot leaves.
func TestLeftoversAreRemoved(t *testing.T) {
	d := newSimDisk()
	s := openSim(t, d)
	save(t, s, 0, "", "x")
	old := d.content(logName(1))
	snap(t, s)
	shut(t, s)
	d.put(logName(1), old)
	d.put(snapName(7)+tempSuffix, []byte("half"))
	s = openSim(t, d)
	if found := there(t, s, 1); len(found) != 1 {
		t.Error("the session is lost")
	}
	names, err := d.List()
	slices.Sort(names)
	if err != nil || !slices.Equal(names, []string{logName(2), snapName(2)}) {
		t.Errorf("files are %v, %v", names, err)
	}
}

// TestChecksumIsCRC32C shows that the format is what its documentation says.
func TestChecksumIsCRC32C(t *testing.T) {
	raw := newHeader(3, time.Now(), 5).append(nil)
	if len(raw) != headerSize || crc32.Checksum(raw[:headerSize-4], crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(raw[headerSize-4:]) {
		t.Error("a header is not what parseHeader reads")
	}
}
