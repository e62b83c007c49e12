package core_test

import (
	"slices"
	"testing"
	"time"
)

// tokenStates are how a session may stand between two backends with tokens of
// their own.
var tokenStates = []struct {
	name string
	make func(w *stage)
}{
	{"old", func(*stage) {}},
	{"moved", func(w *stage) { w.client.on(w.during).use() }},
	{"moved, token shown", func(w *stage) { w.client.on(w.during).use(); w.client.use() }},
	{"moved, answer lost", func(w *stage) { w.client.fork().on(w.during).use() }},
	{"moved, answer lost long ago", func(w *stage) {
		w.client.fork().on(w.during).use()
		w.clock.advance(2 * time.Minute)
	}},
}

// TestK1K2MigratingTokensInterleaved is TestK1K2MigratingInterleaved for
// sessions that move to a store from where tokens are others.
func TestK1K2MigratingTokensInterleaved(t *testing.T) {
	for _, pair := range []string{"cookie to memory", "foreign to memory", "dirless to memory"} {
		t.Run(pair, func(t *testing.T) {
			schedules := 0
			for i, state := range tokenStates {
				if pair == "foreign to memory" && i%3 > 0 {
					continue // much the same as from a cookie
				}
				t.Run(state.name, func(t *testing.T) {
					acts := slices.DeleteFunc(slices.Clone(acts), func(a act) bool {
						// Nobody can reach by its ID what only a client has.
						byID := a.name == "update" || a.name == "revoke" || a.name == "revoke user" || a.name == "revoke all"
						return byID && pair != "foreign to memory"
					})
					for _, first := range acts {
						for _, second := range acts {
							t.Run(first.name+" and "+second.name, func(t *testing.T) {
								schedules += interleave(t, first, second, "forth, forth", func() *stage {
									w := newStage(t, pair)
									state.make(w)
									return w
								})
							})
						}
					}
				})
			}
			t.Logf("%d schedules", schedules)
		})
	}
}
