package gorillastore

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"

	"github.com/gorilla/sessions"
)

// memory is a gorilla store as others write them: it takes any ID that it is
// sent, and hands out its own Options.
type memory struct {
	options *sessions.Options
	text    bool // keeps JSON

	mu    sync.Mutex
	all   map[string]any
	count int
	asked []string           // the tokens that New was asked for
	saved []sessions.Options // that Save was given
	fail  func(op, id string) error
}

func newMemory(testing.TB) *memory {
	return &memory{options: &sessions.Options{Path: "/", MaxAge: 3600}, all: map[string]any{}}
}

func (m *memory) failure(op, id string) error {
	if m.fail == nil {
		return nil
	}
	return m.fail(op, id)
}

// Get implements [sessions.Store].
func (m *memory) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(m, name)
}

// New implements [sessions.Store].
func (m *memory) New(r *http.Request, name string) (*sessions.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := sessions.NewSession(m, name)
	s.Options, s.IsNew = m.options, true
	c, err := r.Cookie(name)
	if err != nil {
		return s, m.failure("new", "")
	}
	s.ID = c.Value
	m.asked = append(m.asked, c.Value)
	if err := m.failure("new", c.Value); err != nil {
		return s, err
	}
	switch v := m.all[c.Value].(type) {
	case map[any]any:
		s.Values, s.IsNew = maps.Clone(v), false
	case []byte:
		var values map[string]any
		if err := json.Unmarshal(v, &values); err != nil {
			return s, err
		}
		for k, v := range values {
			s.Values[k] = v
		}
		s.IsNew = false
	}
	return s, nil
}

// Save implements [sessions.Store].
func (m *memory) Save(_ *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saved = append(m.saved, *s.Options)
	if s.Options.MaxAge <= 0 {
		if err := m.failure("delete", s.ID); err != nil {
			return err
		}
		delete(m.all, s.ID)
		http.SetCookie(w, sessions.NewCookie(s.Name(), "", s.Options))
		return nil
	}
	if err := m.failure("save", s.ID); err != nil {
		return err
	}
	if s.ID == "" {
		m.count++
		s.ID = fmt.Sprintf("memory-%08d", m.count)
	}
	if m.text {
		values := map[string]any{}
		for k, v := range s.Values {
			values[k.(string)] = v
		}
		data, err := json.Marshal(values)
		if err != nil {
			return err
		}
		m.all[s.ID] = data
	} else {
		m.all[s.ID] = maps.Clone(s.Values)
	}
	http.SetCookie(w, sessions.NewCookie(s.Name(), s.ID, s.Options))
	return nil
}

// ids returns the IDs of what the store has.
func (m *memory) ids() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id := range m.all {
		ids = append(ids, id)
	}
	return ids
}
