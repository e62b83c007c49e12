package gorillastore

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// told is all that a site can see of errors: those that a handler gets, and events.
func (s *site) told(err error) string {
	said := s.said() + fmt.Sprintf("%v %+v %#v", err, err, err)
	for ; err != nil; err = errors.Unwrap(err) {
		said += fmt.Sprintf("%+v", err)
	}
	s.events = nil
	return said
}

// What a store says of its failures has names of files and keys in it.
func TestE1SEC67FromErrorsOfTheStoreNameNoToken(t *testing.T) {
	for what, failure := range map[string]func(id string) error{
		"unavailable": func(id string) error { return fmt.Errorf("%w at session:%s", errOwn, id) },
		"corrupt":     func(id string) error { return fmt.Errorf("gob: %w: session:%s", errOwn, id) },
	} {
		for _, op := range []string{"new", "save", "delete"} {
			store := newMemory(t)
			s := began(t, From(store, FromConfig{}))
			l, err := From(store, FromConfig{}).Load(t.Context(), scope, core.Tokens{Session: s.cookies["session"]})
			if err != nil {
				t.Fatal(err)
			}
			store.fail = func(did, id string) error {
				if did == op && id != "" {
					return failure(id)
				}
				return nil
			}
			b := From(store, FromConfig{})
			_, errLoad := b.Load(t.Context(), scope, core.Tokens{Session: s.cookies["session"]})
			_, _, errSave := b.Save(t.Context(), scope, &l.Record, l.Handle, false)
			err = errors.Join(errLoad, errSave, b.Delete(t.Context(), l.Handle))
			s.do(func(x *core.Session) { x.Set("k", "w") })
			s.do(func(x *core.Session) { x.Logout() })
			if said := s.told(err); strings.Contains(said, "memory-00000001") {
				t.Errorf("%s at %s: %s", what, op, said)
			}
			if !errors.Is(err, errOwn) {
				t.Errorf("%s at %s: E1: errors.Is does not find the store's error in %v", what, op, err)
			}
		}
	}
}

// naming is a store that draws the ID of a new session before it fails.
type naming struct{ *memory }

func (n naming) Save(_ *http.Request, _ http.ResponseWriter, s *sessions.Session) error {
	if s.ID == "" {
		s.ID = "drawn-0001"
	}
	return fmt.Errorf("cannot write session:%s", s.ID)
}

func TestSEC67FromErrorsOfTheStoreNameNoNewToken(t *testing.T) {
	s := newSite(t, From(naming{newMemory(t)}, FromConfig{}), nil)
	s.do(func(x *core.Session) {
		x.Set("k", "v")
		if said := s.told(x.Commit(t.Context())); strings.Contains(said, "drawn") || !strings.Contains(said, "cannot write") {
			t.Error(said)
		}
	})
}

// indiscreet is a serializer that says of which session it could make nothing.
type indiscreet struct {
	jsonSerializer
	reads, writes *bool
}

func (s indiscreet) Serialize(g *sessions.Session) ([]byte, error) {
	if !*s.writes {
		return nil, fmt.Errorf("cannot write %s", g.ID)
	}
	return s.jsonSerializer.Serialize(g)
}

func (s indiscreet) Deserialize(data []byte, g *sessions.Session) error {
	if !*s.reads {
		return fmt.Errorf("cannot read %s", g.ID)
	}
	return s.jsonSerializer.Deserialize(data, g)
}

func TestSEC67CompatibleErrorsNameNoToken(t *testing.T) {
	reads, writes := true, true
	c := CompatibleConfig{KeyPrefix: redistest.UniquePrefix(t), Serializer: indiscreet{reads: &reads, writes: &writes}}
	s := began(t, RedisCompatible(newClient(t, redistest.Shared(t).Addr()), c))
	token := s.cookies["session"]
	s.do(func(x *core.Session) {
		core.Get[string](x, "k")
		writes = false
		x.Set("k", "w")
		if said := s.told(x.Commit(t.Context())); strings.Contains(said, token) || !strings.Contains(said, "cannot write") {
			t.Error(said)
		}
	})
	writes, reads = true, false
	s.do(func(*core.Session) {})
	if said := s.told(nil); strings.Contains(said, token) || !strings.Contains(said, "cannot read") {
		t.Error(said)
	}
}
