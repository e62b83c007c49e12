package nearcache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/filestore"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/nearcache"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/storetest"
)

// TestStore: with copies, a store keeps all that it promises.
func TestStore(t *testing.T) {
	storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
		clock := storetest.NewFakeClock()
		return near(t, newPerfect(t, clock.Now), nearcache.Config{Now: clock.Now}), clock
	})
}

// TestSealedStore: copies of sealed entries, and sealed copies.
func TestSealedStore(t *testing.T) {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	for name, wrap := range map[string]func(*testing.T, *perfect, nearcache.Config) core.Store{
		"inside": func(t *testing.T, p *perfect, c nearcache.Config) core.Store {
			return sealed.Store(near(t, p, c), keys)
		},
		"outside": func(t *testing.T, p *perfect, c nearcache.Config) core.Store {
			return near(t, sealed.Store(p, keys), c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
				clock := storetest.NewFakeClock()
				return wrap(t, newPerfect(t, clock.Now), nearcache.Config{Now: clock.Now}), clock
			})
		})
	}
}

// TestK2WhatIsReadWhileItChangesIsNotKept: a read that began before a change returns what
// was before, and a report of the change is not repeated.
func TestK2WhatIsReadWhileItChangesIsNotKept(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, far *perfect, s *nearcache.Store, v core.Version){
		"saved elsewhere": func(t *testing.T, far *perfect, _ *nearcache.Store, v core.Version) { must(t, far, id(1), "new", v) },
		"saved here":      func(t *testing.T, _ *perfect, s *nearcache.Store, v core.Version) { must(t, s, id(1), "new", v) },
		"deleted elsewhere": func(t *testing.T, far *perfect, _ *nearcache.Store, _ core.Version) {
			_ = far.Delete(t.Context(), id(1))
		},
		"deleted here":     func(t *testing.T, _ *perfect, s *nearcache.Store, _ core.Version) { _ = s.Delete(t.Context(), id(1)) },
		"all deleted":      func(t *testing.T, far *perfect, _ *nearcache.Store, _ core.Version) { _ = far.DeleteAll(t.Context()) },
		"all deleted here": func(t *testing.T, _ *perfect, s *nearcache.Store, _ core.Version) { _ = s.DeleteAll(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			far := newPerfect(t, nil)
			slow := &slowLoads{perfect: far}
			s := near(t, slow, nearcache.Config{})
			v := must(t, far, id(1), "old", 0)
			slow.before = func() { change(t, far, s, v) }
			if got := read(t.Context(), t, s, id(1)); got != "old" {
				t.Fatalf("the slow read returned %q", got)
			}
			slow.before = nil
			want := read(t.Context(), t, far, id(1))
			if got := read(t.Context(), t, s, id(1)); got != want {
				t.Errorf("K2: %q is served, and %q is stored", got, want)
			}
		})
	}
}

// slowLoads is a store whose answers take until something else has happened.
type slowLoads struct {
	*perfect
	before func() // what happens between the read and its answer
}

func (s *slowLoads) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	e, err := s.perfect.Load(ctx, id)
	if s.before != nil {
		s.before()
	}
	return e, err
}

// TestK2OwnChangesAreSeenAtOnce, whatever is reported and when.
func TestK2OwnChangesAreSeenAtOnce(t *testing.T) {
	far := newPerfect(t, nil)
	mute := &muted{perfect: far}
	s := near(t, mute, nearcache.Config{})
	v := must(t, s, id(1), "first", 0)
	asked := far.asked()
	if got := read(t.Context(), t, s, id(1)); got != "first" || far.asked() != asked {
		t.Errorf("after a save, %q is read, asking the store %d times", got, far.asked()-asked)
	}
	v = must(t, s, id(1), "second", v)
	if got := read(t.Context(), t, s, id(1)); got != "second" {
		t.Errorf("after a save, %q is read", got)
	}
	if e, err := s.Load(t.Context(), id(1)); err != nil || e.Version != v {
		t.Errorf("the copy of what was saved has version %d, want %d: %v", e.Version, v, err)
	}
	expires := time.Now().Add(2 * time.Hour).Truncate(time.Millisecond)
	for name, touch := range map[string]func() error{
		"Touch":        func() error { return s.Touch(t.Context(), id(1), v, expires) },
		"TouchAndMend": func() error { return s.TouchAndMend(t.Context(), "ann", id(1), v, expires) },
	} {
		if err := touch(); err != nil {
			t.Fatal(err)
		}
		if e, err := s.Load(t.Context(), id(1)); err != nil || !e.Expires.Equal(expires) {
			t.Errorf("after %s, the entry expires at %v, want %v: %v", name, e.Expires, expires, err)
		}
		expires = expires.Add(time.Hour)
	}
	if err := s.Delete(t.Context(), id(1)); err != nil {
		t.Fatal(err)
	}
	if got := read(t.Context(), t, s, id(1)); got != "gone" {
		t.Errorf("K2: after Delete, %q is read", got)
	}
	must(t, s, id(1), "again", 0)
	if err := s.DeleteAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(t.Context(), t, s, id(1)); got != "gone" {
		t.Errorf("K2: after DeleteAll, %q is read", got)
	}
}

// TestT1ATouchIsSeenWhileTheIndexIsMended: the expiry has moved, and mending may take long.
func TestT1ATouchIsSeenWhileTheIndexIsMended(t *testing.T) {
	slow := &slowMends{muted: &muted{newPerfect(t, nil)}}
	s := near(t, slow, nearcache.Config{})
	v := must(t, s, id(1), "data", 0)
	expires := time.Now().Add(2 * time.Hour).Truncate(time.Millisecond)
	slow.beforeTouch = func() { read(t.Context(), t, s, id(1)) } // there is a copy again
	mended := false
	slow.beforeMend = func() {
		mended = true
		if e, err := s.Load(t.Context(), id(1)); err != nil || !e.Expires.Equal(expires) {
			t.Errorf("T1: after the touch, the entry expires at %v, want %v: %v", e.Expires, expires, err)
		}
	}
	if err := s.TouchAndMend(t.Context(), "ann", id(1), v, expires); err != nil || !mended {
		t.Errorf("TouchAndMend: %v, mended %t", err, mended)
	}
}

// slowMends is a store in which something else happens before a touch, and before the index is mended.
type slowMends struct {
	*muted
	beforeTouch, beforeMend func()
}

func (s *slowMends) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	s.beforeTouch()
	return s.muted.Touch(ctx, id, base, expires)
}

func (s *slowMends) Mend(ctx context.Context, user string, id core.ID, until time.Time) error {
	s.beforeMend()
	return s.muted.Mend(ctx, user, id, until)
}

// muted is a store that says that it is alive, and reports no change.
type muted struct{ *perfect }

func (m *muted) Invalidations(ctx context.Context, interval time.Duration, changed func(core.ID), alive func(time.Time)) error {
	changed(core.ID{})
	return m.perfect.Invalidations(ctx, interval, func(core.ID) {}, alive)
}

// TestK1AConflictIsNoCopy: otherwise the next try begins with the same copy, for ever. So is
// any failure: nobody knows what is stored.
func TestK1AConflictIsNoCopy(t *testing.T) {
	for _, fail := range []error{core.ErrConflict, core.ErrNotFound, errors.New("connection reset")} {
		far := newPerfect(t, nil)
		failing := &failingSaves{muted: &muted{far}}
		s := near(t, failing, nearcache.Config{})
		v := must(t, s, id(1), "old", 0)
		must(t, far, id(1), "new", v) // it is not told
		if read(t.Context(), t, s, id(1)) != "old" {
			t.Fatal("there is no copy")
		}
		failing.err = fail
		if _, err := s.Save(t.Context(), id(1), entry("newer"), v); !errors.Is(err, fail) {
			t.Fatalf("Save: %v", err)
		}
		if got := read(t.Context(), t, s, id(1)); got != "new" {
			t.Errorf("K1: after %v, %q is read", fail, got)
		}
	}
}

type failingSaves struct {
	*muted
	err error
}

func (f *failingSaves) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if f.err != nil {
		return 0, f.err
	}
	return f.muted.Save(ctx, id, e, base)
}

// TestK1KeysRotateByTheNewestState: with several keys, sealed looks at the entry that it is
// about to replace.
func TestK1KeysRotateByTheNewestState(t *testing.T) {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey() + "," + sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	far := newPerfect(t, nil)
	s, elsewhere := sealed.Store(near(t, &muted{far}, nearcache.Config{}), keys), sealed.Store(far, keys)
	e := entry("data")
	e.User = "ann"
	v, err := s.Save(t.Context(), id(1), e, 0)
	if err == nil {
		_, err = s.Load(t.Context(), id(1))
	}
	if err == nil {
		v, err = elsewhere.Save(t.Context(), id(1), e, v)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(t.Context(), id(1), e, v); err != nil {
		t.Errorf("K1: a save of the newest state: %v", err)
	}
}

// TestL1NoCopySaysThatASessionIsGone: the store decides.
func TestL1NoCopySaysThatASessionIsGone(t *testing.T) {
	clock := storetest.NewFakeClock()
	far := newPerfect(t, clock.Now)
	s := near(t, &muted{far}, nearcache.Config{Now: clock.Now})
	e := core.Entry{Data: []byte("data"), Expires: clock.Now().Add(time.Minute)}
	if got := read(t.Context(), t, s, id(1)); got != "gone" {
		t.Fatal(got)
	}
	v, err := far.Save(t.Context(), id(1), e, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t.Context(), t, s, id(1)); got != "data" {
		t.Errorf("L1: a session that was created elsewhere is %q", got)
	}
	if err := far.Touch(t.Context(), id(1), v, clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * time.Minute)
	if got, err := s.Load(t.Context(), id(1)); err != nil || !got.Expires.After(clock.Now()) {
		t.Errorf("L1: a session that was touched elsewhere has expired with its copy: %v, %v", got.Expires, err)
	}
}

// TestL4FreshAsksTheStore, and what it says is the new copy.
func TestL4FreshAsksTheStore(t *testing.T) {
	far := newPerfect(t, nil)
	s := near(t, &muted{far}, nearcache.Config{})
	v := must(t, s, id(1), "old", 0)
	must(t, far, id(1), "new", v)
	for _, step := range []struct {
		ctx  context.Context
		want string
	}{{t.Context(), "old"}, {core.Fresh(t.Context()), "new"}, {t.Context(), "new"}} {
		if got := read(step.ctx, t, s, id(1)); got != step.want {
			t.Errorf("L4: fresh %t: %q, want %q", core.IsFresh(step.ctx), got, step.want)
		}
	}
	if err := far.Delete(t.Context(), id(1)); err != nil {
		t.Fatal(err)
	}
	if got := read(core.Fresh(t.Context()), t, s, id(1)); got != "gone" {
		t.Errorf("L4: fresh: %q, want gone", got)
	}
	if got := read(t.Context(), t, s, id(1)); got != "gone" {
		t.Errorf("K2: %q, although the store has said that it is gone", got)
	}
}

// TestL4CopiesEndWithTheLease: as soon as a store has not said for a window that it has
// reported everything, it is asked each time.
func TestL4CopiesEndWithTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newPerfect(t, nil)
		s := near(t, &muted{far}, nearcache.Config{Window: time.Second})
		v := must(t, s, id(1), "old", 0)
		time.Sleep(time.Minute)
		must(t, far, id(1), "new", v)
		if got := read(t.Context(), t, s, id(1)); got != "old" {
			t.Fatalf("under the lease, %q is read", got)
		}
		far.set(func() { far.silent = true })
		time.Sleep(time.Second + time.Millisecond)
		if got := read(t.Context(), t, s, id(1)); got != "new" {
			t.Errorf("L4: %q is read after the window", got)
		}
		time.Sleep(time.Second / 2)
		far.set(func() { far.silent = false })
		time.Sleep(time.Second)
		if st := s.Stats(); st.LeasesLost != 1 || st.Err != nil {
			t.Errorf("%+v, want one lost lease", st)
		}
		_ = s.Close()
	})
}

// TestL4NoCopiesWhileDeaf: what changes while the connection is away is never told.
func TestL4NoCopiesWhileDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newPerfect(t, nil)
		s := near(t, far, nearcache.Config{Window: time.Minute})
		v := must(t, s, id(1), "old", 0)
		read(t.Context(), t, s, id(1))
		if s.Stats().Entries != 1 {
			t.Fatal("there is no copy")
		}
		broken := errors.New("broken")
		far.set(func() { far.err = broken })
		time.Sleep(time.Minute / 4)
		synctest.Wait()
		if st := s.Stats(); st.Entries != 0 || st.Bytes != 0 || !errors.Is(st.Err, broken) || st.LeasesLost != 1 {
			t.Errorf("deaf: %+v", st)
		}
		if got := read(t.Context(), t, s, id(1)); got != "old" {
			t.Fatal(got) // from the store
		}
		must(t, far, id(1), "new", v)
		far.set(func() { far.err = nil })
		time.Sleep(time.Second)
		if got := read(t.Context(), t, s, id(1)); got != "new" || s.Stats().Err != nil {
			t.Errorf("L4: after the connection was away, %q is read, %v", got, s.Stats().Err)
		}
		_ = s.Close()
	})
}

// TestL4BlindCopiesLastForAWindow: without reports, from the time they were read.
func TestL4BlindCopiesLastForAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newPerfect(t, nil)
		slow := &slowLoads{perfect: far}
		store := struct{ core.Store }{slow} // without abilities
		if _, err := nearcache.New(store, nearcache.Config{}); !errors.Is(err, core.ErrUnsupported) {
			t.Errorf("a store without reports: %v", err)
		}
		s := near(t, store, nearcache.Config{Window: time.Second, AllowBlind: true})
		v := must(t, far, id(1), "old", 0)
		slow.before = func() { time.Sleep(300 * time.Millisecond) }
		read(t.Context(), t, s, id(1))
		slow.before = nil
		must(t, far, id(1), "new", v)
		time.Sleep(699 * time.Millisecond)
		if got := read(t.Context(), t, s, id(1)); got != "old" {
			t.Errorf("before the window is over, %q is read", got)
		}
		time.Sleep(time.Millisecond)
		if got := read(t.Context(), t, s, id(1)); got != "new" {
			t.Errorf("L4: a window after it was read, %q is served", got)
		}
		v = must(t, s, id(2), "own", 0)
		must(t, far, id(2), "new", v)
		time.Sleep(time.Second)
		if got := read(t.Context(), t, s, id(2)); got != "new" {
			t.Errorf("L4: a window after it was saved, %q is served", got)
		}
		_ = s.Close()
	})
}

func TestNewRefuses(t *testing.T) {
	files, err := filestore.Open(t.TempDir(), filestore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	memory := memstore.New(memstore.Config{SweepInterval: -1})
	t.Cleanup(func() { _ = memory.Close() })
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	unable := newPerfect(t, nil)
	unable.err = fmt.Errorf("goredisstore: the user may not: %w", core.ErrUnsupported)
	for name, c := range map[string]struct {
		store core.Store
		nearcache.Config
		says string
	}{
		"nil":             {nil, nearcache.Config{}, "the store is nil"},
		"memory":          {memory, nearcache.Config{}, "is in memory already"},
		"sealed memory":   {sealed.Store(memory, keys), nearcache.Config{AllowBlind: true}, "is in memory already"},
		"files":           {files, nearcache.Config{}, "is in memory already"},
		"copies":          {sealed.Store(near(t, newPerfect(t, nil), nearcache.Config{}), keys), nearcache.Config{}, "from copies already"},
		"no reports":      {struct{ core.Store }{unable}, nearcache.Config{}, "cannot report changes"},
		"refused reports": {unable, nearcache.Config{}, "the user may not"},
		"a short window":  {newPerfect(t, nil), nearcache.Config{Window: time.Millisecond}, "Config.Window is 1ms"},
		"a long window":   {newPerfect(t, nil), nearcache.Config{Window: time.Hour}, "Config.Window is 1h"},
		"negative":        {newPerfect(t, nil), nearcache.Config{MaxBytes: -1}, "negative"},
	} {
		if s, err := nearcache.New(c.store, c.Config); s != nil || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	s := near(t, unable, nearcache.Config{AllowBlind: true})
	must(t, s, id(1), "data", 0)
	asked := unable.asked()
	if read(t.Context(), t, s, id(1)); unable.asked() != asked {
		t.Error("AllowBlind keeps no copies of a store whose reports are refused")
	}
}

// TestBounds: memory stays within its bounds, and what is used stays.
func TestBounds(t *testing.T) {
	far := newPerfect(t, nil)
	const most = 8 << 20
	s := near(t, &muted{far}, nearcache.Config{MaxBytes: most})
	data := strings.Repeat("x", 1000)
	for i := range 20_000 {
		must(t, s, id(i), data, 0)
		read(t.Context(), t, s, id(0)) // always in use
	}
	st := s.Stats()
	if st.Bytes > most || st.Bytes < most*9/10 {
		t.Errorf("copies take %d bytes, want up to %d", st.Bytes, most)
	}
	asked := far.asked()
	if read(t.Context(), t, s, id(0)); far.asked() != asked {
		t.Error("what is in use was pushed out")
	}
	must(t, s, id(-1), strings.Repeat("x", most/16), 0)
	if after := s.Stats(); after.Entries > st.Entries {
		t.Errorf("%d copies, after a session that is too large %d", st.Entries, after.Entries)
	}
	few := near(t, &muted{newPerfect(t, nil)}, nearcache.Config{MaxEntries: 10})
	for i := range 1000 {
		must(t, few, id(i), "data", 0)
	}
	if n := few.Stats().Entries; n != 10 {
		t.Errorf("%d copies, want 10", n)
	}
	_ = few.Close()
	if st := few.Stats(); st.Entries != 0 || st.Bytes != 0 {
		t.Errorf("after Close: %+v", st)
	}
	if got := read(t.Context(), t, few, id(5)); got != "data" {
		t.Errorf("after Close, %q is read", got)
	}
}

func TestLoadAllocations(t *testing.T) {
	s := near(t, newPerfect(t, nil), nearcache.Config{Window: time.Minute})
	must(t, s, id(1), "data", 0)
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { _, _ = s.Load(ctx, id(1)) }); n > 0 {
		t.Errorf("an answer from a copy allocates %v times", n)
	}
}
