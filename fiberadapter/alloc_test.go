//go:build !race

// The race detector makes pools forget at random, so that allocations vary.

package fiberadapter

import (
	"testing"

	"github.com/satchel-go/satchel/core"
)

// TestAllocations compares with middleware that does nothing.
func TestAllocations(t *testing.T) {
	memory, _ := serverSide(t, core.Config{})
	for name, m := range map[string]*core.Manager{"memory": memory, "cookie": clientSide(t, core.Config{})} {
		for path, handler := range map[string]func(ctx) error{
			"empty": func(ctx) error { return nil },
			"text":  func(c ctx) error { return text(c, 200, "ok") },
		} {
			without := testing.AllocsPerRun(500, bare(handler, nothing))
			with := testing.AllocsPerRun(500, bare(handler, Middleware(m)))
			t.Logf("%s, %s: %v allocations, %v without sessions", name, path, with, without)
			if with > without+2 {
				t.Errorf("%s, %s: %v allocations, %v without sessions: more than 2", name, path, with, without)
			}
		}
	}
}
