package core_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// The same name, as releases have it: as a text, and since then as a number.
var (
	asText   = core.NewKey[string]("visits")
	asNumber = core.NewKey[int]("visits")
	replaced = core.NewKey[int]("visits", core.ReplaceUnreadable)
	carried  = core.NewKey[int]("visits", core.ReadOld(strconv.Atoi))
)

func increment(n int) int { return n + 1 }

// By default a value of another type is refused, by an error that names the key and
// the way out. Set and Delete always work, also after an Update that was refused.
func TestE1ValueOfAnotherTypeIsRefused(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { asText.Set(s, "41"); s.Set("k", "v") })
		r := c.begin()
		var value *core.ValueError
		if _, err := asNumber.Lookup(r.s); !errors.As(err, &value) || errors.Is(err, core.ErrNotFound) {
			t.Errorf("Lookup: %v", err)
		}
		asNumber.Update(r.s, increment)
		err := r.end(200)
		if !errors.As(err, &value) || value.Key != "visits" {
			t.Fatalf("Update: %v", err)
		}
		for _, part := range []string{`"visits"`, "ReadOld", "ReplaceUnreadable", "Set or Delete"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("the error does not say %s: %v", part, err)
			}
		}
		if strings.Contains(err.Error(), "41") {
			t.Errorf("SEC67: the error shows the value: %v", err)
		}
		c.do(func(s *core.Session) {
			if v, ok := asText.Get(s); !ok || v != "41" {
				t.Errorf("the old value is %q, %t", v, ok)
			}
			asNumber.Update(s, increment)
			asNumber.Set(s, 1)
		})
		c.do(func(s *core.Session) {
			if n, ok := asNumber.Get(s); !ok || n != 1 {
				t.Errorf("after Set: %d, %t", n, ok)
			}
			asText.Set(s, "x")
		})
		c.do(func(s *core.Session) { asNumber.Update(s, increment); asNumber.Delete(s) })
		if _, err := core.Lookup[any](c.begin().s, "visits"); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("after Delete: %v", err)
		}
		if c.get("k") != "v" {
			t.Error("another value was lost")
		}
	})
}

// However often a save is tried, the value is replaced once.
func TestE1ReplacedIsToldOnce(t *testing.T) {
	w, store := hookedServer(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { asText.Set(s, "secret") })
	store.once("save", func() { c.fork().do(func(s *core.Session) { s.Set("k", "v") }) })
	c.do(func(s *core.Session) { replaced.Update(s, increment) })
	if told, tries := w.events.count(core.EventReplaced), w.events.count(core.EventConflict); told != 1 || tries != 1 {
		t.Errorf("%d events after %d conflicts", told, tries)
	}
}

func TestE1ReplaceUnreadableStartsAfresh(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { asText.Set(s, "secret") })
		c.do(func(s *core.Session) {
			n, err := replaced.Lookup(s)
			var value *core.ValueError
			if n != 0 || !errors.Is(err, core.ErrNotFound) || !errors.As(err, &value) {
				t.Errorf("Lookup: %d, %v", n, err)
			}
			if _, ok := replaced.Get(s); ok {
				t.Error("Get has found it")
			}
		})
		if w.events.count(core.EventReplaced) != 0 {
			t.Error("reading is told as replacing")
		}
		c.do(func(s *core.Session) { replaced.Update(s, increment) })
		c.do(func(s *core.Session) {
			if n, ok := replaced.Get(s); !ok || n != 1 {
				t.Errorf("after Update: %d, %t", n, ok)
			}
		})
		c.do(func(s *core.Session) { replaced.Update(s, increment) })
		i := slices.IndexFunc(w.events.all, func(e core.Event) bool { return e.Kind == core.EventReplaced })
		if i < 0 || w.events.count(core.EventReplaced) != 1 {
			t.Fatalf("%d events", w.events.count(core.EventReplaced))
		}
		if err := w.events.all[i].Err.Error(); !strings.Contains(err, `"visits"`) || strings.Contains(err, "secret") {
			t.Errorf("the event says %s", err)
		}
	})
}

func TestE1ReadOldLosesNothing(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { asText.Set(s, "41") })
		c.do(func(s *core.Session) {
			if n, err := carried.Lookup(s); n != 41 || err != nil {
				t.Errorf("Lookup: %d, %v", n, err)
			}
		})
		c.do(func(s *core.Session) { carried.Update(s, increment) })
		c.do(func(s *core.Session) {
			if n, ok := asNumber.Get(s); !ok || n != 42 {
				t.Errorf("after Update: %d, %t", n, ok)
			}
			asText.Set(s, "many")
		})
		r := c.begin()
		carried.Update(r.s, increment)
		if err := r.end(200); !errors.Is(err, strconv.ErrSyntax) || strings.Contains(fmt.Sprintf("%+v", err), "many") {
			t.Errorf("what convert refuses: %+v; want its error, without the value", err)
		}
		either := core.NewKey[int]("visits", core.ReadOld(func([]string) (int, error) { return 7, nil }),
			core.ReadOld(strconv.Atoi), core.ReplaceUnreadable)
		c.do(func(s *core.Session) { s.Set("visits", []string{"a"}) })
		c.do(func(s *core.Session) {
			if n, ok := either.Get(s); !ok || n != 7 {
				t.Errorf("the first of two: %d, %t", n, ok)
			}
			asText.Set(s, "8")
		})
		c.do(func(s *core.Session) {
			if n, ok := either.Get(s); !ok || n != 8 {
				t.Errorf("the second of two: %d, %t", n, ok)
			}
			s.Set("visits", true)
		})
		c.do(func(s *core.Session) { either.Update(s, increment) })
		c.do(func(s *core.Session) {
			if n, ok := either.Get(s); !ok || n != 1 {
				t.Errorf("what neither can read: %d, %t", n, ok)
			}
		})
	})
}

// Updates that overlap, in two releases, are all counted.
func TestK1ReadOldUnderConflicts(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { asText.Set(s, "40") })
	a, b := c.fork().begin(), c.fork().begin()
	carried.Update(a.s, increment)
	asText.Update(b.s, func(text string) string { n, _ := strconv.Atoi(text); return strconv.Itoa(n + 1) })
	if err := errors.Join(b.end(200), a.end(200)); err != nil {
		t.Fatal(err)
	}
	c.do(func(s *core.Session) {
		if n, ok := carried.Get(s); !ok || n != 42 {
			t.Errorf("K1: two updates of 40 are %d, %t", n, ok)
		}
	})
}

func TestReadOldThatCannotBeRightPanics(t *testing.T) {
	panics := func(want string, f func()) {
		t.Helper()
		defer func() {
			if p := fmt.Sprint(recover()); !strings.Contains(p, want) {
				t.Errorf("panic: %s; want %s", p, want)
			}
		}()
		f()
	}
	panics(`"visits"`, func() { core.NewKey[string]("visits", core.ReadOld(strconv.Atoi)) })
	panics("string", func() { core.NewKey[string]("visits", core.ReadOld(strconv.Atoi)) })
	panics("convert is nil", func() { core.ReadOld[string, int](nil) })
}
