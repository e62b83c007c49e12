package gorillastore

import (
	"encoding/gob"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/redistest"
)

// pointing is a flash as gorilla's programs add them: fmt prints its address.
type pointing struct{ Text *string }

func init() { gob.Register(pointing{}) }

func TestFromSavesBesideAFlashWithAPointer(t *testing.T) {
	files := newFiles(t, t.TempDir())
	s := newSite(t, From(files), nil)
	s.gorilla(files, func(g *sessions.Session) {
		text := "hi"
		g.AddFlash(pointing{&text})
	})
	if w := s.do(func(x *core.Session) { x.Set("k", "v") }); w.Code != 200 {
		t.Fatalf("status %d: the session seems to have changed though nobody has changed it", w.Code)
	}
	s.gorilla(files, func(g *sessions.Session) {
		flashes := g.Flashes()
		if len(flashes) != 1 || *flashes[0].(pointing).Text != "hi" || g.Values["k"] != "v" {
			t.Errorf("flashes %v, values %v", flashes, g.Values)
		}
	})
}

func TestCompatibleLeavesNullsOfJSON(t *testing.T) {
	server := redistest.Shared(t)
	store, prefix := newRedis(t)
	store.Serializer(jsonSerializer{})
	s := newSite(t, RedisCompatible(newClient(t, server.Addr()), CompatibleConfig{KeyPrefix: prefix, Serializer: jsonSerializer{}}), nil)
	s.gorilla(store, func(g *sessions.Session) { g.Values["none"] = nil })
	s.do(func(x *core.Session) { x.Set("k", "v") })
	s.gorilla(store, func(g *sessions.Session) {
		if v, ok := g.Values["none"]; !ok || v != nil || g.Values["k"] != "v" {
			t.Errorf("gorilla finds %#v", g.Values)
		}
	})
	s.do(func(x *core.Session) { x.Set("none", 1) })
	s.gorilla(store, func(g *sessions.Session) {
		if g.Values["none"] != 1.0 {
			t.Errorf("gorilla finds %#v", g.Values["none"])
		}
	})
}
