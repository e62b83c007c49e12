package core_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

type cart struct {
	Items []string
	At    time.Time
}

func TestValuesAreSnapshots(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		key := core.NewKey[cart]("cart")
		c := newClient(t, w.m)
		at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600))
		c.do(func(s *core.Session) {
			v := cart{Items: []string{"a"}, At: at}
			key.Set(s, v)
			v.Items[0] = "changed"
			got, ok := key.Get(s)
			if !ok || got.Items[0] != "a" {
				t.Errorf("Set did not encode at once: %v", got)
			}
			got.Items[0] = "changed"
		})
		c.do(func(s *core.Session) {
			got, _ := key.Get(s)
			if got.Items[0] != "a" || !got.At.Equal(at) {
				t.Errorf("read back %v", got)
			}
			key.Delete(s)
			if _, err := key.Lookup(s); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("deleted, but %v", err)
			}
		})
	})
}

func TestStrictModeFindsChangesThroughPointers(t *testing.T) {
	w := server(t, func(c *core.Config) { c.Strict = true })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("cart", cart{Items: []string{"a"}}) })
	r := c.begin()
	v, ok := core.Get[*cart](r.s, "cart")
	if !ok {
		t.Fatal("a cart is no *cart")
	}
	v.Items[0] = "c"
	defer func() {
		if p, _ := recover().(string); !strings.Contains(p, `"cart"`) {
			t.Errorf("strict mode: %q", p)
		}
	}()
	_ = r.end(200)
}

// A value stored by another version of the type, or by another program, may encode
// to other bytes than those it was read from. That is not a change.
func TestStrictModeKnowsReadingFromChanging(t *testing.T) {
	type wider struct {
		Items []string
		At    time.Time
		Since int
	}
	w := server(t, func(c *core.Config) { c.Strict = true })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("cart", wider{Items: []string{"a"}, Since: 7}) })
	c.do(func(s *core.Session) { // panics if it is taken for a change
		if v, ok := core.Get[cart](s, "cart"); !ok || len(v.Items) != 1 {
			t.Errorf("read %v", v)
		}
	})
}

func TestK1UpdateAfterSetAndDelete(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		inc := func(n int) int { return n + 1 }
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { core.Update(s, "a", inc); core.Update(s, "a", inc) })
		c.do(func(s *core.Session) {
			s.Set("a", 10)
			core.Update(s, "a", inc)
			s.Set("b", 1)
			s.Delete("b")
			core.Update(s, "b", inc)
		})
		c.do(func(s *core.Session) {
			a, _ := core.Get[int](s, "a")
			b, _ := core.Get[int](s, "b")
			if a != 11 || b != 1 {
				t.Errorf("a is %d, b is %d", a, b)
			}
			s.Set("text", "x")
			core.Update(s, "text", inc)
			var value *core.ValueError
			if err := s.Commit(t.Context()); !errors.As(err, &value) || value.Key != "text" {
				t.Errorf("an update of the wrong type says %v", err)
			}
		})
	})
}

func TestK1SetAndDeleteAfterUpdate(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		inc := func(n int) int { return n + 1 }
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("a", 1); s.Set("b", 1) })
		c.do(func(s *core.Session) {
			core.Update(s, "a", inc)
			s.Set("a", 10)
			core.Update(s, "b", inc)
			s.Delete("b")
		})
		c.do(func(s *core.Session) {
			if a, _ := core.Get[int](s, "a"); a != 10 {
				t.Errorf("set to 10 after an update, a is %d", a)
			}
			if b, ok := core.Get[int](s, "b"); ok {
				t.Errorf("deleted after an update, b is %d", b)
			}
		})
	})
}

func TestE1FailedChangesLeaveTheValueAndCanBeMended(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		inc := func(n int) int { return n + 1 }
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("a", "text"); s.Set("b", "text"); s.Set("c", "text") })
		c.do(func(s *core.Session) {
			core.Update(s, "a", inc)
			s.Set("b", make(chan int))
			core.Update(s, "c", inc)
			for _, key := range []string{"a", "b", "c"} {
				if v, _ := core.Get[string](s, key); v != "text" {
					t.Errorf("after a change that failed %s is %q", key, v)
				}
			}
			s.Set("a", "mended")
			s.Delete("b")
			s.Set("c", "mended")
			if err := s.Err(); err != nil {
				t.Errorf("mended: %v", err)
			}
		})
		if a, b := c.get("a"), c.get("b"); a != "mended" || b != "" {
			t.Errorf("a is %q, b is %q", a, b)
		}
	})
}

func TestK2CommitTellsThatTheSessionEnded(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	r := c.fork().begin()
	c.do(func(s *core.Session) { s.Renew() })
	r.s.Set("k", "late")
	if err := r.s.Commit(t.Context()); !errors.Is(err, core.ErrEnded) || !r.s.Ended() {
		t.Errorf("K2: %v, ended %v", err, r.s.Ended())
	}
	if err := r.end(200); err != nil || len(r.x.setCookie) != 0 || c.get("k") != "v" {
		t.Errorf("K2: %v, %q, k is %q", err, r.x.setCookie, c.get("k"))
	}
}

func TestCommitMakesReadsSeeWhatIsStored(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		x := c.status(500, func(s *core.Session) {
			s.Set("k", "v")
			s.Flash("info", "hello")
			if err := s.Commit(t.Context()); err != nil || s.IsNew() || s.ID().IsZero() {
				t.Fatalf("commit: %v", err)
			}
			s.Set("k", "rolled back")
		})
		if len(x.setCookie) != 1 {
			t.Errorf("C7: %q", x.setCookie)
		}
		if c.get("k") != "v" {
			t.Errorf("C4: k is %q", c.get("k"))
		}
		c.do(func(s *core.Session) {
			s.Flashes()
			s.Set("n", 1)
			if err := s.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(s.Flashes()) != 0 {
				t.Error("a commit made a read flash unread")
			}
		})
		c.do(func(s *core.Session) {
			if len(s.Flashes()) != 0 {
				t.Error("F1: shown twice")
			}
		})
	})
}

func TestSlogObserver(t *testing.T) {
	var out bytes.Buffer
	w := server(t)
	w.m = w.manager(core.ServerSide(w.store), func(c *core.Config) {
		c.Observer = core.SlogObserver(slog.New(slog.NewTextHandler(&out, nil)))
	})
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	late := c.fork().begin()
	late.s.Set("k", "v")
	c.do(func(s *core.Session) { s.Logout() })
	if err := late.end(200); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `level=WARN msg="session dropped" reason=ended session=`) {
		t.Errorf("logged %q", got)
	}
}

func TestI3LogoutFlashAndExplicitCommit(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		x := c.do(func(s *core.Session) {
			s.Logout()
			s.Flash("info", "Bye.")
			if err := s.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
		if len(x.setCookie) != 1 || contains(x.setCookie, "Max-Age=0") {
			t.Errorf("I3: %q", x.setCookie)
		}
		c.do(func(s *core.Session) {
			if got := texts(s.Flashes()); got != "[Bye.]" {
				t.Errorf("I3: %v", got)
			}
		})
		c.do(func(s *core.Session) { // logged out again in the same request, after a commit
			s.Set("k", "v")
			if err := s.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.Logout()
		})
		if len(c.jar) != 0 {
			t.Errorf("I3: cookies after the last logout: %v", c.jar)
		}
	})
}

// Clients can send bytes that are not UTF-8, and applications store what they
// get: it must neither fail the request nor change.
func TestStringsComeBackByteForByte(t *testing.T) {
	type form struct{ Name string }
	both(t, func(t *testing.T, w *world) {
		const odd = "a\xff\xc3\x00b"
		input := core.NewFlashKey[form]("form")
		c := newClient(t, w.m)
		c.status(303, func(s *core.Session) {
			s.Login("user\xff")
			s.Set("k"+odd, odd)
			s.Set("form", form{odd})
			s.Flash("info"+odd, odd)
			input.Add(s, form{odd})
		})
		c.do(func(s *core.Session) {
			v, err := core.Lookup[string](s, "k"+odd)
			f, formErr := core.Lookup[form](s, "form")
			typed, ok := input.Take(s)
			if err != nil || formErr != nil || v != odd || f.Name != odd || !ok || typed.Name != odd || s.UserID() != "user\xff" {
				t.Errorf("%q %v, %q %v, %q %v, user %q", v, err, f.Name, formErr, typed.Name, ok, s.UserID())
			}
			if all := s.Flashes(); len(all) != 1 || all[0] != (core.Flash{Kind: "info" + odd, Text: odd}) {
				t.Errorf("flashes are %q", all)
			}
		})
	})
}

func TestE2SEC24UserIsBounded(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("k", "v") })
		r := c.begin()
		r.s.Login(strings.Repeat("u", 1025))
		if err := r.end(200); err == nil || !strings.Contains(err.Error(), "1025 bytes, at most 1024") {
			t.Errorf("E2: %v", err)
		}
		r = c.begin()
		key := strings.Repeat("K", 1<<20)
		r.s.Set(key, 1)
		if err := r.end(200); !errors.Is(err, core.ErrTooLarge) || len(err.Error()) > 300 {
			t.Errorf("E2: an error of %d bytes for a long key", len(err.Error()))
		}
		if c.get("k") != "v" {
			t.Error("E2: something else was lost")
		}
	})
}

func TestE2SizesAreThoseOfTheSession(t *testing.T) {
	w := inCookies(t, func(c *core.Config) { c.Cookie.MaxParts = 5 })
	r := newClient(t, w.m).begin()
	r.s.Set("big", make([]byte, 30_000))
	var size *core.SizeError
	if err := r.end(200); !errors.As(err, &size) || size.Key != "big" || size.Total < 30_000 || size.Total > 30_100 || size.Limit < 15_000 || size.Limit > 15_500 {
		t.Errorf("E2: %v", err)
	}
}

func TestC7VaryForWhoeverHasTheSessionInHand(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Flash("info", "for your eyes only") })
	r := c.begin()
	s, ok := core.FromContext(r.s.Context()) // to read it while the page is already under way
	if err := w.m.Commit(r.x, r.s, 200); err != nil || !ok {
		t.Fatal(err)
	}
	s.Flashes()
	w.m.Finish(r.s)
	if r.x.response["Vary"] != "Cookie" {
		t.Error("C7: a page that reads the session late may be cached for everybody")
	}
}

type nilCodec struct{ core.Codec }

func (c nilCodec) Encode(v any) ([]byte, error) { return append([]byte(nil), v.(string)...), nil }
func (c nilCodec) Decode(d []byte, v any) error { *v.(*string) = string(d); return nil }

func TestEmptyEncodingIsAValue(t *testing.T) {
	w := server(t, func(c *core.Config) { c.Codec = nilCodec{} })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) {
		s.Set("k", "")
		if _, ok := core.Get[string](s, "k"); !ok {
			t.Error("Set of an empty value became a deletion")
		}
	})
}

func TestPopGivesAValueOnce(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		answer, number := core.NewKey[string]("answer"), core.NewKey[int]("answer")
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { answer.Set(s, "7x") })
		c.status(500, func(s *core.Session) { answer.Pop(s) })
		c.do(func(s *core.Session) {
			if v, ok := core.Pop[int](s, number.Name()); ok {
				t.Errorf("a text was popped as the number %d", v)
			}
		})
		c.do(func(s *core.Session) {
			if v, ok := answer.Pop(s); !ok || v != "7x" {
				t.Errorf("popped %q, %t", v, ok)
			}
			if v, ok := answer.Pop(s); ok {
				t.Errorf("popped again: %q", v)
			}
		})
		if got := c.get("answer"); got != "" {
			t.Errorf("the next request has %q", got)
		}
	})
}
