package core_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// linkedActs are the acts that need no index of users on both sides.
func linkedActs() []act {
	return slices.DeleteFunc(slices.Clone(acts), func(a act) bool {
		return a.name == "update" || a.name == "revoke" || a.name == "revoke user" || a.name == "revoke all"
	})
}

var linkedPairs = []string{"linked to memory", "memory to linked"}

// linkedStates are where a session may be, and what a process that died may have left.
var linkedStates = []struct {
	name string
	make func(w *stage)
}{
	{"old", func(*stage) {}},
	{"moved", func(w *stage) { w.client.on(w.during).get("") }},
	{"moved, answer lost", func(w *stage) { w.client.fork().on(w.during).get("") }},
	{"moved and back", func(w *stage) { w.client.on(w.during).get(""); w.client.on(w.back).get("") }},
	{"moved and back, answer lost", func(w *stage) { w.client.on(w.during).get(""); w.client.fork().on(w.back).get("") }},
	{"marked", func(w *stage) { w.crash(w.during, w.new) }},
	{"made, the old one left", func(w *stage) { w.crashAfter(w.during, w.old, 1) }},
	{"back, marked", func(w *stage) { w.client.on(w.during).get(""); w.crash(w.back, w.old) }},
	{"back, made", func(w *stage) { w.client.on(w.during).get(""); w.crashAfter(w.back, w.new, 1) }},
}

// TestK1K2MigratingLinkedInterleaved is TestK1K2MigratingInterleaved for a
// ServerSide and a backend of tokens of its own that compares and sets.
func TestK1K2MigratingLinkedInterleaved(t *testing.T) {
	for _, pair := range linkedPairs {
		for _, state := range linkedStates {
			t.Run(pair+", "+state.name, func(t *testing.T) {
				t.Parallel()
				schedules := 0
				acts := linkedActs()
				both := []string{"forth, back", "back, forth"}
				if state.name == "old" {
					both = append(both, "forth, forth", "back, back")
				} else {
					acts = slices.DeleteFunc(acts, func(a act) bool { return a.name == "read" || a.name == "renew" })
				}
				for _, first := range acts {
					for _, second := range acts {
						for _, directions := range both {
							t.Run(fmt.Sprintf("%s and %s, %s", first.name, second.name, directions), func(t *testing.T) {
								schedules += interleave(t, first, second, directions, func() *stage {
									w := newStage(t, pair)
									state.make(w)
									return w
								})
							})
						}
					}
				}
				t.Logf("%d schedules", schedules)
			})
		}
	}
}

// TestK1K2MigratingLinkedAtRandom interleaves five acts at a time.
func TestK1K2MigratingLinkedAtRandom(t *testing.T) {
	for _, pair := range linkedPairs {
		for i, state := range linkedStates {
			t.Run(pair+", "+state.name, func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(60) {
					w := newStage(t, pair)
					state.make(w)
					w.atRandom(seed+uint64(i)*1000, 5)
				}
			})
		}
	}
}

// TestSEC5MigratingLinkedLogin has a login end both of the twins, wherever it
// is done and wherever the session has been.
func TestSEC5MigratingLinkedLogin(t *testing.T) {
	for _, pair := range linkedPairs {
		for _, state := range linkedStates {
			for _, direction := range []string{"forth", "back"} {
				t.Run(pair+", "+state.name+", "+direction, func(t *testing.T) {
					w := newStage(t, pair)
					state.make(w)
					was := w.client.fork()
					w.client.on(w.toward(direction)).do(func(s *core.Session) { s.Login("ann") })
					w.client.do(func(s *core.Session) {
						if s.UserID() != "ann" {
							t.Error("logged out by a login")
						}
					})
					for range 2 { // while they are late, and afterwards
						for _, m := range []*core.Manager{w.during, w.back} {
							for _, c := range []*client{w.first.fork(), was.fork()} {
								c.on(m).do(func(s *core.Session) {
									if s.UserID() != "" {
										t.Error("a token from before the login is still good")
									}
								})
							}
						}
						w.clock.advance(6 * time.Minute)
					}
					w.client.on(w.toward(direction)).do(func(s *core.Session) {
						if s.UserID() != "ann" {
							t.Error("logged out by old tokens")
						}
					})
				})
			}
		}
	}
}

// TestL3MigratingLinkedLogoutThatHalfFails: the second one ends what the first could
// not, also for applications that know the linked backend alone.
func TestL3MigratingLinkedLogoutThatHalfFails(t *testing.T) {
	for _, pair := range linkedPairs {
		for _, state := range linkedStates[:4] {
			for _, direction := range []string{"forth", "back"} {
				for _, which := range []string{"old", "new"} {
					t.Run(fmt.Sprintf("%s, %s, %s, the %s store takes no writes", pair, state.name, direction, which), func(t *testing.T) {
						w := newStage(t, pair)
						state.make(w)
						w.client.on(w.toward(direction))
						w.halfLogout(map[string]*probe{"old": w.old, "new": w.new}[which])
						for range 2 { // while requests may be under way, and afterwards
							for i, m := range []*core.Manager{w.during, w.back, w.before, w.after} {
								for _, c := range []*client{w.first, w.client} {
									if user := c.fork().on(m).user(); user != "" {
										t.Errorf("K2: still %s, on manager %d", user, i)
									}
								}
							}
							w.clock.advance(6 * time.Minute)
						}
					})
				}
			}
		}
	}
}

// halfLogout logs out while p takes no writes, and again when it does.
func (w *stage) halfLogout(p *probe) {
	w.Helper()
	logout := func() error {
		r := w.client.fork().begin()
		r.s.Logout()
		return r.end(200)
	}
	p.hook(func(op string, _ core.ID) error {
		if op == "save" || op == "delete" {
			return errDown
		}
		return nil
	})
	if err := logout(); !errors.Is(err, core.ErrUnavailable) && p.Len() > 0 {
		w.Errorf("at first: %v", err)
	}
	p.hook(nil)
	if err := logout(); err != nil {
		w.Errorf("again: %v", err)
	}
}

// TestSEC7MigratingLinked looks for the other backend's token in a ServerSide's store.
func TestSEC7MigratingLinked(t *testing.T) {
	w := newStage(t, "linked to memory")
	token := w.client.jar["__Host-session"]
	for _, m := range []*core.Manager{w.during, w.back, w.during} {
		w.client.on(m).get("")
		entry, err := w.new.Load(t.Context(), w.id)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(entry.Data, []byte(token)) {
			t.Error("the store has the token")
		}
	}
}

// TestSEC7MigratingLinkNeedsTheToken: all but the secret of a token is in the
// store, and must not open the link.
func TestSEC7MigratingLinkNeedsTheToken(t *testing.T) {
	token := func(secret byte) string {
		both := append(make([]byte, 16), bytes.Repeat([]byte{secret}, 32)...)
		return base64.RawURLEncoding.EncodeToString(both)
	}
	link, err := core.SealLink(token(1), "the other token")
	if err != nil || strings.Contains(link, "the other token") {
		t.Fatalf("link %q: %v", link, err)
	}
	if got, err := core.OpenLink(token(1), link); err != nil || got != "the other token" {
		t.Errorf("with the token: %q, %v", got, err)
	}
	if got, err := core.OpenLink(token(2), link); !errors.Is(err, core.ErrCorrupt) {
		t.Errorf("without it: %q, %v", got, err)
	}
}

// TestI1MigratingLinkedByID reaches a session by its ID where that is possible.
func TestI1MigratingLinkedByID(t *testing.T) {
	for _, pair := range linkedPairs {
		t.Run(pair, func(t *testing.T) {
			w := newStage(t, pair)
			inside, other := w.during, w.back // inside moves to the ServerSide
			if w.dirless("new") {
				inside, other = other, inside
			}
			w.client.on(inside).get("")
			for i, m := range []*core.Manager{inside, other} {
				if err := m.Update(t.Context(), w.id, func(s *core.Session) error {
					s.Set("by", i)
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				w.client.on(inside).do(func(s *core.Session) {
					if got, _ := core.Get[int](s, "by"); got != i {
						t.Errorf("%d, want %d", got, i)
					}
				})
			}
			if err := other.Revoke(t.Context(), w.id); err != nil {
				t.Fatal(err)
			}
			for _, m := range []*core.Manager{inside, other} {
				w.client.fork().on(m).do(func(s *core.Session) {
					if s.UserID() != "" {
						t.Error("revoked, and still there")
					}
				})
			}
		})
	}
}
